//! A session on the deno-sandbox wall.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, DepsReport, ExecutionResult, Executor, ExecutorError, HostPort, Limits, NoHost,
    Progress, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_guest::{Control, Measured, Packages, Run};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard};

use crate::engine::DenoEngine;
use crate::files::SharedFiles;
use crate::seat::{Job, Left, Seat};

const BACKEND: &str = "deno-sandbox";

/// One session: Pyodide in an isolate of its own.
pub struct DenoSandbox {
    engine: DenoEngine,
    config: SandboxConfig,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Control>>>,
    /// None where nobody brings packages.
    packages: Option<Packages>,
    closed: AtomicBool,
}

/// What a session keeps from run to run.
struct Session {
    port: Arc<dyn HostPort>,
    /// None before the start, and after an interpreter was lost.
    live: Option<Live>,
    /// The last interpreter that was lost.
    left: Option<Left>,
}

/// What there is as long as an interpreter lives.
struct Live {
    seat: Seat,
    files: SharedFiles,
}

impl DenoSandbox {
    /// What it promises where somebody brings packages.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::NetworkIsolation,
        Capability::FilesystemIsolation,
        Capability::MemoryLimit,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// A session that has not started. It has no host until [`Executor::start`].
    pub fn new(engine: DenoEngine, config: impl Into<SandboxConfig>) -> Self {
        let mut config = config.into();
        let packages = config.packages.clone().map(Packages::new);
        config.mounts.extend(packages.as_ref().map(Packages::mount));
        let session = Session { port: Arc::new(NoHost), live: None, left: None };
        Self {
            engine,
            config,
            session: AsyncMutex::new(session),
            running: Mutex::new(None),
            packages,
            closed: AtomicBool::new(false),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The session, unless it is closed.
    async fn open(&self) -> Result<AsyncGuard<'_, Session>, ExecutorError> {
        let session = self.session.lock().await;
        if self.is_closed() { Err(ExecutorError::Closed) } else { Ok(session) }
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Control>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fresh(&self) -> Result<Live, ExecutorError> {
        let asked = self.config.limits.memory_bytes;
        let least = self.engine.smallest_memory().await.map_err(startup)?;
        if asked < least {
            let reason = format!(
                "a memory limit of {} is too low: Python needs {} MB to start; raise it with \
                 --memory or Limits::memory_bytes",
                self.config.limits.describe(pcm_runtime_api::LimitName::Memory),
                least.div_ceil(1_000_000)
            );
            return Err(ExecutorError::Startup { backend: BACKEND, reason });
        }
        let files = SharedFiles::new(&self.config).map_err(startup)?;
        Ok(Live { seat: self.engine.seat(asked).await.map_err(startup)?, files })
    }

    /// The files of the session, whose interpreter is made if it is missing.
    async fn files<'a>(&self, session: &'a mut Session) -> Result<&'a SharedFiles, ExecutorError> {
        let live = match session.live.take() {
            Some(live) => live,
            None => self.fresh().await?,
        };
        Ok(&session.live.insert(live).files)
    }

    /// Runs under `limits`, on the session's interpreter, which is taken out of it: a run whose
    /// future is dropped loses it.
    async fn run_in(
        &self,
        session: &mut Session,
        limits: Limits,
        request: RunRequest,
    ) -> Result<ExecutionResult, ExecutorError> {
        if limits.fuel.is_some() {
            return Err(ExecutorError::unsupported(BACKEND, Capability::Fuel));
        }
        let Live { seat, files } = match session.live.take() {
            Some(live) => live,
            None => self.fresh().await?,
        };
        if self.is_closed() {
            return Err(ExecutorError::Closed); // while an interpreter was made
        }
        let before = files.snapshot();
        let control = Arc::new(Control::new(&limits));
        let run = Arc::new(Run::new(limits, Arc::clone(&session.port), request.events));
        *self.running() = Some(Arc::clone(&control));
        let (ended, seat) = seat
            .run(Job {
                run: Arc::clone(&run),
                control: Arc::clone(&control),
                source: request.code,
                repr: request.repr,
                files: files.clone(),
            })
            .await;
        *self.running() = None;
        let measured =
            Measured { cpu: control.cpu(), memory_bytes: ended.memory_bytes, fuel: None };
        let mut result = run.finish(BACKEND, ended.ending, measured);
        match seat {
            Ok(seat) if result.session == SessionState::Kept => {
                result.files = files.changes_since(&before);
                session.live = Some(Live { seat, files });
            }
            Ok(seat) => session.left = Some(seat.leave()),
            Err(left) => {
                session.left = Some(left);
                result.session = SessionState::Reset;
            }
        }
        Ok(result)
    }
}

#[async_trait]
impl Executor for DenoSandbox {
    fn backend(&self) -> &'static str {
        BACKEND
    }

    fn capabilities(&self) -> &'static [Capability] {
        match self.packages {
            Some(_) => Self::CAPABILITIES,
            None => Capability::without_packages(Self::CAPABILITIES),
        }
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        self.config.needs_no_states(BACKEND)?;
        let mut session = self.open().await?;
        session.port = port;
        if session.live.is_none() {
            session.live = Some(self.fresh().await?);
        }
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let ran = async {
            self.config.needs_no_states(BACKEND)?;
            let mut session = self.open().await?;
            let limits = request.limits_over(&self.config.limits);
            self.run_in(&mut session, limits, request).await
        };
        ran.await.unwrap_or_else(|error| ExecutionResult::refused(BACKEND, &error))
    }

    fn interrupt(&self) {
        if let Some(control) = &*self.running() {
            control.cancel();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        session.left = session.live.take().map(|live| live.seat.leave());
        session.live = Some(self.fresh().await?);
        Ok(())
    }

    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => Ok(packages.install(specs, progress).await),
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsInstall)),
        }
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => Ok(packages.uninstall(names).await),
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsUninstall)),
        }
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        let files = self.files(&mut session).await?;
        Ok(files.put(path, &content)?)
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let mut session = self.open().await?;
        let files = self.files(&mut session).await?;
        Ok(files.get(path, longest)?)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        let mut session = self.session.lock().await;
        let seat = session.live.take().map(|live| live.seat.leave());
        for left in [session.left.take(), seat].into_iter().flatten() {
            left.gone().await;
        }
    }
}

impl fmt::Debug for DenoSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DenoSandbox").field("config", &self.config).finish_non_exhaustive()
    }
}

fn startup(error: impl fmt::Display) -> ExecutorError {
    ExecutorError::Startup { backend: BACKEND, reason: error.to_string() }
}
