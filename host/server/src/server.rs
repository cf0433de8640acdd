//! The server: it listens, serves, keeps things up, and ends in order.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::routing::{MethodFilter, on};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::answer::{Answer, Refusal};
use crate::config::{Access, ServerConfig};
use crate::endpoints::{ENDPOINTS, Endpoint};
use crate::sessions::Sessions;
use crate::state::State;
use crate::{ServerError, approvals, connection, nodes, request};

/// How long what was interrupted may take to end, and then to close.
const ENDING: Duration = Duration::from_secs(5);
/// How often the room of what has expired is given back.
const SWEEPS: Duration = Duration::from_mins(1);
/// After an error of the system, as too many open files.
const RECOVERS: Duration = Duration::from_millis(50);

/// A server that listens.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use pcm_server::{Access, Server, ServerConfig, ServerError, Sessions};
///
/// async fn serve(sessions: Arc<dyn Sessions>) -> Result<(), ServerError> {
///     let mut config = ServerConfig::new(Access::Tokens("tokens.yaml".into()));
///     config.node = Some("a".to_owned());
///     let server = Server::bind(config, sessions).await?;
///     println!("http://{}", server.address());
///     server.serve(std::future::pending()).await
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    /// Listens where `config` says. Nothing is answered before [`serve`](Self::serve).
    pub async fn bind(
        config: ServerConfig,
        sessions: Arc<dyn Sessions>,
    ) -> Result<Self, ServerError> {
        let address = config.address;
        if matches!(config.access, Access::Open) && !address.ip().is_loopback() {
            return Err(ServerError::Exposed { address });
        }
        let state = State::new(&config, sessions, address.ip().is_loopback())?;
        let failed = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // Before anybody is answered: another server must not take our sessions for lost.
        state.node.say(&*state.records).await?;
        Ok(Self { listener, address, state: Arc::new(state) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is called among the servers that share its records.
    pub fn node(&self) -> &str {
        &self.state.node.name
    }

    /// Serves until `shutdown` is done; then takes up nothing, waits for what goes on, interrupts what
    /// takes longer than that, and closes all sessions.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Self { listener, address, state } = self;
        tracing::info!(%address, node = state.node.name, "the server is there");
        let upkeep = upkeep(&state);
        let (ending, is_ending) = watch::channel(false);
        let mut connections = accept(&listener, &state, &is_ending, shutdown).await;
        drop(listener);

        tracing::info!("the server is ending");
        state.begin_to_end();
        // All connections may have ended by themselves.
        ending.send(true).ok();
        drain(&state, &mut connections).await;
        connections.shutdown().await;
        drop(upkeep);
        close_all(&state).await;
        let left = state.node.leave(&*state.records).await;
        tracing::info!("the server has ended");
        Ok(left?)
    }
}

/// Accepts connections until `shutdown`; gives those that are open then.
async fn accept(
    listener: &TcpListener,
    state: &Arc<State>,
    is_ending: &watch::Receiver<bool>,
    shutdown: impl Future<Output = ()>,
) -> JoinSet<()> {
    let router = router(state);
    let most = state.limits.max_connections.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return connections,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream: TcpStream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(RECOVERS).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            state.metrics.connections_refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (state, router, is_ending) = (Arc::clone(state), router.clone(), is_ending.clone());
        connections.spawn(async move {
            state.metrics.connections.fetch_add(1, Ordering::Relaxed);
            let counted = Connected(Arc::clone(&state));
            connection::serve(stream, router, &state.limits, is_ending).await;
            drop((counted, place));
        });
    }
}

/// Counts a connection until it ends, however it does.
struct Connected(Arc<State>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits for what goes on, and interrupts what does not end.
async fn drain(state: &Arc<State>, connections: &mut JoinSet<()>) {
    let all_done = |patience| async move { state.background.is_done_within(patience).await };
    for (patience, is_last) in [(state.limits.drain, false), (ENDING, true)] {
        let all_ended = async {
            while connections.join_next().await.is_some() {}
            all_done(patience).await
        };
        if tokio::time::timeout(patience, all_ended).await == Ok(true) {
            return;
        }
        let sessions = state.live.all();
        tracing::warn!(sessions = sessions.len(), is_last, "what goes on is interrupted");
        for entry in sessions {
            entry.session.interrupt();
        }
    }
}

async fn close_all(state: &Arc<State>) {
    let mut closing = JoinSet::new();
    for entry in state.live.all() {
        let state = Arc::clone(state);
        closing.spawn(async move { state.live.end(&entry.id).await });
    }
    let all_closed = async { while closing.join_next().await.is_some() {} };
    if tokio::time::timeout(ENDING, all_closed).await.is_err() {
        tracing::error!("not all sessions could be closed in time");
    }
}

/// What goes on beside the requests, until it is dropped: this server says that it is there, ends sessions
/// that nobody uses, and keeps the records.
fn upkeep(state: &Arc<State>) -> JoinSet<()> {
    let mut upkeep = JoinSet::new();
    let here = Arc::clone(state);
    upkeep.spawn(every(nodes::SAYS, move || {
        let state = Arc::clone(&here);
        async move {
            if let Err(error) = state.node.say(&*state.records).await {
                tracing::warn!(%error, "other servers cannot be told that this one is there");
            }
        }
    }));
    let shortest = Duration::from_millis(20);
    let often = (state.limits.session_expiry / 4).clamp(shortest, Duration::from_secs(10));
    let here = Arc::clone(state);
    upkeep.spawn(every(often, move || {
        let state = Arc::clone(&here);
        async move { end_expired(&state) }
    }));
    let here = Arc::clone(state);
    upkeep.spawn(every(SWEEPS, move || {
        let state = Arc::clone(&here);
        async move {
            if let Err(error) = state.records.sweep().await {
                tracing::warn!(%error, "expired records could not be removed");
            }
        }
    }));
    if let Some(asked) = state.approvals.clone() {
        upkeep.spawn(approvals::watch(Arc::clone(state), asked));
    }
    upkeep
}

/// Each session is closed on its own: one that takes its time holds up no other.
fn end_expired(state: &Arc<State>) {
    for entry in state.live.take_expired() {
        let state = Arc::clone(state);
        Arc::clone(&state).background.spawn(async move {
            state.live.finish(&entry).await;
            if let Some(approvals) = &state.approvals {
                approvals.close_session(entry.session.id());
            }
        });
    }
}

async fn every<Work: Future<Output = ()>>(time: Duration, mut work: impl FnMut() -> Work) {
    let mut ticks = tokio::time::interval(time);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}

fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let answers = move |Shared(state): Shared<Arc<State>>, request: Request| {
            request::enter(state, endpoint, request)
        };
        router = router.route(endpoint.path, on(filter(endpoint), answers));
    }
    router
        .fallback(|state: Shared<Arc<State>>, request: Request| async move {
            nowhere(&state, request, StatusCode::NOT_FOUND, "there is no such path").await
        })
        .method_not_allowed_fallback(|state: Shared<Arc<State>>, request: Request| async move {
            let detail = "the path does not take this method";
            nowhere(&state, request, StatusCode::METHOD_NOT_ALLOWED, detail).await
        })
        .with_state(Arc::clone(state))
}

fn filter(endpoint: &Endpoint) -> MethodFilter {
    match endpoint.method {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// What is no endpoint has no secrets either, so nobody is asked for a token.
async fn nowhere(state: &State, request: Request, status: StatusCode, detail: &str) -> Answer {
    let (parts, mut body) = request.into_parts();
    let mut answer = match state.origins.check(&parts.uri, &parts.headers) {
        Ok(()) => Refusal::new(status, detail).into_answer(),
        Err(refusal) => refusal.into_answer(),
    };
    request::finish_reading(&parts.headers, &mut body, &mut answer).await;
    answer
}
