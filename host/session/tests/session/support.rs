//! A wall that does what the code says, and the code is the calls themselves.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, DepsReport, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError,
    FailedDep, HostCall, HostError, HostPort, Namespace, Payload, Progress, RunRequest,
    SessionState, package_name,
};
use pcm_session::{Host, Session};
use pcm_tools::{Function, Functions, Parameter, ParameterType, Registry};
use serde_json::{Map, Value, json};

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// A wall without an interpreter. Code that wants something of its host is a JSON list of frames
/// `{"namespace", "op", "args", "types"}`; they are sent all at once, as gathered calls are, and the
/// value is the list of their replies.
#[derive(Debug, Default)]
pub(crate) struct Puppet {
    port: Mutex<Option<Arc<dyn HostPort>>>,
    installed: Mutex<BTreeSet<String>>,
    asked: Mutex<Vec<Vec<String>>>,
    closed: AtomicBool,
    /// Refuses to start.
    broken: bool,
}

impl Puppet {
    /// One that refuses to start.
    pub(crate) fn broken() -> Self {
        Self { broken: true, ..Self::default() }
    }

    /// The packages that are installed, by name.
    pub(crate) fn installed(&self) -> Vec<String> {
        lock(&self.installed).iter().cloned().collect()
    }

    /// The specs of each installation, in order.
    pub(crate) fn asked(&self) -> Vec<Vec<String>> {
        lock(&self.asked).clone()
    }
}

#[async_trait]
impl Executor for Puppet {
    fn backend(&self) -> &'static str {
        "puppet"
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::DepsInstall, Capability::DepsUninstall, Capability::Snapshot]
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        if self.broken {
            let reason = "it is broken".to_owned();
            return Err(ExecutorError::Startup { backend: "puppet", reason });
        }
        *lock(&self.port) = Some(port);
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let failed = |kind, message: &str| {
            let error = ExecutionError::new(kind, message);
            ExecutionResult::failed("puppet", error, SessionState::Lost)
        };
        let port = lock(&self.port).clone();
        let Some(port) = port.filter(|_| !self.closed.load(Ordering::SeqCst)) else {
            return failed(ErrorKind::Closed, "the session is closed");
        };
        let frames: Vec<Frame> = match serde_json::from_slice(&request.code) {
            Ok(frames) => frames,
            Err(error) => return failed(ErrorKind::Syntax, &error.to_string()),
        };
        let calls: Vec<_> = frames
            .into_iter()
            .map(|frame| {
                let port = Arc::clone(&port);
                tokio::spawn(async move { reply(port.call(frame.into()).await) })
            })
            .collect();
        let mut replies = Vec::new();
        for call in calls {
            match call.await {
                Ok(reply) => replies.push(reply),
                Err(error) => return failed(ErrorKind::Internal, &error.to_string()),
            }
        }
        ExecutionResult { value: replies.into(), ..ExecutionResult::new("puppet") }
    }

    fn interrupt(&self) {}

    async fn reset(&self) -> Result<(), ExecutorError> {
        if self.closed.load(Ordering::SeqCst) { Err(ExecutorError::Closed) } else { Ok(()) }
    }

    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(ExecutorError::Closed);
        }
        lock(&self.asked).push(specs.to_vec());
        let mut report = DepsReport::default();
        for spec in specs {
            progress(&format!("Installing {spec}"));
            if spec.contains("missing") {
                let reason = format!("{spec} is nowhere");
                report.failed.push(FailedDep { spec: spec.clone(), reason });
            } else if lock(&self.installed).insert(package_name(spec)) {
                report.changed.push(spec.clone());
            } else {
                report.unchanged.push(spec.clone());
            }
        }
        Ok(report)
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        let mut report = DepsReport::default();
        for name in names {
            let list = if lock(&self.installed).remove(name) {
                &mut report.changed
            } else {
                &mut report.unchanged
            };
            list.push(name.clone());
        }
        Ok(report)
    }

    async fn fork(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        let installed = Mutex::new(lock(&self.installed).clone());
        Ok(Arc::new(Self { installed, ..Self::default() }))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        lock(&self.port).take();
    }
}

#[derive(Debug, serde::Deserialize)]
struct Frame {
    namespace: Namespace,
    op: String,
    args: Payload,
}

impl From<Frame> for HostCall {
    fn from(frame: Frame) -> Self {
        Self { namespace: frame.namespace, op: frame.op, args: frame.args }
    }
}

fn frame(call: &HostCall) -> Value {
    json!({"namespace": call.namespace, "op": call.op, "args": call.args})
}

fn reply(answer: Result<Payload, HostError>) -> Value {
    match answer {
        Ok(payload) => json!({"ok": payload}),
        Err(error) => json!({"type": error.error_type, "message": error.message}),
    }
}

/// A session, and the wall that it is behind.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) puppet: Arc<Puppet>,
}

impl World {
    pub(crate) async fn start(host: Host) -> Result<Self, Box<dyn Error>> {
        let puppet = Arc::new(Puppet::default());
        let session = Session::start(Arc::<Puppet>::clone(&puppet), host).await?;
        Ok(Self { session, puppet })
    }

    /// What code in the sandbox gets for one call.
    pub(crate) async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let mut replies = self.gather(std::slice::from_ref(&call)).await;
        replies.pop().unwrap_or_else(|| Err(HostError::new("NoReply", "there is none")))
    }

    /// What code in the sandbox gets for calls that it makes at once.
    pub(crate) async fn gather(&self, calls: &[HostCall]) -> Vec<Result<Payload, HostError>> {
        gather(&self.session, calls).await
    }

    /// The same, where the arguments have no types beside them.
    pub(crate) async fn ask(
        &self,
        namespace: Namespace,
        op: &str,
        args: Value,
    ) -> Result<Value, HostError> {
        Ok(self.call(call(namespace, op, args)).await?.value)
    }

    /// `tools.NAME(**args)`.
    pub(crate) async fn tool(&self, name: &str, args: Value) -> Result<Value, HostError> {
        self.ask(Namespace::Tools, "call", json!({"name": name, "args": args})).await
    }
}

/// What code in the sandbox of a session gets for calls that it makes at once.
pub(crate) async fn gather(
    session: &Session,
    calls: &[HostCall],
) -> Vec<Result<Payload, HostError>> {
    let code = Value::from(calls.iter().map(frame).collect::<Vec<_>>()).to_string();
    let result = session.run(code).await;
    if let Some(error) = result.error {
        return vec![Err(HostError::new(format!("{:?}", error.kind), error.message))];
    }
    let Value::Array(replies) = result.value else { return Vec::new() };
    replies.into_iter().map(answer).collect()
}

fn answer(mut reply: Value) -> Result<Payload, HostError> {
    if let Some(payload) = reply.get_mut("ok").map(Value::take) {
        let unreadable = |error: serde_json::Error| HostError::new("NoPayload", error.to_string());
        return serde_json::from_value(payload).map_err(unreadable);
    }
    let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
    Err(HostError::new(text("type"), text("message")))
}

pub(crate) fn call(namespace: Namespace, op: &str, args: impl Into<Payload>) -> HostCall {
    HostCall { namespace, op: op.to_owned(), args: args.into() }
}

pub(crate) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The type of the error, or `ok`.
pub(crate) fn kind<T>(answer: &Result<T, HostError>) -> &str {
    answer.as_ref().map_or_else(|error| error.error_type.as_str(), |_| "ok")
}

/// Tools that say what they got: `echo.say(text)`, which is held to that, and `anything(…)`. What
/// each call got is in the list beside them.
pub(crate) fn tools() -> Result<(Registry, Heard), Box<dyn Error>> {
    let heard = Heard::default();
    let mut functions = Functions::new();
    let say = heard.listening(|args| args["text"].clone());
    functions.add(
        Function::new("echo.say", "Says it", say)
            .parameter(Parameter::new("text", ParameterType::Text).required()),
    )?;
    functions.add(Function::new("anything", "Takes it", heard.listening(|args| args)))?;
    let registry = Registry::new();
    registry.add(Arc::new(functions))?;
    Ok((registry, heard))
}

/// The arguments that tools got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<Value> {
        lock(&self.0).clone()
    }

    fn listening(
        &self,
        answer: fn(Value) -> Value,
    ) -> impl Fn(Value) -> std::future::Ready<Result<Value, HostError>> + Send + Sync + 'static
    {
        let heard = self.clone();
        move |args| {
            lock(&heard.0).push(args.clone());
            std::future::ready(Ok(answer(args)))
        }
    }
}

/// Lines that are written, for whoever wants to read them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn lines(&self) -> Result<Vec<Value>, serde_json::Error> {
        let bytes = lock(&self.0).clone();
        String::from_utf8_lossy(&bytes).lines().map(serde_json::from_str).collect()
    }

    /// The events of all lines.
    pub(crate) fn events(&self) -> Result<Vec<String>, serde_json::Error> {
        let event = |line: Value| line["event"].as_str().unwrap_or_default().to_owned();
        Ok(self.lines()?.into_iter().map(event).collect())
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
