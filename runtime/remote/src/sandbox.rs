//! A session on a server.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, DepsReport, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError,
    FailedDep, HostPort, Limits, Progress, RunEvent, RunRequest, SandboxConfig, SessionState,
};
use reqwest::{Method, Response, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard, Notify};
use tokio::time::timeout;

use crate::RemoteConfig;
use crate::answer::Answered;
use crate::client::{Ask, Client, Failure, body};
use crate::events::Events;

/// The key of the backend that a server stands for.
pub(crate) const BACKEND: &str = "container";
/// How much longer than its timeout a run is waited for: the server's own grace, and the way there.
const GRACE: Duration = Duration::from_secs(15);
/// How long packages may take.
const INSTALLS: Duration = Duration::from_mins(5);
const UNINSTALLS: Duration = Duration::from_mins(2);
/// How long the end of a session may take that nobody needs any more.
const ENDS: Duration = Duration::from_secs(5);
/// What JSON makes of a byte at most.
const ESCAPED: u64 = 6;

/// What is done with a session.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// One session on a session server.
///
/// Its calls are answered by the server, which has the tools and the storage; the port that it is started
/// with is never called. Of the limits only the timeout is told to the server, which has its own. A session
/// that the server has lost is replaced by a new one in the same workspace, when it is used next.
pub struct RemoteSandbox {
    client: Client,
    limits: Limits,
    /// The session's id; None before the first use, and after it was lost.
    session: AsyncMutex<Option<String>>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Notify>>>,
    closed: AtomicBool,
}

impl RemoteSandbox {
    /// What it promises. What its wall is made of is the server's to say.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::ProcessIsolation,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// A session that has not started.
    pub fn new(
        config: &RemoteConfig,
        sandbox: impl Into<SandboxConfig>,
    ) -> Result<Self, ExecutorError> {
        let sandbox = sandbox.into();
        sandbox.needs_no_states(BACKEND)?;
        let startup = |reason| ExecutorError::Startup { backend: BACKEND, reason };
        if !sandbox.mounts.is_empty() {
            let reason = "a session server shows no folders of this machine; put files instead";
            return Err(startup(reason.to_owned()));
        }
        Ok(Self {
            client: Client::new(config).map_err(startup)?,
            limits: sandbox.limits,
            session: AsyncMutex::default(),
            running: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn held(&self) -> Result<AsyncGuard<'_, Option<String>>, ExecutorError> {
        let held = self.session.lock().await;
        if self.is_closed() { Err(ExecutorError::Closed) } else { Ok(held) }
    }

    /// Does something with the session, which is made if there is none; with another one, if the server
    /// has lost it.
    async fn with_session<'a, T>(
        &self,
        held: &mut Option<String>,
        work: impl Fn(String) -> Work<'a, T> + Send,
    ) -> Result<T, Failure> {
        if let Some(id) = &*held {
            match work(id.clone()).await {
                Err(Failure::NoSession) => {
                    tracing::info!("the session server has lost the session; there is another one");
                    *held = None;
                }
                done => return done,
            }
        }
        let id = held.insert(self.client.open().await?).clone();
        work(id).await
    }

    /// The longest answer of a run with these limits.
    fn most(limits: &Limits) -> u64 {
        let text = limits.output_bytes.saturating_add(limits.host_call_bytes.saturating_mul(2));
        text.saturating_mul(ESCAPED).saturating_add(1 << 20)
    }

    /// Runs code in the session of this id.
    async fn run_in(
        &self,
        id: &str,
        request: &RunRequest,
        limits: &Limits,
    ) -> Result<Answered, Failure> {
        let code = String::from_utf8_lossy(&request.code);
        let mut asked = json!({"code": code});
        if let (Some(timeout), Some(fields)) = (limits.timeout, asked.as_object_mut()) {
            fields.insert("timeout".to_owned(), timeout.as_secs_f64().into());
        }
        if let (true, Some(fields)) = (request.repr, asked.as_object_mut()) {
            fields.insert("repr".to_owned(), true.into());
        }
        let ask = Ask::post("execute").of(id).json(&asked).streams(request.events.is_some());
        let response = self.client.begin(ask).await?;
        let most = Self::most(limits);
        if is_stream(&response) {
            return heard(Events::new(response, most), request).await;
        }
        let answer = body(response, most).await?;
        serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable)
    }

    /// The same, while it can be interrupted and does not take for ever.
    async fn run_bounded(
        &self,
        id: &str,
        request: &RunRequest,
        limits: &Limits,
        interrupted: &Notify,
    ) -> Result<Answered, Failure> {
        let run = async {
            let mut run = std::pin::pin!(self.run_in(id, request, limits));
            loop {
                tokio::select! {
                    answered = &mut run => return answered,
                    () = interrupted.notified() => {
                        let path = format!("sessions/{id}/interrupt");
                        // A server of old has no such thing; the timeout holds all the same.
                        drop(self.client.ask(Ask::post(&path), Some(ENDS)).await);
                    }
                }
            }
        };
        match limits.timeout.and_then(|longest| longest.checked_add(GRACE)) {
            Some(longest) => match timeout(longest, run).await {
                Ok(answered) => answered,
                Err(_) => Err(Failure::Connection("the run did not end in time".to_owned())),
            },
            None => run.await,
        }
    }

    async fn run_held(&self, held: &mut Option<String>, request: &RunRequest) -> ExecutionResult {
        let limits = &request.limits_over(&self.limits);
        let interrupted = &Arc::new(Notify::new());
        let _going = Going::begin(self, interrupted);
        let ran = self
            .with_session(held, |id| {
                Box::pin(async move { self.run_bounded(&id, request, limits, interrupted).await })
            })
            .await;
        let failure = match ran {
            Ok(answered) => {
                let result = answered.into_result(BACKEND);
                if result.session == SessionState::Lost {
                    *held = None;
                    return ExecutionResult { session: SessionState::Reset, ..result };
                }
                return result;
            }
            Err(failure) => failure,
        };
        let (kind, state) = match &failure {
            _ if held.is_none() => (ErrorKind::Startup, SessionState::Reset),
            // Nothing of it was done.
            Failure::Refused { status: 400..=499 | 503, .. } => {
                (ErrorKind::Startup, SessionState::Kept)
            }
            Failure::TooLong(_) => (ErrorKind::Output, SessionState::Kept),
            _ => {
                // What became of it nobody knows: the next run has another one.
                *held = None;
                (ErrorKind::Crashed, SessionState::Reset)
            }
        };
        ExecutionResult::failed(BACKEND, ExecutionError::new(kind, failure.reason()), state)
    }

    /// Has packages installed or removed, by the names of the request's and the answer's fields.
    async fn change_packages(
        &self,
        path: &str,
        packages: &[String],
        time: Duration,
    ) -> Result<Changed, ExecutorError> {
        let mut held = self.held().await?;
        let answer = self
            .with_session(&mut held, |id| {
                Box::pin(async move {
                    let ask = Ask::post(path).of(&id).json(&json!({"packages": packages}));
                    self.client.ask(ask, Some(time)).await
                })
            })
            .await
            .and_then(|answer| serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable));
        answer.map_err(|failure| ended(&failure))
    }

    /// Ends a session on the server, as far as that can be done.
    async fn end(&self, id: &str) {
        if let Err(failure) = self.client.ask(Ask::post("reset").of(id), Some(ENDS)).await {
            tracing::debug!(?failure, "a session on a server ends when it expires");
        }
    }
}

/// The events of a run, to their end, which is its result.
async fn heard(mut events: Events, request: &RunRequest) -> Result<Answered, Failure> {
    #[derive(Deserialize)]
    struct Refused {
        detail: String,
        status: u16,
    }
    while let Some(event) = events.next().await? {
        match &*event.kind {
            "event" => {
                // One of a later version is left out.
                let happened = serde_json::from_str::<RunEvent>(&event.data);
                if let (Ok(happened), Some(hears)) = (happened, &request.events) {
                    hears(happened);
                }
            }
            "result" => {
                return serde_json::from_str(&event.data).map_err(|_| Failure::Unreadable);
            }
            "refused" => {
                let refused = serde_json::from_str::<Refused>(&event.data);
                let Refused { detail, status } = refused.map_err(|_| Failure::Unreadable)?;
                return Err(Failure::Refused { status, detail });
            }
            _ => {}
        }
    }
    Err(Failure::Connection("the connection was lost".to_owned()))
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn ended(failure: &Failure) -> ExecutorError {
    ExecutorError::Ended { backend: BACKEND, reason: failure.reason() }
}

/// What became of packages.
#[derive(Debug, Deserialize)]
struct Changed {
    #[serde(default)]
    installed: Vec<String>,
    #[serde(default)]
    already_present: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    not_found: Vec<String>,
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default)]
    reasons: serde_json::Map<String, Value>,
}

impl Changed {
    /// An answer is about one of the two, and has nothing of the other.
    fn report(self) -> DepsReport {
        let reason = |spec: &String| match self.reasons.get(spec) {
            Some(Value::String(reason)) => reason.clone(),
            _ => "the session server could not do it".to_owned(),
        };
        let failed = self.failed.iter();
        let failed = failed.map(|spec| FailedDep { spec: spec.clone(), reason: reason(spec) });
        DepsReport {
            failed: failed.collect(),
            changed: [self.installed, self.removed].concat(),
            unchanged: [self.already_present, self.not_found].concat(),
        }
    }
}

/// A run that goes on.
struct Going<'a>(&'a RemoteSandbox);

impl<'a> Going<'a> {
    fn begin(sandbox: &'a RemoteSandbox, interrupted: &Arc<Notify>) -> Self {
        *sandbox.running() = Some(Arc::clone(interrupted));
        Self(sandbox)
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        *self.0.running() = None;
    }
}

#[async_trait]
impl Executor for RemoteSandbox {
    fn backend(&self) -> &'static str {
        BACKEND
    }

    fn capabilities(&self) -> &'static [Capability] {
        Self::CAPABILITIES
    }

    async fn start(&self, _port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        if held.is_none() {
            let opened = self.client.open().await;
            *held = Some(opened.map_err(|failure| failure.startup(BACKEND))?);
        }
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        match self.held().await {
            Ok(mut held) => self.run_held(&mut held, &request).await,
            Err(error) => ExecutionResult::refused(BACKEND, &error),
        }
    }

    fn interrupt(&self) {
        if let Some(run) = &*self.running() {
            run.notify_one();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        if let Some(id) = held.take() {
            self.end(&id).await;
        }
        let opened = self.client.open().await;
        *held = Some(opened.map_err(|failure| failure.startup(BACKEND))?);
        Ok(())
    }

    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        progress("the session server installs the packages");
        Ok(self.change_packages("install_deps", specs, INSTALLS).await?.report())
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        Ok(self.change_packages("uninstall_deps", names, UNINSTALLS).await?.report())
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        let content = &content;
        let put = self.with_session(&mut held, |id| {
            Box::pin(async move {
                let file = file_path(&id, path);
                let ask = Ask::new(Method::PUT, &file).bytes(content.clone());
                self.client.ask(ask, None).await
            })
        });
        put.await.map(drop).map_err(|failure| of_file(path, &failure))
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let mut held = self.held().await?;
        let got = self.with_session(&mut held, |id| {
            Box::pin(async move {
                let file = file_path(&id, path);
                self.client.fetch(Ask::new(Method::GET, &file), longest).await
            })
        });
        got.await.map_err(|failure| of_file(path, &failure))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        let id = self.session.lock().await.take();
        if let Some(id) = id {
            self.end(&id).await;
        }
    }
}

fn file_path(id: &str, path: &str) -> String {
    format!("sessions/{id}/files/{}", path.trim_start_matches('/'))
}

fn of_file(path: &str, failure: &Failure) -> ExecutorError {
    let reason = match failure {
        Failure::Refused { status: 400 | 404, detail } => {
            // It names the file, too.
            let named = detail.split_once(": ").filter(|(name, _)| name.ends_with(path));
            named.map_or(detail.clone(), |(_, reason)| reason.to_owned())
        }
        Failure::TooLong(most) => format!("it has more than {most} bytes"),
        other => return ended(other),
    };
    ExecutorError::File { path: path.to_owned(), reason }
}

impl fmt::Debug for RemoteSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteSandbox")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
