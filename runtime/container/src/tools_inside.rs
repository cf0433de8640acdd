//! A session whose tools run in its container.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError, HostPort,
    Limits, NoHost, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_guest::Stop;
use pcm_runtime_remote::RemoteSandbox;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::sandbox::BACKEND;
use crate::served::{self, Served};
use crate::{ContainerEngine, ContainerError, ServingSettings};

/// One session on a session server in a container of its own, which has the tools and reaches the storage.
///
/// Its calls are answered in the container; the port that it is started with is never called. A container
/// that ends takes its session with it: the next run has another one.
#[derive(Debug)]
pub struct ToolsInside {
    engine: ContainerEngine,
    serving: ServingSettings,
    config: SandboxConfig,
    /// None before the first use, and after the container has ended.
    session: AsyncMutex<Option<Session>>,
    /// The same session, for `interrupt`.
    reached: Mutex<Option<Arc<RemoteSandbox>>>,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Session {
    container: Served,
    server: Arc<RemoteSandbox>,
}

impl ToolsInside {
    /// What it promises.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::ProcessIsolation,
        Capability::FilesystemIsolation,
        Capability::MemoryLimit,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
    ];

    /// A session that has not started.
    pub fn new(
        engine: ContainerEngine,
        serving: ServingSettings,
        config: impl Into<SandboxConfig>,
    ) -> Result<Self, ExecutorError> {
        let config = config.into();
        config.needs_no_states(BACKEND)?;
        serving.check(engine.settings()).map_err(|error| startup(&error))?;
        Ok(Self {
            engine,
            serving,
            config,
            session: AsyncMutex::default(),
            reached: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    async fn held(&self) -> Result<MutexGuard<'_, Option<Session>>, ExecutorError> {
        let held = self.session.lock().await;
        if self.closed.load(Ordering::Acquire) { Err(ExecutorError::Closed) } else { Ok(held) }
    }

    fn reach(&self, server: Option<&Arc<RemoteSandbox>>) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = server.cloned();
    }

    /// The session, in another container where there is none.
    async fn begun<'a>(&self, held: &'a mut Option<Session>) -> Result<&'a Session, ExecutorError> {
        let session = match held.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        self.reach(Some(&session.server));
        Ok(held.insert(session))
    }

    async fn begin(&self) -> Result<Session, ExecutorError> {
        let started = served::start(&self.engine, &self.serving, &self.config).await;
        let container = started.map_err(|error| startup(&error))?;
        // The container has the folders.
        let server = RemoteSandbox::new(&container.server, self.config.limits.clone())?;
        server.start(Arc::new(NoHost)).await?;
        Ok(Session { container, server: Arc::new(server) })
    }

    /// Gives up a session whose container has ended, and tells how.
    async fn lost(&self, held: &mut Option<Session>, limits: &Limits) -> Option<ExecutionError> {
        if held.as_ref().is_none_or(|session| session.container.lives()) {
            return None;
        }
        let session = held.take()?;
        self.reach(None);
        let end = session.container.end().await;
        session.container.gone().await;
        Some(if end.out_of_memory {
            Stop::Memory.error(limits)
        } else {
            ExecutionError::new(ErrorKind::Crashed, format!("the container ended: {}", end.how))
        })
    }
}

fn startup(error: &ContainerError) -> ExecutorError {
    ExecutorError::Startup { backend: BACKEND, reason: error.to_string() }
}

#[async_trait]
impl Executor for ToolsInside {
    fn backend(&self) -> &'static str {
        BACKEND
    }

    fn capabilities(&self) -> &'static [Capability] {
        Self::CAPABILITIES
    }

    async fn start(&self, _port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        self.begun(&mut held).await.map(drop)
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let mut held = match self.held().await {
            Ok(held) => held,
            Err(error) => return ExecutionResult::refused(BACKEND, &error),
        };
        let limits = request.limits_over(&self.config.limits);
        let result = match self.begun(&mut held).await {
            Ok(session) => session.server.run(request).await,
            Err(error) => {
                let state = SessionState::Reset;
                let error = ExecutionError::new(ErrorKind::Startup, error.to_string());
                return ExecutionResult::failed(BACKEND, error, state);
            }
        };
        let is_broken =
            |error: &ExecutionError| matches!(error.kind, ErrorKind::Crashed | ErrorKind::Startup);
        if !result.error.as_ref().is_some_and(is_broken) {
            return result;
        }
        match self.lost(&mut held, &limits).await {
            Some(error) => {
                ExecutionResult { error: Some(error), session: SessionState::Reset, ..result }
            }
            None => result,
        }
    }

    fn interrupt(&self) {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*reached {
            server.interrupt();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        self.lost(&mut held, &self.config.limits).await;
        match &*held {
            Some(session) => session.server.reset().await,
            None => self.begun(&mut held).await.map(drop),
        }
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let mut held = self.held().await?;
        self.begun(&mut held).await?.server.put_file(path, content).await
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let mut held = self.held().await?;
        self.begun(&mut held).await?.server.get_file(path, longest).await
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        let session = self.session.lock().await.take();
        self.reach(None);
        // With the container goes all that is in it.
        if let Some(session) = session {
            session.container.gone().await;
        }
    }
}
