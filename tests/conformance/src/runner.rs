//! Drives one backend through one case.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{
    ExecutionError, ExecutionResult, Executor, ExecutorError, HostPort, Limits, RunEvent,
    RunRequest, SessionState,
};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::case::{Action, Case, Code, Step};
use crate::expect::{Mismatch, Observed};
use crate::memory_host::MemoryHost;

/// How long a step may take before the backend counts as stuck: twice the default timeout.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that makes sessions.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// Its key, as in a case's `[case.except.KEY]`.
    fn key(&self) -> &'static str;

    /// A new session that has not been started.
    async fn open(&self, limits: Limits) -> anyhow::Result<Arc<dyn Executor>>;
}

/// How a case went that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All came as expected.
    Passed,
    /// The case excepts this backend.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// Runs a case to its end, or to the first step that fails.
pub async fn run_case(backend: &dyn Backend, case: &Case) -> Result<Verdict, Failure> {
    if let Some(exception) = case.except.get(backend.key()).filter(|exception| exception.skip) {
        return Ok(Verdict::Skipped { reason: exception.reason.clone() });
    }
    let mut sessions = Sessions {
        backend,
        limits: case.limits.limits(),
        host: Arc::new(MemoryHost::default()),
        open: BTreeMap::new(),
    };
    let outcome = run_steps(&mut sessions, case).await;
    for session in sessions.open.values() {
        session.close().await;
    }
    outcome.map(|()| Verdict::Passed)
}

async fn run_steps(sessions: &mut Sessions<'_>, case: &Case) -> Result<(), Failure> {
    for (number, step) in (1..).zip(&case.steps) {
        let failure = |fault| Failure::new(case, number, step, fault);
        let session = sessions.get(&step.session).await.map_err(Fault::Startup).map_err(failure)?;
        let observed = take_step(session, step).await.map_err(failure)?;
        let expectation = case.expectation(number, sessions.backend.key()).unwrap_or(&step.expect);
        let mismatches = expectation.compare(&observed);
        if !mismatches.is_empty() {
            let result = Box::new(observed.result);
            return Err(failure(Fault::Unexpected { mismatches, result }));
        }
    }
    Ok(())
}

/// The sessions of a case, by name, on one storage.
struct Sessions<'a> {
    backend: &'a dyn Backend,
    limits: Limits,
    host: Arc<MemoryHost>,
    open: BTreeMap<String, Arc<dyn Executor>>,
}

impl Sessions<'_> {
    async fn get(&mut self, name: &str) -> anyhow::Result<Arc<dyn Executor>> {
        match self.open.entry(name.to_owned()) {
            Entry::Occupied(session) => Ok(session.get().clone()),
            Entry::Vacant(place) => {
                let session = self.backend.open(self.limits.clone()).await?;
                session.start(Arc::clone(&self.host) as Arc<dyn HostPort>).await?;
                Ok(place.insert(session).clone())
            }
        }
    }
}

/// Does what a step says. On a task of its own: a backend that blocks its thread is still noticed.
async fn take_step(session: Arc<dyn Executor>, step: &Step) -> Result<Observed, Fault> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let request = request(step, &heard);
    let action = step.action;
    let interrupt = step.interrupt_after_ms.map(|after| interrupt_later(&session, after));
    let begin = Instant::now();
    let work = tokio::spawn(async move { act(&*session, action, request).await });
    let result = match timeout(PATIENCE, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(failed)) => return Err(Fault::Panicked(failed.to_string())),
        Err(_) => return Err(Fault::Stuck),
    };
    let wall = begin.elapsed();
    if let Some(interrupt) = interrupt {
        interrupt.abort();
    }
    let events = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Observed { result, events, wall })
}

fn request(step: &Step, heard: &Arc<Mutex<Vec<RunEvent>>>) -> RunRequest {
    let heard = Arc::clone(heard);
    let code = step.code.as_ref().map(Code::bytes).unwrap_or_default();
    let mut request = RunRequest::new(code).on_event(move |event| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    });
    request.timeout = step.timeout_ms.map(Duration::from_millis);
    request.repr = step.with_repr;
    request
}

fn interrupt_later(session: &Arc<dyn Executor>, after_ms: u64) -> JoinHandle<()> {
    let session = Arc::clone(session);
    tokio::spawn(async move {
        sleep(Duration::from_millis(after_ms)).await;
        session.interrupt();
    })
}

async fn act(session: &dyn Executor, action: Action, request: RunRequest) -> ExecutionResult {
    let refused = |error: ExecutorError| {
        let error = ExecutionError::new(error.kind(), error.to_string());
        ExecutionResult::failed(session.backend(), error, SessionState::Lost)
    };
    match action {
        Action::Run => session.run(request).await,
        Action::Reset => match session.reset().await {
            Ok(()) => ExecutionResult::new(session.backend()),
            Err(error) => refused(error),
        },
        Action::Close => {
            session.close().await;
            ExecutionResult::new(session.backend())
        }
    }
}

/// A case that failed, for the reader.
#[derive(Debug)]
pub struct Failure {
    case: String,
    about: String,
    step: String,
    code: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Startup(anyhow::Error),
    Stuck,
    Panicked(String),
    Unexpected { mismatches: Vec<Mismatch>, result: Box<ExecutionResult> },
}

impl Failure {
    fn new(case: &Case, number: usize, step: &Step, fault: Fault) -> Self {
        const MOST: usize = 1000;
        let Step { action, session, .. } = step;
        let code = step.code.as_ref().map(Code::bytes).unwrap_or_default();
        Self {
            case: case.to_string(),
            about: case.about.clone(),
            step: format!("{number} of {}: {action:?} in session {session}", case.steps.len()),
            code: String::from_utf8_lossy(&code).chars().take(MOST).collect(),
            fault,
        }
    }

    /// What came otherwise than expected; nothing if it did not come to a comparison.
    pub fn mismatches(&self) -> &[Mismatch] {
        match &self.fault {
            Fault::Unexpected { mismatches, .. } => mismatches,
            _ => &[],
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, about, step, code, fault } = self;
        writeln!(formatter, "case {case}\n     {about}\nstep {step}")?;
        for line in code.lines() {
            writeln!(formatter, "     | {line}")?;
        }
        match fault {
            Fault::Startup(error) => {
                write!(formatter, "the session could not be started: {error:#}")
            }
            Fault::Stuck => write!(formatter, "no result after {} s", PATIENCE.as_secs()),
            Fault::Panicked(failed) => write!(formatter, "the backend panicked: {failed}"),
            Fault::Unexpected { mismatches, result } => {
                for mismatch in mismatches {
                    writeln!(formatter, "{mismatch}")?;
                }
                write!(formatter, "the whole result: {}", whole(result))
            }
        }
    }
}

impl std::error::Error for Failure {}

fn whole(result: &ExecutionResult) -> String {
    const MOST: usize = 4000;
    let text = serde_json::to_string_pretty(result).unwrap_or_else(|error| error.to_string());
    text.chars().take(MOST).collect()
}
