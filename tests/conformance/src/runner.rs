//! Drives one backend through one case.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{
    ExecutionError, ExecutionResult, Executor, ExecutorError, HostPort, Limits, RunEvent,
    RunRequest, SessionState,
};
use pcm_session::Session;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::base::Base;
use crate::case::{Action, Case, Code, Step};
use crate::expect::Observed;
use crate::failure::{Failure, Fault};
use crate::memory_host::MemoryHost;

/// How long a step may take before the backend counts as stuck: twice the default timeout.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something that makes sessions.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// Its key, as in a case's `[case.except.KEY]`.
    fn key(&self) -> &'static str;

    /// A new session that has not been started. Its packages come from this machine's index.
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
    if let Some(exception) = case.exception(backend.key()).filter(|exception| exception.skip) {
        return Ok(Verdict::Skipped { reason: exception.reason.clone() });
    }
    let (limits, open) = (case.limits.limits(), BTreeMap::new());
    let mut sessions = Sessions { backend, limits, host: BehindPort::default(), open };
    let outcome = run_steps(&mut sessions, case).await;
    for session in sessions.open.values() {
        session.close().await;
    }
    outcome.map(|()| Verdict::Passed)
}

async fn run_steps(sessions: &mut Sessions<'_>, case: &Case) -> Result<(), Failure> {
    for (number, step) in (1..).zip(&case.steps) {
        let failure = |fault| Failure::new(case, number, step, fault);
        if let (1, Some(setup)) = (number, &case.host) {
            let base = Base::new(setup).map_err(Fault::Startup).map_err(failure)?;
            base.try_refused().await.map_err(Fault::Startup).map_err(failure)?;
            sessions.host = BehindPort::Folder(base);
        }
        let session = sessions.get(&step.session).await.map_err(Fault::Startup).map_err(failure)?;
        let mut observed = take_step(session, step).await.map_err(failure)?;
        observed.base = sessions.host.folder();
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
    host: BehindPort,
    open: BTreeMap<String, Opened>,
}

/// A session of a case. One over a folder has to be kept, or its host ends.
struct Opened {
    executor: Arc<dyn Executor>,
    session: Option<Session>,
}

impl Opened {
    async fn close(&self) {
        match &self.session {
            Some(session) => session.close().await,
            None => self.executor.close().await,
        }
    }
}

/// What the sessions of a case share.
enum BehindPort {
    Memory(Arc<MemoryHost>),
    Folder(Base),
}

impl Default for BehindPort {
    fn default() -> Self {
        Self::Memory(Arc::default())
    }
}

impl BehindPort {
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Memory(_) => None,
            Self::Folder(base) => Some(base.path().to_owned()),
        }
    }
}

impl Sessions<'_> {
    async fn get(&mut self, name: &str) -> anyhow::Result<Arc<dyn Executor>> {
        match self.open.entry(name.to_owned()) {
            Entry::Occupied(session) => Ok(session.get().executor.clone()),
            Entry::Vacant(place) => {
                let session = self.backend.open(self.limits.clone()).await?;
                let session = match &self.host {
                    BehindPort::Memory(host) => {
                        session.start(Arc::clone(host) as Arc<dyn HostPort>).await?;
                        Opened { executor: session, session: None }
                    }
                    BehindPort::Folder(base) => {
                        let executor = Arc::clone(&session);
                        let session = Session::start(session, base.host(name).await?).await?;
                        Opened { executor, session: Some(session) }
                    }
                };
                Ok(place.insert(session).executor.clone())
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
        Err(_) => return Err(Fault::Stuck(PATIENCE)),
    };
    let wall = begin.elapsed();
    if let Some(interrupt) = interrupt {
        interrupt.abort();
    }
    let events = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Observed { result, events, wall, base: None })
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use pcm_runtime_api::{Capability, ErrorKind, HostCall, Namespace, Payload};
    use serde_json::json;

    use super::*;
    use crate::case::CaseLimits;
    use crate::expect::Expectation;

    /// A backend that only knows a few words.
    #[derive(Debug)]
    struct Parrot;

    #[async_trait]
    impl Backend for Parrot {
        fn key(&self) -> &'static str {
            "parrot"
        }

        async fn open(&self, _limits: Limits) -> anyhow::Result<Arc<dyn Executor>> {
            Ok(Arc::new(ParrotSession(Mutex::new(None))))
        }
    }

    #[derive(Debug)]
    struct ParrotSession(Mutex<Option<Arc<dyn HostPort>>>);

    #[async_trait]
    impl Executor for ParrotSession {
        fn backend(&self) -> &'static str {
            "parrot"
        }

        fn capabilities(&self) -> &'static [Capability] {
            &[]
        }

        async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
            *self.0.lock().unwrap() = Some(port);
            Ok(())
        }

        async fn run(&self, request: RunRequest) -> ExecutionResult {
            let mut result = ExecutionResult::new("parrot");
            match request.code.as_slice() {
                b"answer" => result.value = 42.into(),
                b"raise" => {
                    result.error = Some(ExecutionError::new(ErrorKind::Exception, "no"));
                }
                b"panic" => assert_eq!(request.timeout, Some(Duration::ZERO)),
                _ => {
                    let port = self.0.lock().unwrap().clone().unwrap();
                    let args = Payload::from(json!({"name": "echo", "args": {"text": "hi"}}));
                    let (namespace, op) = (Namespace::Tools, "call".to_owned());
                    let reply = port.call(HostCall { namespace, op, args }).await;
                    result.value = reply.unwrap().value;
                }
            }
            result
        }

        fn interrupt(&self) {}

        async fn reset(&self) -> Result<(), ExecutorError> {
            Err(ExecutorError::Closed)
        }

        async fn close(&self) {}
    }

    fn case(steps: &str) -> Case {
        let steps: BTreeMap<String, Vec<Step>> = toml::from_str(steps).unwrap();
        Case {
            id: "one".to_owned(),
            spec: None,
            about: "a".to_owned(),
            limits: CaseLimits::default(),
            host: None,
            steps: steps.into_values().next().unwrap(),
            except: BTreeMap::new(),
            evaluator_alone: false,
            file: "cases/topic.toml".into(),
            line: 1,
        }
    }

    fn outcome(steps: &str) -> Result<Verdict, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run_case(&Parrot, &case(steps)))
    }

    #[test]
    fn a_case_that_holds_passes() {
        let steps = "[[step]]\ncode = 'answer'\nvalue = '42'\n[[step]]\ncode = 'echo'\nok = true\n\
                     [[step]]\naction = 'reset'\nerror_kind = 'closed'\nsession_state = 'lost'\n";
        assert_eq!(outcome(steps).unwrap(), Verdict::Passed);
    }

    #[test]
    fn a_failure_names_case_step_expectation_and_result() {
        let steps =
            "[[step]]\ncode = 'answer'\nok = true\n[[step]]\ncode = 'answer'\nvalue = '41'\n";
        let failure = outcome(steps).unwrap_err().to_string();
        let expected = "case topic::one (cases/topic.toml:1)\n     a\n\
                        step 2 of 2: Run in session a\n     | answer\n  \
                        value\n  - expected Number(41)\n  + got      Number(42)\n";
        assert!(failure.starts_with(expected), "{failure}");
    }

    #[test]
    fn an_unexpected_error_is_a_failure() {
        let failure = outcome("[[step]]\ncode = 'raise'\nvalue = 'null'\n").unwrap_err();
        assert_eq!(failure.mismatches()[0].expected, "no error");
        assert_eq!(failure.mismatches()[0].got, "exception, Exception: no");
    }

    #[test]
    fn a_panic_is_a_failure() {
        let failure = outcome("[[step]]\ncode = 'panic'\nany_outcome = true\n").unwrap_err();
        assert!(failure.to_string().contains("the backend panicked"), "{failure}");
    }

    #[test]
    fn an_exception_of_the_backend_changes_what_is_expected() {
        let mut case = case("[[step]]\ncode = 'answer'\nvalue = '41'\n");
        let value = Some(json!(42));
        let step =
            BTreeMap::from([("1".to_owned(), Expectation { value, ..Expectation::default() })]);
        let reason = "it cannot count".to_owned();
        let exception = crate::case::Exception { reason: reason.clone(), skip: false, step };
        case.except.insert("parrot".to_owned(), exception);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        assert_eq!(runtime.block_on(run_case(&Parrot, &case)).unwrap(), Verdict::Passed);
        case.except.get_mut("parrot").unwrap().skip = true;
        let skipped = runtime.block_on(run_case(&Parrot, &case)).unwrap();
        assert_eq!(skipped, Verdict::Skipped { reason });
    }
}
