//! What sessions share: the engine, the image, and containers that wait.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::KillContainerOptions;
use pcm_runtime_api::{Progress, SandboxConfig};
use pcm_runtime_worker::{Spare, Worker, WorkerError, Workers};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::container::{self, Container};
use crate::folder::Folder;
use crate::image::{ImageInfo, Images};
use crate::{ContainerError, ContainerSettings, owner, socket};

/// How long the session that took a container is left alone: to start another takes processors, which its
/// first run shall have.
const REST: Duration = Duration::from_millis(300);
/// The longest that making spares waits after containers have failed.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);

/// Containers of one image that wait for sessions. Clones are the same.
#[derive(Clone)]
pub struct ContainerEngine(Arc<Shared>);

struct Shared {
    settings: ContainerSettings,
    docker: OnceCell<Docker>,
    image: OnceCell<ImageInfo>,
    remover: OnceLock<Remover>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    ready: Vec<Spare<Container>>,
    coming: usize,
    /// How many failed one after the other, and when the last one did.
    failures: u32,
    failed: Option<Instant>,
}

/// What was found out about an engine and an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// The version of the engine.
    pub engine: String,
    /// The image, by its name.
    pub image: String,
    /// Its Python, as `3.12`.
    pub python: String,
}

impl ContainerEngine {
    /// The engine of this process, with default settings.
    pub fn shared() -> Self {
        static SHARED: OnceLock<ContainerEngine> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(ContainerSettings::default())).clone()
    }

    /// One with containers of its own.
    pub fn new(settings: ContainerSettings) -> Self {
        Self(Arc::new(Shared {
            settings,
            docker: OnceCell::new(),
            image: OnceCell::new(),
            remover: OnceLock::new(),
            waiting: Mutex::default(),
        }))
    }

    /// What its containers are like.
    pub fn settings(&self) -> &ContainerSettings {
        &self.0.settings
    }

    /// Finds the engine and the image, or makes the image, which takes a minute and of which `say` hears.
    pub async fn prepare(&self, say: &Progress<'_>) -> Result<(), ContainerError> {
        self.image(say).await.map(drop)
    }

    /// Starts a container that waits for a session, unless one does.
    pub async fn warm(&self) -> Result<(), ContainerError> {
        if self.waiting().ready.is_empty() {
            let spare = self.start(&SandboxConfig::default()).await?;
            self.waiting().ready.push(spare);
        }
        Ok(())
    }

    /// What there is on this machine.
    pub async fn info(&self) -> Result<ContainerInfo, ContainerError> {
        let image = self.image(&|_| {}).await?;
        let version = self.docker().await?.version().await?;
        Ok(ContainerInfo {
            engine: version.version.unwrap_or_default(),
            image: image.name.clone(),
            python: image.python.clone(),
        })
    }

    /// The Python of the image, as `3.12`.
    pub async fn python(&self, say: &Progress<'_>) -> Result<String, ContainerError> {
        Ok(self.image(say).await?.python.clone())
    }

    async fn docker(&self) -> Result<&Docker, ContainerError> {
        let connect = || socket::connect(self.0.settings.engine.as_deref());
        self.0.docker.get_or_try_init(connect).await
    }

    async fn image(&self, say: &Progress<'_>) -> Result<&ImageInfo, ContainerError> {
        let find = || async {
            self.0.settings.check()?;
            let images = Images::over(self.docker().await?.clone());
            images.find(&self.0.settings, say).await
        };
        self.0.image.get_or_try_init(find).await
    }

    /// What containers that are no workers are started with: the engine, the image, and who removes them.
    pub(crate) async fn parts(&self) -> Result<(&Docker, &ImageInfo, &Remover), ContainerError> {
        let image = self.image(&|_| {}).await?;
        let docker = self.docker().await?;
        Ok((docker, image, self.0.remover.get_or_init(|| Remover::start(docker.clone()))))
    }

    /// Starts one and waits until it is ready.
    async fn start(&self, session: &SandboxConfig) -> Result<Spare<Container>, ContainerError> {
        let (docker, image, remover) = self.parts().await?;
        let settings = &self.0.settings;
        let started = async {
            let (stream, container) =
                container::start(docker, settings, &image.id, session, remover).await?;
            Ok((Spare::greet(stream, container, &|_| {}).await?).0)
        };
        let longest = settings.startup_timeout;
        let started = match timeout(longest, started).await {
            Ok(started) => started,
            Err(_) => Err(ContainerError::Slow(longest)),
        };
        let mut waiting = self.waiting();
        match started {
            Ok(spare) => {
                (waiting.failures, waiting.failed) = (0, None);
                Ok(spare)
            }
            Err(error) => {
                waiting.failures = waiting.failures.saturating_add(1);
                waiting.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// One that waits and lives.
    fn take(&self) -> Option<Spare<Container>> {
        let mut waiting = self.waiting();
        while let Some(mut spare) = waiting.ready.pop() {
            if spare.lives() {
                return Some(spare);
            }
        }
        None
    }

    async fn adopted(&self, session: &SandboxConfig) -> Result<Worker, ContainerError> {
        let settings = &self.0.settings;
        let waiting = if container::has_folders(session) { None } else { self.take() };
        let mut spare = match waiting {
            Some(spare) => spare,
            None => self.start(session).await?,
        };
        self.replenish();
        spare.holder().adopt(settings, session).await?;
        Ok(spare.into_worker()?)
    }

    /// Has containers started for the sessions to come.
    fn replenish(&self) {
        let mut waiting = self.waiting();
        waiting.ready.retain_mut(Spare::lives);
        let missing = self.0.settings.warm.saturating_sub(waiting.ready.len() + waiting.coming);
        let coming: Vec<Coming> =
            (0..missing).map(|_| Coming::begin(self.clone(), &mut waiting)).collect();
        let pause = waiting.pause();
        drop(waiting); // a runtime that ends drops the task, which needs it
        for coming in coming {
            tokio::spawn(async move {
                sleep(pause).await;
                match coming.0.start(&SandboxConfig::default()).await {
                    Ok(spare) => coming.0.waiting().ready.push(spare),
                    // The next session tries again, and tells whoever asked for it.
                    Err(error) => tracing::warn!(%error, "a container could not be started"),
                }
            });
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Workers for ContainerEngine {
    async fn worker(&self, session: &SandboxConfig) -> Result<Worker, WorkerError> {
        Ok(self.adopted(session).await?)
    }
}

impl Waiting {
    /// How long to wait before another container is started ahead of time.
    fn pause(&self) -> Duration {
        let Some(failed) = self.failed else { return REST };
        let doubled = 1 << self.failures.saturating_sub(1).min(10);
        let pause = REST.saturating_mul(doubled).min(LONGEST_BACK_OFF);
        pause.saturating_sub(failed.elapsed()).max(REST)
    }
}

/// A container that is being started, as long as there is a runtime to do it.
struct Coming(ContainerEngine);

impl Coming {
    fn begin(engine: ContainerEngine, waiting: &mut Waiting) -> Self {
        waiting.coming += 1;
        Self(engine)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.waiting().coming -= 1;
    }
}

/// Removes containers on a thread of its own: who drops one may have no runtime. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Remover(Sender<Wanted>);

/// What is to be done with a container, and its folder, which goes after it.
#[derive(Debug)]
enum Wanted {
    Removed(String, Option<Folder>),
    Killed(String, Option<Folder>),
}

impl Remover {
    fn start(docker: Docker) -> Self {
        let (sender, wanted) = channel();
        let thread = thread::Builder::new().name("pcm-containers".to_owned());
        if let Err(error) = thread.spawn(move || remove_all(&docker, &wanted)) {
            tracing::warn!(%error, "containers end by themselves only");
        }
        Self(sender)
    }

    pub(crate) fn remove(&self, id: String, folder: Option<Folder>) {
        let _ = self.0.send(Wanted::Removed(id, folder)); // without the thread its socket ends it
    }

    pub(crate) fn kill(&self, id: String, folder: Option<Folder>) {
        let _ = self.0.send(Wanted::Killed(id, folder));
    }
}

fn remove_all(docker: &Docker, wanted: &Receiver<Wanted>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    while let Ok(wanted) = wanted.recv() {
        runtime.block_on(async {
            match wanted {
                Wanted::Removed(id, folder) => {
                    owner::remove(docker, &id).await;
                    drop(folder);
                }
                Wanted::Killed(id, folder) => {
                    // It may have ended.
                    let _ = docker.kill_container(&id, None::<KillContainerOptions>).await;
                    drop(folder);
                }
            }
        });
    }
}

impl fmt::Debug for ContainerEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ContainerEngine")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_that_fail_are_started_less_and_less_often() {
        let failed =
            |failures| Waiting { failures, failed: Some(Instant::now()), ..Waiting::default() };
        assert_eq!(Waiting::default().pause(), REST);
        let (one, four, many) = (failed(1).pause(), failed(4).pause(), failed(u32::MAX).pause());
        assert!(one <= REST && one < four && four < many && many <= LONGEST_BACK_OFF);
    }
}
