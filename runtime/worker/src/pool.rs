//! Workers that wait for sessions, and how many there may be.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::SandboxConfig;
use pcm_runtime_folders::Server;
use pcm_runtime_jail::{JailMode, JailReport, Part};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::launcher::{Launch, Launcher, Process};
use crate::start::{ARGUMENT, Start};
use crate::worker::{Spare, Worker, memory_of};
use crate::workers::Workers;
use crate::{WorkerError, child};

/// The longest that making spares waits after workers have failed.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// How long the session that took a worker is left alone: to start another uses as many processors as
/// there are, which its first run shall have.
const REST: Duration = Duration::from_millis(100);
/// Memory is counted in MiB.
const MIB: u64 = 1 << 20;

/// What a pool is like.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The engine of its workers, by the name that [`init`](crate::init) was given.
    pub engine: String,
    /// The program that is started: one that calls [`init`](crate::init). None is this one.
    pub program: Option<PathBuf>,
    /// How much of the jail is wanted.
    pub jail: JailMode,
    /// How many workers wait for a session.
    pub warm: usize,
    /// How many sessions there may be at a time.
    pub most: usize,
    /// What the memory limits of the sessions may come to together.
    pub memory_bytes: u64,
    /// How long a session waits for others to end when there are too many.
    pub patience: Duration,
    /// Where engines keep what they made.
    pub cache: Option<PathBuf>,
}

impl PoolConfig {
    /// Workers of this program with that engine.
    pub fn new(engine: impl Into<String>) -> Self {
        Self {
            engine: engine.into(),
            program: None,
            jail: JailMode::Default,
            warm: 1,
            most: 256,
            memory_bytes: u64::MAX,
            patience: Duration::from_secs(30),
            cache: None,
        }
    }
}

/// What a pool holds just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Workers that wait for a session.
    pub warm: usize,
    /// Workers that are being started.
    pub starting: usize,
    /// Workers that have a session.
    pub busy: usize,
}

/// Starts workers, ahead of time where it can. Clones are the same.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: PoolConfig,
    program: PathBuf,
    launcher: Launcher,
    places: Arc<Semaphore>,
    /// In MiB.
    memory: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// Told when one that was coming is there, or has failed.
    came: Notify,
    report: OnceLock<JailReport>,
}

#[derive(Debug, Default)]
struct Waiting {
    ready: Vec<Ready>,
    coming: usize,
    /// How many failed one after the other, and when the last one did.
    failures: u32,
    failed: Option<Instant>,
}

/// A worker that waits, and what will serve folders to it.
#[derive(Debug)]
struct Ready {
    spare: Spare<Process>,
    folders: Server,
}

/// What a session takes of what there is for all.
#[derive(Debug)]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool that has not started any.
    pub fn new(config: PoolConfig) -> Result<Self, WorkerError> {
        let program = match &config.program {
            Some(program) => program.clone(),
            None if child::is_initialised() => PathBuf::from("/proc/self/exe"),
            None => return Err(WorkerError::NoInit),
        };
        let memory = usize::try_from(config.memory_bytes / MIB).unwrap_or(usize::MAX);
        Ok(Self(Arc::new(Shared {
            program,
            launcher: Launcher::start()?,
            places: Arc::new(Semaphore::new(config.most.min(Semaphore::MAX_PERMITS))),
            memory: Arc::new(Semaphore::new(memory.min(Semaphore::MAX_PERMITS))),
            waiting: Mutex::default(),
            came: Notify::new(),
            report: OnceLock::new(),
            config,
        })))
    }

    /// Starts the workers that wait for sessions, and comes back when one is ready.
    pub async fn warm(&self) -> Result<(), WorkerError> {
        loop {
            let mut came = pin!(self.0.came.notified());
            came.as_mut().enable(); // before it is looked for
            let coming = {
                let mut waiting = self.0.waiting();
                if self.0.config.warm == 0 || !waiting.ready.is_empty() {
                    return Ok(());
                }
                (waiting.coming == 0).then(|| Coming::begin(self.clone(), &mut waiting))
            };
            match coming {
                Some(coming) => coming.arrive().await?,
                None => came.await,
            }
            self.replenish();
        }
    }

    /// Makes what engines need, in a process of its own that ends again.
    pub async fn prepare(
        &self,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), WorkerError> {
        let (socket, process, _) = self.launch(true).await?;
        Spare::greet(socket, process, progress).await.map(drop)
    }

    /// The parts of the jail, once a worker has started.
    pub fn jail(&self) -> Option<&JailReport> {
        self.0.report.get()
    }

    /// The engine of its workers.
    pub fn engine(&self) -> &str {
        &self.0.config.engine
    }

    /// What it holds just now.
    pub fn status(&self) -> PoolStatus {
        let waiting = self.0.waiting();
        let most = self.0.config.most.min(Semaphore::MAX_PERMITS);
        let busy = most - self.0.places.available_permits();
        PoolStatus { warm: waiting.ready.len(), starting: waiting.coming, busy }
    }

    async fn place(&self, memory_bytes: u64) -> Result<Place, WorkerError> {
        let PoolConfig { most, patience, .. } = self.0.config;
        let full = || WorkerError::Full { most };
        let place = timeout(patience, Arc::clone(&self.0.places).acquire_owned());
        let place = place.await.map_err(|_| full())?.map_err(|_| full())?;
        let (budget, wanted) = (self.0.config.memory_bytes / MIB, memory_bytes.div_ceil(MIB));
        let short = || WorkerError::Memory { budget };
        if wanted > budget {
            return Err(short());
        }
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let memory = timeout(patience, Arc::clone(&self.0.memory).acquire_many_owned(wanted));
        let memory = memory.await.map_err(|_| short())?.map_err(|_| short())?;
        Ok(Place { _place: place, _memory: memory })
    }

    /// Starts one and waits until it is ready.
    async fn start(&self) -> Result<Ready, WorkerError> {
        let started = async {
            let (socket, process, folders) = self.launch(false).await?;
            let cgroup = process.cgroup();
            let (spare, mut report) = Spare::greet(socket, process, &|_| {}).await?;
            report.record(Part::Cgroup, cgroup);
            let report = report.demand(self.0.config.jail);
            let report = report.map_err(|error| WorkerError::Launch(error.to_string()))?;
            Ok((Ready { spare, folders }, report))
        };
        let started: Result<_, WorkerError> = started.await;
        let mut waiting = self.0.waiting();
        match started {
            Ok((ready, report)) => {
                (waiting.failures, waiting.failed) = (0, None);
                let _ = self.0.report.set(report); // all of them are alike
                Ok(ready)
            }
            Err(error) => {
                waiting.failures = waiting.failures.saturating_add(1);
                waiting.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    async fn launch(&self, prepares: bool) -> Result<(UnixStream, Process, Server), WorkerError> {
        let PoolConfig { engine, jail, cache, .. } = &self.0.config;
        let jail = if prepares { JailMode::Off } else { *jail };
        let start = Start {
            engine: engine.clone(),
            jail,
            cache: cache.clone(),
            prepares,
            host: std::process::id(),
            connect: None,
        }
        .encode();
        let (ours, theirs) = UnixStream::pair()?;
        let (folders, their_folders) = pcm_runtime_folders::pair()?;
        let launch = Launch {
            program: self.0.program.clone(),
            arguments: vec![ARGUMENT.to_owned(), start],
            wire: theirs.into(),
            folders: their_folders,
            bounded: jail != JailMode::Off,
        };
        let process = self.0.launcher.launch(launch).await?;
        Ok((ours, process, folders))
    }

    /// Has workers started for the sessions to come.
    fn replenish(&self) {
        let mut waiting = self.0.waiting();
        waiting.ready.retain_mut(|ready| ready.spare.lives());
        let missing = self.0.config.warm.saturating_sub(waiting.ready.len() + waiting.coming);
        let coming: Vec<Coming> =
            (0..missing).map(|_| Coming::begin(self.clone(), &mut waiting)).collect();
        let pause = waiting.pause();
        drop(waiting); // a runtime that ends drops the task, which needs it
        for coming in coming {
            tokio::spawn(async move {
                sleep(pause).await;
                // The next session tries again, and tells whoever asked for it.
                if let Err(error) = coming.arrive().await {
                    tracing::warn!(%error, "a worker could not be started");
                }
            });
        }
    }
}

#[async_trait]
impl Workers for Pool {
    async fn worker(&self, session: &SandboxConfig) -> Result<Worker, WorkerError> {
        let limits = &session.limits;
        let place = self.place(limits.memory_bytes).await?;
        let waiting = loop {
            let ready = self.0.waiting().ready.pop();
            match ready {
                Some(mut ready) => {
                    if ready.spare.lives() {
                        break Some(ready);
                    }
                }
                None => break None,
            }
        };
        let Ready { mut spare, folders } = match waiting {
            Some(ready) => ready,
            None => self.start().await?,
        };
        self.replenish();
        // From outside, as it bounds it itself.
        let bounded = spare.holder().bound_memory(memory_of(limits));
        bounded.map_err(WorkerError::Bound)?;
        Ok(spare.into_worker()?.placed(place, folders))
    }
}

impl Waiting {
    /// How long to wait before another worker is started ahead of time.
    fn pause(&self) -> Duration {
        let Some(failed) = self.failed else { return REST };
        let doubled = 1 << self.failures.saturating_sub(1).min(10);
        let pause = FIRST_BACK_OFF.saturating_mul(doubled).min(LONGEST_BACK_OFF);
        pause.saturating_sub(failed.elapsed()).max(REST)
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that is being started, as long as there is a runtime to do it.
#[derive(Debug)]
struct Coming(Pool);

impl Coming {
    fn begin(pool: Pool, waiting: &mut Waiting) -> Self {
        waiting.coming += 1;
        Self(pool)
    }

    async fn arrive(self) -> Result<(), WorkerError> {
        let ready = self.0.start().await?;
        self.0.0.waiting().ready.push(ready);
        Ok(())
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.0.waiting().coming -= 1;
        self.0.0.came.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_fail_are_started_less_and_less_often() {
        let failed =
            |failures| Waiting { failures, failed: Some(Instant::now()), ..Waiting::default() };
        assert_eq!(Waiting::default().pause(), REST);
        let (one, two, many) = (failed(1).pause(), failed(2).pause(), failed(u32::MAX).pause());
        assert!(
            one <= FIRST_BACK_OFF.max(REST) && one < two && two < many && many <= LONGEST_BACK_OFF
        );
    }
}
