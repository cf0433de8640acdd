//! What sessions share: the environment, and kernels that wait.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pcm_runtime_api::Progress;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::kernel::{Connected, Kernel};
use crate::venv::Venv;
use crate::{KernelConfig, SubprocessError, guest};

/// How long the session that took a kernel is left alone: to start another takes a processor, which its
/// first run shall have.
const REST: Duration = Duration::from_millis(100);

/// An environment, and kernels in it that wait. Clones are the same.
#[derive(Clone)]
pub struct SubprocessEngine(Arc<Shared>);

struct Shared {
    config: KernelConfig,
    ready: OnceCell<Ready>,
    spares: Mutex<Spares>,
}

#[derive(Debug)]
struct Ready {
    venv: Venv,
    boot: PathBuf,
}

#[derive(Default)]
struct Spares {
    waiting: Vec<Kernel>,
    coming: usize,
}

impl SubprocessEngine {
    /// The engine of this process, with default settings. What it needs is made when the first session
    /// starts.
    pub fn shared() -> Self {
        static SHARED: OnceLock<SubprocessEngine> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(KernelConfig::default())).clone()
    }

    /// One with its own environment.
    pub fn new(config: KernelConfig) -> Self {
        let (ready, spares) = (OnceCell::new(), Mutex::default());
        Self(Arc::new(Shared { config, ready, spares }))
    }

    /// Finds the environment, or makes it, which takes seconds and of which `say` hears.
    pub async fn prepare(&self, say: &Progress<'_>) -> Result<(), SubprocessError> {
        self.ready(say).await.map(drop)
    }

    /// Starts a kernel that waits for a session, unless one does.
    pub async fn warm(&self) -> Result<(), SubprocessError> {
        if self.spares().waiting.is_empty() {
            let kernel = self.start().await?;
            self.spares().waiting.push(kernel);
        }
        Ok(())
    }

    /// The Python of its environment.
    pub(crate) async fn python(&self, say: &Progress<'_>) -> Result<PathBuf, SubprocessError> {
        Ok(self.ready(say).await?.venv.python())
    }

    /// A kernel that nobody has used, connected from this runtime.
    pub(crate) async fn kernel(&self) -> Result<Connected, SubprocessError> {
        let waiting = std::mem::take(&mut self.spares().waiting);
        let mut living = waiting.into_iter().filter_map(Kernel::living);
        let spare = living.next();
        self.spares().waiting.extend(living);
        let kernel = match spare {
            Some(kernel) => kernel,
            None => self.start().await?,
        };
        self.replenish();
        let longest = self.0.config.startup_timeout;
        timeout(longest, kernel.connect()).await.map_err(|_| SubprocessError::Slow(longest))?
    }

    async fn start(&self) -> Result<Kernel, SubprocessError> {
        let ready = self.ready(&|_| {}).await?;
        let (config, longest) = (&self.0.config, self.0.config.startup_timeout);
        let started = timeout(longest, Kernel::start(config, &ready.venv, &ready.boot)).await;
        started.map_err(|_| SubprocessError::Slow(longest))?
    }

    async fn ready(&self, say: &Progress<'_>) -> Result<&Ready, SubprocessError> {
        let make = || async {
            let venv = Venv::open(&self.0.config, say).await?;
            let boot = guest::boot(&pcm_runtime_cache::root()?.join("subprocess/guest"))?;
            Ok(Ready { venv, boot })
        };
        self.0.ready.get_or_try_init(make).await
    }

    /// Has kernels started for the sessions to come.
    fn replenish(&self) {
        let mut spares = self.spares();
        let missing = self.0.config.spares.saturating_sub(spares.waiting.len() + spares.coming);
        let coming: Vec<Coming> =
            (0..missing).map(|_| Coming::begin(self.clone(), &mut spares)).collect();
        drop(spares); // a runtime that ends drops the task, which needs it
        for coming in coming {
            tokio::spawn(async move {
                sleep(REST).await;
                // One that could not be started is started again for whoever needs it, and fails there.
                if let Ok(kernel) = coming.0.start().await {
                    coming.0.spares().waiting.push(kernel);
                }
            });
        }
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.0.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kernel that is being started, as long as there is a runtime to do it.
struct Coming(SubprocessEngine);

impl Coming {
    fn begin(engine: SubprocessEngine, spares: &mut Spares) -> Self {
        spares.coming += 1;
        Self(engine)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.spares().coming -= 1;
    }
}

impl fmt::Debug for SubprocessEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SubprocessEngine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
