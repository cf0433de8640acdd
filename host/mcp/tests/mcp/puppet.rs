//! A wall without an interpreter: it does what the lines of the code say.
//!
//! `echo JSON` gives a value, `print TEXT` and `warn TEXT` write, `step TEXT` writes and takes its time, `set NAME VALUE` and `get NAME` are the
//! state, `sleep` waits until it is stopped, `picture` and `sound` show one, `raise` fails, `crash` ends the sandbox,
//! `call JSON` asks the host and gives the answer, `together JSON` asks as many things at once as the list
//! has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, DepsReport, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError,
    HostCall, HostPort, Namespace, OutputStream, Payload, Progress, RunEvent, RunRequest,
    SessionState,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What all puppets of one server tell the test.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) started: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    /// Runs that wait.
    pub(crate) sleeping: AtomicUsize,
    /// Runs that were dropped before their end.
    pub(crate) dropped: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Puppet {
    stage: Arc<Stage>,
    port: Mutex<Option<Arc<dyn HostPort>>>,
    state: Mutex<BTreeMap<String, String>>,
    stop: Notify,
}

/// Counts a run that is given up.
struct Run<'a>(&'a Stage, bool);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(usize::from(!self.1), Ordering::SeqCst);
    }
}

impl Puppet {
    pub(crate) fn new(stage: &Arc<Stage>) -> Self {
        let stage = Arc::clone(stage);
        Self { stage, port: Mutex::default(), state: Mutex::default(), stop: Notify::new() }
    }

    async fn line(&self, line: &str, request: &RunRequest, result: &mut ExecutionResult) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let tell = |event: RunEvent| {
            if let Some(hears) = &request.events {
                hears(event);
            }
        };
        match word {
            "echo" => {
                result.value = serde_json::from_str(rest).unwrap();
                result.value_repr = Some(rest.to_owned());
            }
            "print" | "warn" => {
                let (stream, kept) = match word {
                    "print" => (OutputStream::Stdout, &mut result.stdout),
                    _ => (OutputStream::Stderr, &mut result.stderr),
                };
                let text = format!("{rest}\n");
                kept.push_str(&text);
                tell(RunEvent::Output { stream, text });
                // Others have a turn.
                tokio::task::yield_now().await;
            }
            "step" => {
                tell(RunEvent::Output { stream: OutputStream::Stdout, text: format!("{rest}\n") });
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            "set" => {
                let (name, value) = rest.split_once(' ').unwrap();
                lock(&self.state).insert(name.to_owned(), value.to_owned());
            }
            "get" => result.value = lock(&self.state).get(rest).cloned().into(),
            "sleep" => {
                self.stage.sleeping.fetch_add(1, Ordering::SeqCst);
                self.stop.notified().await;
                result.error = Some(ExecutionError::new(ErrorKind::Cancelled, "interrupted"));
            }
            "picture" => {
                let bundle = [
                    ("image/png".to_owned(), json!("iVBORw0KGgo=")),
                    ("text/plain".to_owned(), json!("<Figure>")),
                ];
                result.display.push(bundle.into());
            }
            "sound" => {
                result.display.push([("audio/wav".to_owned(), json!("UklGRgAAAABXQVZF"))].into());
            }
            "raise" => {
                result.error = Some(ExecutionError {
                    traceback: "Traceback …\nValueError: no".to_owned(),
                    ..ExecutionError::new(ErrorKind::Exception, "no")
                });
            }
            "crash" => {
                lock(&self.state).clear();
                result.error = Some(ExecutionError::new(ErrorKind::Crashed, "it has ended"));
                result.session = SessionState::Reset;
            }
            "call" => {
                let call = serde_json::from_str(rest).unwrap();
                result.value = self.call(&call, &tell).await;
            }
            "together" => {
                let calls: Vec<Value> = serde_json::from_str(rest).unwrap();
                let answers = calls.iter().map(|call| self.call(call, &tell));
                result.value = futures_util::future::join_all(answers).await.into();
            }
            _ => panic!("a puppet does not know {word}"),
        }
    }

    async fn call(&self, call: &Value, tell: &(impl Fn(RunEvent) + Sync)) -> Value {
        let port = lock(&self.port).clone().unwrap();
        let namespace: Namespace = serde_json::from_value(call["namespace"].clone()).unwrap();
        let op = call["op"].as_str().unwrap().to_owned();
        tell(RunEvent::CallStarted { call: 1, namespace, op: op.clone() });
        let call = HostCall { namespace, op, args: Payload::from(call["args"].clone()) };
        match port.call(call).await {
            Ok(payload) => payload.value,
            Err(error) => error.to_string().into(),
        }
    }
}

#[async_trait]
impl Executor for Puppet {
    fn backend(&self) -> &'static str {
        "puppet"
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        self.stage.started.fetch_add(1, Ordering::SeqCst);
        *lock(&self.port) = Some(port);
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let mut run = Run(&self.stage, false);
        let mut result = ExecutionResult::new("puppet");
        let code = String::from_utf8(request.code.clone()).unwrap();
        for line in code.lines() {
            self.line(line, &request, &mut result).await;
        }
        run.1 = true;
        result
    }

    fn interrupt(&self) {
        self.stop.notify_waiters();
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        lock(&self.state).clear();
        Ok(())
    }

    async fn install_deps(
        &self,
        specs: &[String],
        _: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        Ok(DepsReport { changed: specs.to_vec(), ..DepsReport::default() })
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        Ok(DepsReport { changed: names.to_vec(), ..DepsReport::default() })
    }

    async fn close(&self) {
        self.stage.closed.fetch_add(1, Ordering::SeqCst);
        self.stop.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
