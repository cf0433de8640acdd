//! A session in a kernel.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use pcm_runtime_api::{
    Capability, DepsReport, ExecutionResult, Executor, ExecutorError, HostPort, Limits, NoHost,
    Progress, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_guest::{Control, Packages, Run};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard};

use crate::SubprocessEngine;
use crate::kernel::{Connected, Ended, places};

const BACKEND: &str = "subprocess";
/// What paths of files may begin with, as on the walls where the working folder has that name.
const WORK: &str = "/work/";

/// One session: a kernel of its own.
pub struct SubprocessSandbox {
    engine: SubprocessEngine,
    config: SandboxConfig,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Control>>>,
    /// None where nobody brings packages.
    packages: Option<Packages>,
    /// The working folder of the kernel, while there is one.
    folder: Mutex<Option<PathBuf>>,
    closed: AtomicBool,
}

struct Session {
    port: Arc<dyn HostPort>,
    /// None before the start, and after a kernel was lost.
    kernel: Option<Connected>,
}

impl SubprocessSandbox {
    /// What it promises where somebody brings packages.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::ProcessIsolation,
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
    pub fn new(engine: SubprocessEngine, config: impl Into<SandboxConfig>) -> Self {
        let config = config.into();
        let packages = config.packages.clone().map(Packages::new);
        Self {
            engine,
            config,
            session: AsyncMutex::new(Session { port: Arc::new(NoHost), kernel: None }),
            running: Mutex::new(None),
            packages,
            folder: Mutex::default(),
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

    fn folder(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fresh(&self) -> Result<Connected, ExecutorError> {
        let Limits { memory_bytes, vfs_bytes, .. } = self.config.limits;
        let mut kernel = self.engine.kernel().await.map_err(startup)?;
        kernel.bound(memory_bytes, vfs_bytes).map_err(startup)?;
        *self.folder() = kernel.folder();
        self.show_packages();
        Ok(kernel)
    }

    /// The session's kernel, which is started if it is missing.
    async fn kernel<'a>(
        &self,
        session: &'a mut Session,
    ) -> Result<&'a mut Connected, ExecutorError> {
        let kernel = match session.kernel.take() {
            Some(kernel) => kernel,
            None => self.fresh().await?,
        };
        Ok(session.kernel.insert(kernel))
    }

    /// Has the kernel see the packages that there are now.
    fn show_packages(&self) {
        let folder = self.folder().clone();
        let (Some(folder), Some(packages)) = (folder, &self.packages) else { return };
        let Some(current) = packages.mount().host.folder() else { return };
        let (link, aside) = (folder.join(places::PACKAGES), folder.join("packages.new"));
        let _ = std::fs::remove_file(&aside); // what a kernel may have put there
        if let Err(error) = symlink(current, &aside).and_then(|()| std::fs::rename(&aside, &link)) {
            tracing::warn!(%error, "packages cannot be shown to a kernel");
        }
    }

    /// Refuses what the session was asked to be and cannot be.
    fn check(&self) -> Result<(), ExecutorError> {
        self.config.needs_no_states(BACKEND)?;
        if self.config.mounts.is_empty() {
            return Ok(());
        }
        Err(startup("it cannot mount folders: it sees those of the host; --backend wasm can"))
    }

    /// Runs on the session's kernel, which is taken out of it: a run whose future is dropped loses it.
    async fn run_in(
        &self,
        session: &mut Session,
        request: RunRequest,
    ) -> Result<ExecutionResult, ExecutorError> {
        let limits = request.limits_over(&self.config.limits);
        if limits.fuel.is_some() {
            return Err(ExecutorError::unsupported(BACKEND, Capability::Fuel));
        }
        self.kernel(session).await?;
        let Some(mut kernel) = session.kernel.take() else { return Err(ExecutorError::Closed) };
        if self.is_closed() {
            return Err(ExecutorError::Closed); // while a kernel was started
        }
        let control = Arc::new(Control::watched(&limits, kernel.clock()));
        let run = Arc::new(Run::new(limits, Arc::clone(&session.port), request.events.clone()));
        *self.running() = Some(Arc::clone(&control));
        let (Ended { ending, measured }, goes_on) = kernel.run(&run, &control, request).await;
        *self.running() = None;
        let mut result = run.finish(BACKEND, ending, measured);
        if goes_on && result.session == SessionState::Kept {
            session.kernel = Some(kernel);
        } else {
            result.session = SessionState::Reset;
            *self.folder() = None;
        }
        Ok(result)
    }

    /// The working folder, as a root that nothing leads out of.
    fn work(&self) -> Result<Dir, ExecutorError> {
        let folder = self.folder().clone().ok_or(ExecutorError::Closed)?;
        Dir::open_ambient_dir(folder.join(places::WORK), ambient_authority()).map_err(startup)
    }
}

#[async_trait]
impl Executor for SubprocessSandbox {
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
        self.kernel(&mut session).await.map(drop)
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let ran = async {
            self.check()?;
            let mut session = self.open().await?;
            self.run_in(&mut session, request).await
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
        session.kernel = None;
        self.kernel(&mut session).await.map(drop)
    }

    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => {
                let report = packages.install(specs, progress).await;
                self.show_packages();
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsInstall)),
        }
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => {
                let report = packages.uninstall(names).await;
                self.show_packages();
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(BACKEND, Capability::DepsUninstall)),
        }
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        self.kernel(&mut session).await?;
        let (work, path) = (self.work()?, inside(path));
        let most = self.config.limits.vfs_bytes;
        if content.len() as u64 > most {
            return Err(file(&path, &format!("it is longer than {most} bytes")));
        }
        let put = || -> std::io::Result<()> {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                work.create_dir_all(folder)?;
            }
            let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
            work.open_with(&path, &options)?.write_all(&content)
        };
        put().map_err(|error| file(&path, &error.kind().to_string()))
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let mut session = self.open().await?;
        self.kernel(&mut session).await?;
        let (work, path) = (self.work()?, inside(path));
        let failed = |error: std::io::Error| file(&path, &error.kind().to_string());
        let opened = work.open(&path).map_err(failed)?;
        if !opened.metadata().map_err(failed)?.is_file() {
            return Err(file(&path, "it is no file"));
        }
        let mut content = Vec::new();
        opened.take(longest.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > longest {
            return Err(file(&path, &format!("it is longer than {longest} bytes")));
        }
        Ok(content)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        self.session.lock().await.kernel = None;
        *self.folder() = None;
    }
}

/// A path below the working folder.
fn inside(path: &str) -> PathBuf {
    Path::new(path.strip_prefix(WORK).unwrap_or(path)).to_owned()
}

impl fmt::Debug for SubprocessSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SubprocessSandbox")
            .field("engine", &self.engine)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn file(path: &Path, reason: &str) -> ExecutorError {
    ExecutorError::File { path: path.display().to_string(), reason: reason.to_owned() }
}

fn startup(error: impl fmt::Display) -> ExecutorError {
    ExecutorError::Startup { backend: BACKEND, reason: error.to_string() }
}
