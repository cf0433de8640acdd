//! The one way in: what every request passes before an endpoint sees it.
//!
//! It is meant for this server (`origin`); it is known whose it is, and that it may do this (`auth`); there
//! are not too many of them (`auth/gate.rs`); its body is there, within its bounds (`body`). Only then its
//! endpoint is asked, behind `idempotency` where the client wants that.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use hyper::body::{Frame, SizeHint};
use pcm_storage::{Storage, WorkspaceId};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::answer::{Answer, Refusal};
use crate::auth::{Passed, Principal};
use crate::body::{self, Held};
use crate::endpoints::{BodyKind, Endpoint};
use crate::live::{Found, InUse};
use crate::state::State;
use crate::{idempotency, ids};

/// The header that names a session.
pub(crate) const SESSION_HEADER: &str = "x-session-id";
/// The header that gives a request a name, so that its answer can be found in the log.
const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-request-id");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// A request that is known, allowed, and read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What `X-Session-ID` said.
    pub(crate) session: Option<String>,
    params: Vec<(String, String)>,
    /// What it counts as, also where it is done to its end when nobody waits for it any more.
    _holds: Option<Arc<Holds>>,
    /// The memory of its body; whoever keeps of the body keeps this.
    pub(crate) held: Held,
}

/// Where a request without a session, or with one, has its data.
#[derive(Debug)]
pub(crate) enum Scope {
    /// Outside of all workspaces.
    Unscoped,
    Here(InUse),
    Elsewhere {
        node: String,
        workspace: Option<WorkspaceId>,
    },
}

impl Call {
    /// The session of the request; one that is not there is refused whatever the endpoint does.
    pub(crate) async fn scope(&self) -> Result<Scope, Refusal> {
        let Some(id) = &self.session else {
            return if self.principal.may_use(None) {
                Ok(Scope::Unscoped)
            } else {
                Err(Refusal::forbidden(
                    "this token has no data outside of workspaces: POST /sessions with a \
                     workspace_id, and send the X-Session-ID that it answers",
                ))
            };
        };
        Ok(match self.state.live.find(&self.principal, id).await? {
            Found::Here(session) => Scope::Here(session),
            Found::Elsewhere { node, workspace } => Scope::Elsewhere { node, workspace },
        })
    }

    /// Refuses a request that names a session which is not there.
    pub(crate) async fn check_session(&self) -> Result<(), Refusal> {
        if self.session.is_some() {
            self.scope().await?;
        }
        Ok(())
    }

    /// The storage that the request is about.
    pub(crate) async fn storage(&self) -> Result<Arc<dyn Storage>, Refusal> {
        match self.scope().await? {
            Scope::Unscoped => Ok(self.state.sessions.storage(None)?),
            Scope::Here(session) => Ok(Arc::clone(session.session.storage())),
            // Storage is shared, a sandbox is not.
            Scope::Elsewhere { workspace, .. } => {
                Ok(self.state.sessions.storage(workspace.as_ref())?)
            }
        }
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        body::parse(&self.headers, &self.body, &mut self.held)
    }

    /// A part of the path.
    pub(crate) fn param(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.params.iter().find(|(param, _)| param == name);
        let missing = || Refusal::bad(format!("the path has no {name}"));
        found.map(|(_, value)| &**value).ok_or_else(missing)
    }

    /// A parameter after the `?`, the last one where there are several.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(key, _)| key == name).last().map(|(_, value)| value.into_owned())
    }

    /// How many results are wanted.
    pub(crate) fn limit(&self, usual: usize) -> Result<usize, Refusal> {
        const MOST: usize = 1000;
        let Some(text) = self.query("limit") else { return Ok(usual) };
        let limit = text
            .parse::<u64>()
            .map_err(|_| Refusal::unprocessable("limit has to be a whole number of at least 0"))?;
        Ok(usize::try_from(limit).unwrap_or(MOST).min(MOST))
    }

    /// What the client searches for.
    pub(crate) fn search(&self) -> Result<String, Refusal> {
        self.query("query").ok_or_else(|| Refusal::unprocessable("the parameter query is missing"))
    }

    /// A header of text, where the client sends it once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What a request holds until it is done and its answer is sent.
#[derive(Debug)]
struct Holds {
    _of_server: OwnedSemaphorePermit,
    _of_token: Passed,
}

/// Answers a request to an endpoint, whatever it is.
pub(crate) async fn enter(
    state: Arc<State>,
    endpoint: &'static Endpoint,
    request: Request,
) -> Answer {
    let began = Instant::now();
    let id = ids::short().unwrap_or_default();
    let _counted = InFlight::count(&state);
    let mut name = String::new();
    let (parts, mut body) = request.into_parts();
    let sent = parts.headers.clone();
    let (mut answer, holds) = match admit(&state, endpoint, parts, &mut body, &mut name).await {
        Ok((answer, holds)) => (answer, holds),
        Err(refusal) => (refusal.into_answer(), None),
    };
    let status = answer.status();
    finish_reading(&sent, &mut body, &mut answer).await;
    let headers = answer.headers_mut();
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::from_str(&id).ok().map(|id| (REQUEST_HEADER, id)));
    let took = began.elapsed();
    let (method, path) = (endpoint.method, endpoint.path);
    state.metrics.request(method, path, status.as_u16(), took);
    let duration_ms = took.as_secs_f64() * 1000.0;
    tracing::info!(
        request = id,
        method,
        path,
        status = status.as_u16(),
        duration_ms,
        token = name,
        "answered"
    );
    answer.map(|body| Body::new(Holding { body, _holds: holds }))
}

/// Reads what nobody has read of a body, or else says that the connection will be closed.
pub(crate) async fn finish_reading(sent: &HeaderMap, body: &mut Body, answer: &mut Answer) {
    // It was given up already: it takes too long, or is too long.
    let is_given_up =
        matches!(answer.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE);
    if is_given_up || !body::is_read_up(sent, body).await {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

async fn admit(
    state: &Arc<State>,
    endpoint: &'static Endpoint,
    mut parts: axum::http::request::Parts,
    body: &mut Body,
    name: &mut String,
) -> Result<(Answer, Option<Arc<Holds>>), Refusal> {
    state.origins.check(&parts.uri, &parts.headers)?;
    let Some(right) = endpoint.right else {
        return Ok(((endpoint.handler)(open_call(state, parts)).await?, None));
    };
    let principal = state.authenticator.principal(&parts.headers)?;
    name.clone_from(&principal.name);
    if !principal.may(right) {
        let right = right.name();
        return Err(Refusal::forbidden(format!("this token does not have the right {right:?}")));
    }
    if state.is_ending() {
        return Err(Refusal::unavailable("the server is shutting down"));
    }
    let of_token = principal.gate.pass()?;
    let of_server = Arc::clone(&state.requests).try_acquire_owned().map_err(|_| {
        Refusal::unavailable("the server has as many requests as it takes; try again")
    })?;
    let holds = Arc::new(Holds { _of_server: of_server, _of_token: of_token });

    let session = session_of(&parts.headers)?;
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.map_err(|_| Refusal::bad("the path is not UTF-8"))?;
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut held = state.memory.hold();
    let most = match endpoint.body {
        BodyKind::None => None,
        BodyKind::Json(_) => Some(state.limits.max_json_bytes),
        BodyKind::Bytes => Some(state.limits.max_upload_bytes),
    };
    let body = match most {
        None => Bytes::new(),
        Some(most) => {
            let patience = state.limits.body_timeout;
            body::read(&parts.headers, body, most, patience, &mut held).await?
        }
    };
    let call = Call {
        state: Arc::clone(state),
        principal,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
        session,
        params,
        _holds: Some(Arc::clone(&holds)),
        held,
    };
    let answer = idempotency::answer(call, endpoint.handler).await?;
    Ok((answer, Some(holds)))
}

/// A request that nobody is asked a token for; its endpoint sees nothing of it.
fn open_call(state: &Arc<State>, parts: axum::http::request::Parts) -> Call {
    Call {
        state: Arc::clone(state),
        principal: Arc::new(Principal::nobody()),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        session: None,
        params: Vec::new(),
        _holds: None,
        held: state.memory.hold(),
    }
}

fn session_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut all = headers.get_all(SESSION_HEADER).iter();
    let Some(first) = all.next() else { return Ok(None) };
    match (first.to_str(), all.next()) {
        (Ok(id), None) if id.len() <= 128 => Ok(Some(id.to_owned())),
        _ => Err(Refusal::no_session()),
    }
}

/// Counts a request while it is being answered.
struct InFlight(Arc<State>);

impl InFlight {
    fn count(state: &Arc<State>) -> Self {
        state.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, whose request counts until it is sent.
struct Holding {
    body: Body,
    _holds: Option<Arc<Holds>>,
}

impl hyper::body::Body for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
