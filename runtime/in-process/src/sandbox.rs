//! A session in the installed Python.

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
use tokio::task::spawn_blocking;

use crate::engine::InProcessEngine;
use crate::error::InProcessError;
use crate::folder::{PackagesLink, WorkFolder};
use crate::seat::{Job, Left, Place, Seat};

const BACKEND: &str = "in-process";

/// One session: a thread with variables of its own in the Python of this process.
pub struct InProcessSandbox {
    engine: InProcessEngine,
    config: SandboxConfig,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Control>>>,
    /// None where nobody brings packages.
    packages: Option<SessionPackages>,
    closed: AtomicBool,
}

/// What a session keeps from run to run.
struct Session {
    port: Arc<dyn HostPort>,
    /// None before the start, and after a thread was given up.
    live: Option<Live>,
    /// The last thread that was given up.
    left: Option<Left>,
}

/// What there is as long as a thread serves.
struct Live {
    seat: Seat,
    folder: Arc<WorkFolder>,
}

/// The packages of a session, and where its imports find them.
struct SessionPackages {
    packages: Packages,
    /// Made when the session starts.
    link: Mutex<Option<Arc<PackagesLink>>>,
    /// Whether they have changed since the last run began.
    changed: AtomicBool,
}

impl InProcessSandbox {
    /// What it promises where somebody brings packages.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// A session that has not started. It has no host until [`Executor::start`].
    pub fn new(engine: InProcessEngine, config: impl Into<SandboxConfig>) -> Self {
        let config = config.into();
        let packages = config.packages.clone().map(|source| SessionPackages {
            packages: Packages::new(source),
            link: Mutex::default(),
            changed: AtomicBool::new(false),
        });
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
        let folder = Arc::new(WorkFolder::make().map_err(no_folder)?);
        let packages = match &self.packages {
            Some(packages) => Some(packages.link().map_err(no_folder)?.path()),
            None => None,
        };
        let place = Place { work: folder.path().to_owned(), packages };
        Ok(Live { seat: self.engine.seat(place).await.map_err(startup)?, folder })
    }

    /// The working folder of the session, whose thread is made if it is missing.
    async fn folder(&self) -> Result<Arc<WorkFolder>, ExecutorError> {
        let mut session = self.open().await?;
        let live = match session.live.take() {
            Some(live) => live,
            None => self.fresh().await?,
        };
        Ok(Arc::clone(&session.live.insert(live).folder))
    }

    /// Refuses what the session was asked to be and cannot be.
    fn check(&self) -> Result<(), ExecutorError> {
        self.config.needs_no_states(BACKEND)?;
        if self.config.mounts.is_empty() {
            return Ok(());
        }
        Err(startup("it cannot mount folders, of which its code reaches all; --backend wasm can"))
    }

    /// Runs under `limits`, on the session's thread, which is taken out of it: a run whose future is
    /// dropped loses it.
    async fn run_in(
        &self,
        session: &mut Session,
        limits: Limits,
        request: RunRequest,
    ) -> Result<ExecutionResult, ExecutorError> {
        if limits.fuel.is_some() {
            return Err(ExecutorError::unsupported(BACKEND, Capability::Fuel));
        }
        let Live { seat, folder } = match session.live.take() {
            Some(live) => live,
            None => self.fresh().await?,
        };
        if self.is_closed() {
            return Err(ExecutorError::Closed); // while a thread was made
        }
        let control = Arc::new(Control::watched(&limits, seat.clock()));
        let run = Arc::new(Run::new(limits, Arc::clone(&session.port), request.events));
        *self.running() = Some(Arc::clone(&control));
        let changed = |packages: &SessionPackages| packages.changed.swap(false, Ordering::AcqRel);
        let (ending, seat) = seat
            .run(Job {
                run: Arc::clone(&run),
                control: Arc::clone(&control),
                source: request.code,
                repr: request.repr,
                packages_changed: self.packages.as_ref().is_some_and(changed),
            })
            .await;
        *self.running() = None;
        let measured = Measured { cpu: control.cpu(), ..Measured::default() };
        let mut result = run.finish(BACKEND, ending, measured);
        match seat {
            Ok(seat) if result.session == SessionState::Kept => {
                session.live = Some(Live { seat, folder });
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

impl SessionPackages {
    fn link(&self) -> std::io::Result<Arc<PackagesLink>> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &*link {
            return Ok(Arc::clone(link));
        }
        Ok(Arc::clone(link.insert(Arc::new(PackagesLink::make()?))))
    }

    /// Shows the packages as they are now.
    fn show(&self) -> Result<(), ExecutorError> {
        if let Some(folder) = self.packages.mount().host.folder() {
            self.link().and_then(|link| link.replace(&folder)).map_err(no_folder)?;
            self.changed.store(true, Ordering::Release);
        }
        Ok(())
    }
}

#[async_trait]
impl Executor for InProcessSandbox {
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
        self.check()?;
        let mut session = self.open().await?;
        session.port = port;
        if session.live.is_none() {
            session.live = Some(self.fresh().await?);
        }
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let ran = async {
            self.check()?;
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
            Some(packages) => {
                let report = packages.packages.install(specs, progress).await;
                packages.show()?;
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsInstall)),
        }
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => {
                let report = packages.packages.uninstall(names).await;
                packages.show()?;
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsUninstall)),
        }
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let (folder, named) = (self.folder().await?, path.to_owned());
        let put = spawn_blocking(move || folder.put(&named, &content)).await;
        put.unwrap_or_else(|_| Err(ended(path)))
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let (folder, named) = (self.folder().await?, path.to_owned());
        let got = spawn_blocking(move || folder.get(&named, longest)).await;
        got.unwrap_or_else(|_| Err(ended(path)))
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

impl fmt::Debug for InProcessSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InProcessSandbox")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn startup(error: impl fmt::Display) -> ExecutorError {
    ExecutorError::Startup { backend: BACKEND, reason: error.to_string() }
}

fn no_folder(error: std::io::Error) -> ExecutorError {
    startup(InProcessError::Folder(error))
}

/// The runtime ends.
fn ended(path: &str) -> ExecutorError {
    ExecutorError::File { path: path.to_owned(), reason: "the host is ending".to_owned() }
}
