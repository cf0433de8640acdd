//! A wall without an interpreter: it does what the lines of the code say.
//!
//! `echo TEXT` gives the text as value, `print TEXT` writes it, `set NAME VALUE` and `get NAME` are the
//! state, `flood COUNT` writes as many thousand letters, `sleep` waits until it is stopped, `stuck` does so whatever anybody says, `crash` ends the
//! sandbox, `nan` and `opaque` give values that JSON has no word for, `call FRAME` asks the host.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, DepsReport, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError,
    FailedDep, HostCall, HostPort, LimitName, Limits, Namespace, OutputStream, Payload, Progress,
    RunEvent, RunRequest, SessionState, ValueType, package_name,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What all puppets of one server tell the test.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) started: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    /// Runs that go on.
    pub(crate) running: AtomicUsize,
    /// Runs that were dropped before their end.
    pub(crate) dropped: AtomicUsize,
    pub(crate) interrupted: AtomicUsize,
    /// Whether sandboxes refuse to start.
    pub(crate) broken: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Puppet {
    stage: Arc<Stage>,
    port: Mutex<Option<Arc<dyn HostPort>>>,
    state: Mutex<BTreeMap<String, String>>,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    installed: Mutex<Vec<String>>,
    stop: Notify,
    closed: AtomicBool,
}

impl Puppet {
    pub(crate) fn new(stage: &Arc<Stage>) -> Self {
        Self {
            stage: Arc::clone(stage),
            port: Mutex::default(),
            state: Mutex::default(),
            files: Mutex::default(),
            installed: Mutex::default(),
            stop: Notify::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Does one line; None is the end of the sandbox's patience.
    async fn line(&self, line: &str, request: &RunRequest, result: &mut ExecutionResult) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "echo" => result.value = rest.into(),
            "print" => {
                let text = format!("{rest}\n");
                result.stdout.push_str(&text);
                if let Some(hears) = &request.events {
                    hears(RunEvent::Output { stream: OutputStream::Stdout, text });
                }
                // Others have a turn.
                tokio::task::yield_now().await;
            }
            "flood" => {
                for _ in 0..rest.parse().unwrap() {
                    let text = "x".repeat(1000);
                    result.stdout.push_str(&text);
                    if let Some(hears) = &request.events {
                        hears(RunEvent::Output { stream: OutputStream::Stdout, text });
                    }
                }
            }
            "set" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                lock(&self.state).insert(name.to_owned(), value.to_owned());
            }
            "get" => result.value = lock(&self.state).get(rest).cloned().into(),
            "sleep" => self.sleep(request, result).await,
            "stuck" => std::future::pending().await,
            "crash" => {
                let error = ExecutionError::new(ErrorKind::Crashed, "the interpreter has ended");
                lock(&self.state).clear();
                (result.error, result.session) = (Some(error), SessionState::Reset);
            }
            "nan" => {
                result.value = json!({"a": "NaN"});
                result.value_types.insert("/a".to_owned(), ValueType::Float);
            }
            "opaque" => result.value_repr = Some("<object>".to_owned()),
            "call" => result.value = self.call(rest).await,
            _ => {
                result.error = Some(ExecutionError {
                    traceback: "Traceback: unknown word".to_owned(),
                    ..ExecutionError::new(ErrorKind::Exception, "unknown word")
                });
            }
        }
    }

    async fn sleep(&self, request: &RunRequest, result: &mut ExecutionResult) {
        let timeout = request.timeout.unwrap_or(Duration::MAX);
        tokio::select! {
            () = self.stop.notified() => {
                result.error = Some(ExecutionError::new(ErrorKind::Cancelled, "interrupted"));
            }
            () = tokio::time::sleep(timeout) => {
                let limits = Limits { timeout: request.timeout, ..Limits::default() };
                let kind = ErrorKind::Timeout;
                result.error = Some(ExecutionError::limit(kind, LimitName::Timeout, &limits));
            }
        }
    }

    async fn call(&self, frame: &str) -> Value {
        let port = lock(&self.port).clone();
        let Some(port) = port else { return Value::Null };
        let frame: Value = serde_json::from_str(frame).unwrap();
        let namespace: Namespace = serde_json::from_value(frame["namespace"].clone()).unwrap();
        let op = frame["op"].as_str().unwrap().to_owned();
        let call = HostCall { namespace, op, args: Payload::from(frame["args"].clone()) };
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
        &[Capability::DepsInstall, Capability::DepsUninstall, Capability::Files]
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        if self.stage.broken.load(Ordering::SeqCst) {
            let reason = "/opt/secret/engine is missing".to_owned();
            return Err(ExecutorError::Startup { backend: "puppet", reason });
        }
        self.stage.started.fetch_add(1, Ordering::SeqCst);
        *lock(&self.port) = Some(port);
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        struct Running<'a>(&'a Stage, bool);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                self.0.running.fetch_sub(1, Ordering::SeqCst);
                self.0.dropped.fetch_add(usize::from(!self.1), Ordering::SeqCst);
            }
        }
        self.stage.running.fetch_add(1, Ordering::SeqCst);
        let mut running = Running(&self.stage, false);
        let mut result = ExecutionResult::new("puppet");
        if self.closed.load(Ordering::SeqCst) {
            let error = ExecutionError::new(ErrorKind::Closed, "Session is closed");
            result = ExecutionResult::failed("puppet", error, SessionState::Lost);
        } else {
            let code = String::from_utf8_lossy(&request.code).into_owned();
            for line in code.lines().filter(|line| !line.trim().is_empty()) {
                self.line(line, &request, &mut result).await;
            }
        }
        running.1 = true;
        result
    }

    fn interrupt(&self) {
        self.stage.interrupted.fetch_add(1, Ordering::SeqCst);
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
        let mut report = DepsReport::default();
        for spec in specs {
            let name = package_name(spec);
            if spec.contains("missing") {
                let reason = format!("{spec} is nowhere");
                report.failed.push(FailedDep { spec: spec.clone(), reason });
            } else if lock(&self.installed).contains(&name) {
                report.unchanged.push(spec.clone());
            } else {
                lock(&self.installed).push(name);
                report.changed.push(spec.clone());
            }
        }
        Ok(report)
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        let mut report = DepsReport::default();
        for name in names {
            let mut installed = lock(&self.installed);
            let is_there = installed.contains(name);
            installed.retain(|other| other != name);
            if is_there { &mut report.changed } else { &mut report.unchanged }.push(name.clone());
        }
        Ok(report)
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        lock(&self.files).insert(path.to_owned(), content);
        Ok(())
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let found = lock(&self.files).get(path).cloned();
        found.filter(|content| content.len() as u64 <= longest).ok_or_else(|| ExecutorError::File {
            path: path.to_owned(),
            reason: "there is no such file".to_owned(),
        })
    }

    async fn close(&self) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            self.stage.closed.fetch_add(1, Ordering::SeqCst);
        }
        self.stop.notify_waiters();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
