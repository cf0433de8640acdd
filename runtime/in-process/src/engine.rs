//! The Python of this process, as sessions ask for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use pcm_runtime_guest::LeftBehind;
use tokio::sync::{OnceCell, oneshot};

use crate::error::InProcessError;
use crate::python::Python;
use crate::seat::{Place, Seat};

/// Which Python is loaded.
#[derive(Debug, Clone, Default)]
pub struct InProcessConfig {
    /// Its program, as `/opt/venv/bin/python`. Without it `$PCM_PYTHON` counts, then `python3` and
    /// `python` on the path.
    pub python: Option<PathBuf>,
}

/// The installed Python, loaded once per process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct InProcessEngine(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    config: InProcessConfig,
    python: OnceCell<Loaded>,
}

#[derive(Clone, Copy)]
struct Loaded(&'static Python);

impl std::fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.found.fmt(formatter)
    }
}

/// What an engine is, for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InProcessInfo {
    /// The version of Python.
    pub version: String,
    /// The program whose Python it is.
    pub executable: PathBuf,
    /// The library that was loaded.
    pub library: PathBuf,
}

impl InProcessEngine {
    /// An engine that loads Python when its first session starts. All engines of a process share the
    /// one that was loaded first; one that wants another is refused then.
    pub fn new(config: InProcessConfig) -> Self {
        Self(Arc::new(Shared { config, python: OnceCell::new() }))
    }

    /// Loads Python, if that has not been done: a fraction of a second, once per process.
    pub async fn prepare(&self) -> Result<InProcessInfo, InProcessError> {
        let found = self.python().await?.found.clone();
        let (version, executable, library) = (found.version, found.executable, found.library);
        Ok(InProcessInfo { version, executable, library })
    }

    /// How many threads run what nobody could stop.
    pub async fn left_behind(&self) -> Result<usize, InProcessError> {
        Ok(self.python().await?.left_behind.count())
    }

    /// A thread for a session.
    pub(crate) async fn seat(&self, place: Place) -> Result<Seat, InProcessError> {
        let python = self.python().await?;
        let left_behind = python.left_behind.count();
        if left_behind >= LeftBehind::MOST {
            return Err(InProcessError::LeftBehind(left_behind));
        }
        Seat::make(python, place).await
    }

    async fn python(&self) -> Result<&'static Python, InProcessError> {
        let load = || async {
            let (tell, loaded) = oneshot::channel();
            let wanted = self.0.config.python.clone();
            // A thread: to start a program and an interpreter takes a while.
            let loading = move || drop(tell.send(Python::load(wanted.as_deref())));
            let thread = thread::Builder::new().name("pcm-python-load".to_owned());
            thread.spawn(loading).map_err(InProcessError::Thread)?;
            let ended = |_| InProcessError::Start("the thread that loads it ended".to_owned());
            Ok(Loaded(loaded.await.map_err(ended)??))
        };
        Ok(self.0.python.get_or_try_init(load).await?.0)
    }
}
