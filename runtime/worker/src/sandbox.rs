//! A session in a worker.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, CheckpointId, DepsReport, ErrorKind, ExecutionError, ExecutionResult, Executor,
    ExecutorError, HostPort, Limits, NoHost, Progress, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_guest::{Packages, Stop};
use pcm_runtime_wire::{Answer, Opening, Order, ShownFolder};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard, Notify};

use crate::WorkerError;
use crate::run::{self, Lost, Ran};
use crate::worker::{Done, Worker};
use crate::workers::{Fate, Reach, Workers};

/// Where the number of its worker is in that of a checkpoint.
const GENERATION: u32 = 32;
/// How many workers that have waited may turn out to be dead.
const ATTEMPTS: usize = 3;
/// What a saved session takes besides its memory and its files.
const SAVED_BESIDES: u64 = 64 << 20;

/// The backend that a worker stands for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its key.
    pub backend: &'static str,
    /// What it promises, with packages: the last two are about them.
    pub capabilities: &'static [Capability],
    /// Signs a saved state with another key, where the backend has any; see [`Resign`].
    pub resign: Option<Resign>,
}

/// Looks whether a saved state was signed with the first key, and signs it with the second one in place.
/// The key of a host signs what other sessions may load, so a worker never sees it: it has one of its own
/// for every state.
pub type Resign = fn(&mut [u8], &[u8; 32], &[u8; 32]) -> Result<(), ExecutorError>;

/// One session, held by a worker of its own.
pub struct WorkerSandbox {
    workers: Arc<dyn Workers>,
    kind: Kind,
    config: SandboxConfig,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Notify>>>,
    fuel: Mutex<Fuel>,
    /// None where nobody brings packages.
    packages: Option<Arc<Packages>>,
    closed: AtomicBool,
    /// What can be done to the session's worker meanwhile.
    reach: Mutex<Option<Arc<dyn Reach>>>,
}

/// What is left of `SandboxConfig::fuel`.
#[derive(Debug, Clone, Copy)]
struct Fuel {
    /// As the worker knows it; None where it is not counted.
    left: Option<u64>,
    /// What was added since, which the worker is told before it needs it.
    added: u64,
}

struct Session {
    port: Arc<dyn HostPort>,
    /// None before the start, and after a worker was lost.
    worker: Option<Worker>,
    /// Counts the session's workers: a checkpoint is one of its worker.
    generation: u32,
}

impl Session {
    /// The worker's own number of a checkpoint; of one of an earlier worker there is none.
    fn own(&self, checkpoint: CheckpointId) -> Result<CheckpointId, ExecutorError> {
        let CheckpointId(number) = checkpoint;
        let is_there = self.worker.is_some() && number >> GENERATION == u64::from(self.generation);
        let own = CheckpointId(number & u64::from(u32::MAX));
        is_there.then_some(own).ok_or(ExecutorError::NoCheckpoint(checkpoint))
    }

    /// The answer with the session's number of a checkpoint.
    fn known(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Kept(CheckpointId(own)) => {
                let own = own & u64::from(u32::MAX); // a worker that counts further lies
                Answer::Kept(CheckpointId(u64::from(self.generation) << GENERATION | own))
            }
            other => other,
        }
    }
}

impl WorkerSandbox {
    /// A session that has not started. It has no host until [`Executor::start`].
    pub fn new(
        workers: impl Workers + 'static,
        kind: Kind,
        config: impl Into<SandboxConfig>,
    ) -> Self {
        let mut config = config.into();
        let packages = config.packages.take().map(|source| Arc::new(Packages::new(source)));
        config.mounts.extend(packages.as_ref().map(|packages| packages.mount()));
        Self::with(Arc::new(workers), kind, config, packages, Arc::new(NoHost))
    }

    fn with(
        workers: Arc<dyn Workers>,
        kind: Kind,
        config: SandboxConfig,
        packages: Option<Arc<Packages>>,
        port: Arc<dyn HostPort>,
    ) -> Self {
        Self {
            workers,
            kind,
            fuel: Mutex::new(Fuel { left: config.fuel, added: 0 }),
            config,
            session: AsyncMutex::new(Session { port, worker: None, generation: 0 }),
            running: Mutex::new(None),
            packages,
            closed: AtomicBool::new(false),
            reach: Mutex::default(),
        }
    }

    /// The process that holds the session; None while there is none on this machine.
    pub async fn process_id(&self) -> Option<u32> {
        self.session.lock().await.worker.as_ref().and_then(Worker::id)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The session, unless it is closed.
    async fn open(&self) -> Result<AsyncGuard<'_, Session>, ExecutorError> {
        let session = self.session.lock().await;
        if self.is_closed() { Err(ExecutorError::Closed) } else { Ok(session) }
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fuel_left(&self) -> MutexGuard<'_, Fuel> {
        self.fuel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the worker has to be told before it goes on.
    fn refill(&self, worker: &mut Worker) -> Result<(), WorkerError> {
        let added = {
            let mut fuel = self.fuel_left();
            let added = fuel.added;
            fuel.told();
            added
        };
        if added > 0 { worker.channel.tell(&Order::AddFuel(added), &[], 0) } else { Ok(()) }
    }

    /// The error of an order whose worker was lost.
    fn ended(&self, error: &WorkerError) -> ExecutorError {
        ExecutorError::Ended { backend: self.kind.backend, reason: error.to_string() }
    }

    fn reach(&self) -> MutexGuard<'_, Option<Arc<dyn Reach>>> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn startup(&self, error: impl fmt::Display) -> ExecutorError {
        ExecutorError::Startup { backend: self.kind.backend, reason: error.to_string() }
    }

    /// A worker that has this session.
    async fn fresh(&self) -> Result<Worker, ExecutorError> {
        let mut attempts = 1;
        loop {
            let worker = self.workers.worker(&self.config).await;
            let mut worker = worker.map_err(|error| self.startup(error))?;
            *self.reach() = worker.reach();
            if self.is_closed() {
                return Err(ExecutorError::Closed);
            }
            let opening = self.opening(worker.folders.is_some());
            self.serve(&mut worker).map_err(|error| self.startup(error))?;
            let error = match worker.ask(&Order::Open(Box::new(opening)), &[], 0).await {
                Ok(Done { answer: Ok(_), .. }) => return Ok(worker),
                Ok(Done { answer: Err(told), .. }) => {
                    return Err(told.into_error(self.kind.backend));
                }
                Err(error) => error,
            };
            // One that waited may have been ended meanwhile; the next one did not wait with it.
            let died = matches!(error, WorkerError::Ended(_)) && attempts < ATTEMPTS;
            let error = self.why(worker, error).await;
            if !died {
                return Err(self.startup(error));
            }
            attempts += 1;
        }
    }

    /// The session as its worker is told of it; with the folders only where they are served to it.
    fn opening(&self, serves: bool) -> Opening {
        let SandboxConfig { limits, deterministic, rollback, mounts, .. } = &self.config;
        let shown = mounts
            .iter()
            .filter(|_| serves)
            .map(|mount| ShownFolder { guest: mount.guest.clone(), access: mount.access });
        Opening {
            limits: limits.clone(),
            fuel: self.fuel_left().told(),
            deterministic: *deterministic,
            rollback: *rollback,
            folders: shown.collect(),
        }
    }

    /// Serves the session's folders to its worker, as long as that lives.
    fn serve(&self, worker: &mut Worker) -> Result<(), WorkerError> {
        let Some(folders) = worker.folders.take() else { return Ok(()) };
        if self.config.mounts.is_empty() {
            return Ok(());
        }
        let reach = worker.reach();
        folders.serve(&self.config.mounts, move |ended| {
            if let Err(error) = ended {
                tracing::warn!(%error, "a worker is ended");
                if let Some(reach) = reach {
                    reach.end();
                }
            }
        })?;
        Ok(())
    }

    /// The session's worker, which is started if it is missing.
    async fn worker<'a>(&self, session: &'a mut Session) -> Result<&'a mut Worker, ExecutorError> {
        let worker = if let Some(worker) = session.worker.take() {
            worker
        } else {
            session.generation = session.generation.wrapping_add(1);
            self.fresh().await?
        };
        Ok(session.worker.insert(worker))
    }

    /// Has an order done.
    async fn ask(
        &self,
        order: Order,
        bytes: &[u8],
        expected: u64,
    ) -> Result<(Answer, Vec<u8>), ExecutorError> {
        let mut session = self.open().await?;
        let order = match order {
            Order::Restore(checkpoint) => Order::Restore(session.own(checkpoint)?),
            Order::Drop(checkpoint) => Order::Drop(session.own(checkpoint)?),
            other => other,
        };
        let worker = self.worker(&mut session).await?;
        let asked = match self.refill(worker) {
            Ok(()) => worker.ask(&order, bytes, expected).await,
            Err(error) => Err(error),
        };
        let error = match asked {
            Ok(Done { answer, fuel, bytes }) => {
                self.fuel_left().is(fuel);
                let answer = answer.map_err(|told| told.into_error(self.kind.backend))?;
                return Ok((session.known(answer), bytes));
            }
            Err(error) => error,
        };
        let error = match session.worker.take() {
            _ if self.is_closed() => return Err(ExecutorError::Closed),
            Some(worker) => self.why(worker, error).await,
            None => error,
        };
        Err(self.ended(&error))
    }

    /// What became of a worker that is of no further use.
    async fn why(&self, worker: Worker, error: WorkerError) -> WorkerError {
        let error = match error {
            WorkerError::Ended(when) => match worker.fate().await {
                Fate::Ended(how) => WorkerError::Ended(format!("{how} {when}")),
                Fate::OutOfMemory => WorkerError::OutOfMemory,
            },
            other => other,
        };
        tracing::debug!(backend = self.kind.backend, %error, "a worker was lost");
        error
    }

    async fn run_in(
        &self,
        session: &mut Session,
        request: RunRequest,
    ) -> Result<ExecutionResult, ExecutorError> {
        let limits = request.limits_over(&self.config.limits);
        // Taken out of the session: a run whose future is dropped loses it.
        self.worker(session).await?;
        let Some(mut worker) = session.worker.take() else { return Err(ExecutorError::Closed) };
        let interrupted = Arc::new(Notify::new());
        let mut going = Going::begin(self, &limits, &interrupted);
        // It may have been closed while a worker was started; from here on that interrupts.
        if self.is_closed() {
            going.spends = false;
            return Err(ExecutorError::Closed);
        }
        let ran = async {
            worker.settle().await?;
            self.refill(&mut worker)?;
            let (channel, port) = (&mut worker.channel, &session.port);
            run::run(channel, request, limits.clone(), port, &interrupted).await
        };
        let ran = ran.await;
        let error = match ran {
            Ok(Ran { result, fuel }) => {
                self.fuel_left().is(fuel);
                going.spends = false;
                // What had to be stopped the hard way leaves no process behind.
                if result.session != SessionState::Reset {
                    session.worker = Some(worker);
                }
                return Ok(ExecutionResult { backend: self.kind.backend.to_owned(), ..result });
            }
            Err(Lost::Stuck(stop)) => stop.error(&limits),
            Err(Lost::Worker(error)) => match self.why(worker, error).await {
                WorkerError::OutOfMemory => Stop::Memory.error(&limits),
                error => ExecutionError::new(ErrorKind::Crashed, error.to_string()),
            },
        };
        Ok(ExecutionResult::failed(self.kind.backend, error, SessionState::Reset))
    }

    /// Has the worker see the packages that there are now.
    async fn show_packages(&self) {
        let reach = self.reach().clone();
        let folder = self.packages.as_ref().and_then(|packages| packages.mount().host.folder());
        if let (Some(reach), Some(folder)) = (reach, folder) {
            let shown = tokio::task::spawn_blocking(move || reach.show_packages(&folder)).await;
            drop(shown); // who cannot show them says so
        }
    }

    fn resign(&self) -> Result<Resign, ExecutorError> {
        let none = || ExecutorError::unsupported(self.kind.backend, Capability::Snapshot);
        self.kind.resign.ok_or_else(none)
    }

    /// A key for one state, from one worker to another or to here.
    fn key(&self) -> Result<[u8; 32], ExecutorError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| self.startup(error))?;
        Ok(key)
    }

    /// The state, and the key that it was signed with.
    async fn save_once(&self) -> Result<([u8; 32], Vec<u8>), ExecutorError> {
        self.resign()?;
        let key = self.key()?;
        let (_, saved) = self.ask(Order::Save(key), &[], self.saved_bytes()).await?;
        Ok((key, saved))
    }

    /// What a saved session may have.
    fn saved_bytes(&self) -> u64 {
        let Limits { memory_bytes, vfs_bytes, .. } = self.config.limits;
        memory_bytes.saturating_add(vfs_bytes).saturating_add(SAVED_BESIDES)
    }
}

/// A run that goes on. One that is lost, or that nobody waits for any more, used all that it might.
struct Going<'a> {
    sandbox: &'a WorkerSandbox,
    limits: &'a Limits,
    spends: bool,
}

impl<'a> Going<'a> {
    fn begin(sandbox: &'a WorkerSandbox, limits: &'a Limits, interrupted: &Arc<Notify>) -> Self {
        *sandbox.running() = Some(Arc::clone(interrupted));
        Self { sandbox, limits, spends: true }
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        *self.sandbox.running() = None;
        if self.spends {
            self.sandbox.fuel_left().spend(self.limits);
        }
    }
}

impl Fuel {
    /// What a worker says is left. It may say anything, and never gives more than it had.
    fn is(&mut self, left: Option<u64>) {
        self.left = self.left.map(|had| left.map_or(had, |left| left.min(had)));
    }

    /// All of it, which a new worker is told.
    fn told(&mut self) -> Option<u64> {
        let added = std::mem::take(&mut self.added);
        self.left = self.left.map(|left| left.saturating_add(added));
        self.left
    }

    /// A run was lost, and with it what it used.
    fn spend(&mut self, limits: &Limits) {
        let spent = limits.fuel.unwrap_or(u64::MAX);
        self.left = self.left.map(|left| left.saturating_sub(spent));
    }
}

#[async_trait]
impl Executor for WorkerSandbox {
    fn backend(&self) -> &'static str {
        self.kind.backend
    }

    fn capabilities(&self) -> &'static [Capability] {
        match self.packages {
            Some(_) => self.kind.capabilities,
            None => Capability::without_packages(self.kind.capabilities),
        }
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        session.port = port;
        self.worker(&mut session).await.map(drop)
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let ran = async {
            let mut session = self.open().await?;
            self.run_in(&mut session, request).await
        };
        ran.await.unwrap_or_else(|error| ExecutionResult::refused(self.kind.backend, &error))
    }

    fn interrupt(&self) {
        if let Some(run) = &*self.running() {
            run.notify_one();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        session.worker = None; // makes its place free
        self.worker(&mut session).await.map(drop)
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
                self.show_packages().await;
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(self.kind.backend, Capability::DepsInstall)),
        }
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        match &self.packages {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(packages) => {
                let report = packages.uninstall(names).await;
                self.show_packages().await;
                Ok(report)
            }
            None => Err(ExecutorError::unsupported(self.kind.backend, Capability::DepsUninstall)),
        }
    }

    async fn checkpoint(&self) -> Result<CheckpointId, ExecutorError> {
        match self.ask(Order::Checkpoint, &[], 0).await?.0 {
            Answer::Kept(checkpoint) => Ok(checkpoint),
            _ => Err(self.ended(&WorkerError::Silent)),
        }
    }

    async fn restore(&self, checkpoint: CheckpointId) -> Result<(), ExecutorError> {
        self.ask(Order::Restore(checkpoint), &[], 0).await.map(drop)
    }

    async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        // Whatever comes of it, the checkpoint is gone.
        drop(self.ask(Order::Drop(checkpoint), &[], 0).await);
    }

    async fn fork(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        let (key, saved) = self.save_once().await?;
        let config = SandboxConfig { fuel: self.fuel(), ..self.config.clone() };
        let port = Arc::clone(&self.session.lock().await.port);
        let packages = self.packages.clone();
        let forked = Self::with(Arc::clone(&self.workers), self.kind, config, packages, port);
        forked.ask(Order::Load(key), &saved, 0).await?;
        Ok(Arc::new(forked))
    }

    async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, ExecutorError> {
        let resign = self.resign()?;
        let (once, mut saved) = self.save_once().await?;
        resign(&mut saved, &once, key)?;
        Ok(saved)
    }

    async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), ExecutorError> {
        let (resign, once) = (self.resign()?, self.key()?);
        let mut saved = saved.to_vec();
        resign(&mut saved, key, &once)?;
        self.ask(Order::Load(once), &saved, 0).await.map(drop)
    }

    fn fuel(&self) -> Option<u64> {
        let Fuel { left, added } = *self.fuel_left();
        left.map(|left| left.saturating_add(added))
    }

    fn add_fuel(&self, fuel: u64) -> Result<(), ExecutorError> {
        let mut left = self.fuel_left();
        if left.left.is_none() {
            return Err(ExecutorError::unsupported(self.kind.backend, Capability::Fuel));
        }
        left.added = left.added.saturating_add(fuel);
        Ok(())
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        self.ask(Order::Put { path: path.to_owned() }, &content, 0).await.map(drop)
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let order = Order::Get { path: path.to_owned(), longest };
        Ok(self.ask(order, &[], longest).await?.1)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let runs = self.running().as_ref().map(|run| run.notify_one()).is_some();
        // What is no run nobody interrupts.
        if let Some(reach) = self.reach().take().filter(|_| !runs) {
            reach.end();
        }
        let worker = self.session.lock().await.worker.take();
        if let Some(worker) = worker {
            worker.gone().await;
        }
    }
}

impl fmt::Debug for WorkerSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WorkerSandbox")
            .field("kind", &self.kind)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
