//! Running code.

use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_api::{
    ErrorKind, EventSink, ExecutionError, ExecutionResult, RunRequest, SessionState,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sessions::here;
use crate::answer::{Answer, Refusal, json};
use crate::body::Held;
use crate::live::InUse;
use crate::request::Call;
use crate::state::State;
use crate::{events, ids};

/// How much longer than its timeout a run is waited for, before it is given up with its sandbox.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Asked {
    code: String,
    #[serde(default)]
    timeout: Option<f64>,
    #[serde(default)]
    repr: bool,
}

pub(super) async fn execute(mut call: Call) -> Result<Answer, Refusal> {
    let Asked { code, timeout, repr } = call.json()?;
    let timeout = timeout_of(&call.state, timeout)?;
    let wants_events = events::are_wanted(&call);
    let (session, is_new) = session(&call).await?;
    let state = Arc::clone(&call.state);
    // With events its id is told at once, else with the result.
    let id = (is_new && !wants_events).then(|| session.id.clone());
    let mut unknown = EndUnlessTold { state: Arc::clone(&state), id };
    let run = Run { state, session, code, timeout, repr, held: call.held };
    if wants_events {
        return Ok(events::stream(run));
    }
    let answer = json(&run.done(None).await?);
    unknown.id = None;
    Ok(answer)
}

/// The session of the request, or else a new one outside of all workspaces; whether it is new to whoever
/// asks.
async fn session(call: &Call) -> Result<(InUse, bool), Refusal> {
    if let Some(session) = here(call).await? {
        return Ok((session, false));
    }
    let live = &call.state.live;
    match live.prepared(&call.principal, true) {
        Some(session) => Ok((session, true)),
        None => Ok((live.open(&*call.state.sessions, &call.principal, None).await?, true)),
    }
}

/// A session whose id nobody knows yet: it ends when its request is given up.
struct EndUnlessTold {
    state: Arc<State>,
    id: Option<String>,
}

impl Drop for EndUnlessTold {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let state = Arc::clone(&self.state);
            self.state.background.spawn(async move { state.live.end(&id).await });
        }
    }
}

/// How long a run may take: what it asks for, or the usual time if that is nothing; never more than the
/// server's bound.
fn timeout_of(state: &State, asked: Option<f64>) -> Result<Duration, Refusal> {
    let limits = &state.limits;
    let asked = match asked {
        Some(seconds) if seconds < 0.0 || seconds.is_nan() => {
            return Err(Refusal::unprocessable(
                "timeout has to be a number of seconds, at least 0",
            ));
        }
        Some(seconds) if seconds > 0.0 => {
            // What is too long for a duration is too long for the server.
            Duration::try_from_secs_f64(seconds).unwrap_or(limits.max_timeout)
        }
        _ => limits.default_timeout,
    };
    Ok(asked.clamp(Duration::from_millis(1), limits.max_timeout.max(Duration::from_millis(1))))
}

/// A run that is to be done.
pub(crate) struct Run {
    state: Arc<State>,
    session: InUse,
    code: String,
    timeout: Duration,
    /// Whether the value's `repr` is wanted whatever the value is.
    repr: bool,
    /// The memory that its code has.
    held: Held,
}

impl Run {
    /// The session that it is of.
    pub(crate) fn session_id(&self) -> &str {
        &self.session.id
    }

    /// Runs the code, and gives what the client reads. Who drops this cancels the run.
    pub(crate) async fn done(self, events: Option<EventSink>) -> Result<Value, Refusal> {
        let Self { state, session, code, timeout, repr, held } = self;
        let turn = tokio::time::timeout(timeout + GRACE, session.running.lock()).await;
        let turn = turn.map_err(|_| {
            Refusal::conflict("another run of this session goes on; interrupt it, or try later")
        })?;
        let mut request = RunRequest::new(code).timeout(timeout);
        request.events = events;
        request.repr = repr;
        let run = session.session.run_request(request);
        let result = match tokio::time::timeout(timeout + GRACE, run).await {
            Ok(result) => result,
            Err(_) => given_up(&state, &session, timeout),
        };
        drop((turn, held));
        state.metrics.run(result.error.as_ref().map(|error| error.kind));
        let kind = result.error.as_ref().map(|error| error.kind.to_string());
        tracing::debug!(
            session = ids::reference(&session.id),
            error = kind,
            wall_ms = result.usage.wall_ms,
            "code was run"
        );
        Ok(shown(result, &session.id))
    }
}

/// The result of a run that its sandbox did not stop. The sandbox cannot be relied on any more.
fn given_up(state: &Arc<State>, session: &InUse, timeout: Duration) -> ExecutionResult {
    tracing::error!(
        session = ids::reference(&session.id),
        "a run did not stop; its session is closed"
    );
    let backend = session.session.backend_key();
    let (closing, id) = (Arc::clone(state), session.id.clone());
    state.background.spawn(async move { closing.live.end(&id).await });
    let message = format!(
        "timeout: the run did not stop {} s after its start, and its session is closed",
        (timeout + GRACE).as_secs_f64()
    );
    let error = ExecutionError::new(ErrorKind::Timeout, message);
    ExecutionResult::failed(backend, error, SessionState::Lost)
}

/// The result as clients of the original system read it, with all that we know beside it.
fn shown(result: ExecutionResult, session_id: &str) -> Value {
    let is_ok = result.is_ok();
    let error = result.error.as_ref().map(|error| {
        if error.traceback.is_empty() { error.to_string() } else { error.traceback.clone() }
    });
    // What has no encoding is its text there.
    let value = match &result.value_repr {
        Some(text) if result.value.is_null() && is_ok => Value::from(text.as_str()),
        _ => result.value,
    };
    json!({
        "value": value,
        "stdout": result.stdout,
        "error": error,
        "execution_time_ms": result.usage.wall_ms,
        "session_id": session_id,
        "stderr": result.stderr,
        "value_types": result.value_types,
        "value_repr": result.value_repr,
        "display": result.display,
        "files": result.files,
        "error_info": result.error,
        "session": result.session,
        "usage": result.usage,
        "backend": result.backend,
        "is_ok": is_ok,
    })
}
