//! Engines in processes of their own.
//!
//! A program that wants them calls [`init`] at the top of its `main`: a worker is a child of the same
//! program, and `init` is where it becomes one.
//!
//! ```no_run
//! use pcm_sandbox::{BackendKind, Placement, Session};
//!
//! # async fn work() -> Result<(), pcm_sandbox::Error> {
//! let session = Session::builder()
//!     .backend(BackendKind::Wasm)
//!     .placement(Placement::Worker)
//!     .start()
//!     .await?;
//! # Ok(())
//! # }
//!
//! fn main() {
//!     pcm_sandbox::worker::init(); // before anything else, and before there is another thread
//!     // …
//! }
//! ```
//!
//! What a worker may not do, and what that takes of the system, is said in `SECURITY.md`; `pcm-sandbox
//! doctor` says what of it this machine permits. Sessions share one [`Pool`] for each backend, unless
//! they are [given](crate::SessionBuilder::workers) another.

use std::collections::HashMap;
#[cfg(any(feature = "deno", feature = "wasm"))]
use std::sync::LazyLock;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[cfg(any(feature = "deno", feature = "wasm"))]
use async_trait::async_trait;
#[cfg(feature = "deno")]
use pcm_runtime_api::Limits;
use pcm_runtime_api::{Capability, Executor, ExecutorError, SandboxConfig};
#[cfg(feature = "deno")]
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
pub use pcm_runtime_jail::{JailMode, JailReport, Part, PartState};
#[cfg(feature = "wasm")]
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
#[cfg(any(feature = "deno", feature = "wasm"))]
use pcm_runtime_worker::Engine;
#[cfg(feature = "deno")]
use pcm_runtime_worker::Say;
use pcm_runtime_worker::{EngineEntry, Kind, Resign, WorkerSandbox};
pub use pcm_runtime_worker::{Pool, PoolConfig, PoolStatus, WorkerError};

use crate::{BackendKind, Error};

/// Makes this process a worker, if that is what it was started for: then it does not come back.
pub fn init() {
    pcm_runtime_worker::init(ENGINES);
}

/// What a worker of this program can hold, by the keys of the backends.
const ENGINES: &[EngineEntry] = &[
    #[cfg(feature = "wasm")]
    EngineEntry { name: "wasm", load: load_wasm, prepare: |_| load_wasm().map(drop) },
    #[cfg(feature = "deno")]
    EngineEntry { name: "deno-sandbox", load: load_deno, prepare: prepare_deno },
    #[cfg(feature = "container")]
    pcm_runtime_container::entry(),
];

#[cfg(feature = "wasm")]
struct Wasm(WasmEngine);

#[cfg(feature = "wasm")]
fn load_wasm() -> Result<Box<dyn Engine>, String> {
    Ok(Box::new(Wasm(WasmEngine::for_one_session().map_err(|error| error.to_string())?)))
}

#[cfg(feature = "wasm")]
#[async_trait]
impl Engine for Wasm {
    /// Code that has run once is in memory.
    async fn warm(&self) -> Result<(), String> {
        let session = self.sandbox(SandboxConfig::default());
        let result = session.run(pcm_runtime_api::RunRequest::new("[1]")).await;
        session.close().await;
        result.error.map_or(Ok(()), |error| Err(error.to_string()))
    }

    fn sandbox(&self, config: SandboxConfig) -> Arc<dyn Executor> {
        Arc::new(WasmSandbox::new(self.0.clone(), config))
    }
}

#[cfg(feature = "deno")]
struct Deno(DenoEngine);

#[cfg(feature = "deno")]
fn load_deno() -> Result<Box<dyn Engine>, String> {
    let engine = DenoEngine::shared();
    engine.set_spares(0); // whoever needs another gets another worker
    match engine.open() {
        Ok(true) => Ok(Box::new(Deno(engine))),
        Ok(false) => Err("what Pyodide needs has not been made".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(feature = "deno")]
fn prepare_deno(say: Say) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let prepared =
        runtime.map_err(|error| error.to_string())?.block_on(DenoEngine::shared().prepare(say));
    prepared.map_err(|error| error.to_string())
}

#[cfg(feature = "deno")]
#[async_trait]
impl Engine for Deno {
    async fn warm(&self) -> Result<(), String> {
        let memory = Limits::default().memory_bytes;
        self.0.warm(memory).await.map_err(|error| error.to_string())
    }

    fn sandbox(&self, config: SandboxConfig) -> Arc<dyn Executor> {
        Arc::new(DenoSandbox::new(self.0.clone(), config))
    }
}

/// The workers that the sessions of this process share.
pub fn pool(backend: BackendKind, jail: JailMode) -> Result<Pool, Error> {
    static POOLS: OnceLock<Mutex<HashMap<(BackendKind, JailMode), Pool>>> = OnceLock::new();
    let mut pools =
        POOLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&(backend, jail)) {
        return Ok(pool.clone());
    }
    let config = PoolConfig { jail, ..config(backend) };
    let pool = Pool::new(config).map_err(|error| startup(backend, &error))?;
    pools.insert((backend, jail), pool.clone());
    Ok(pool)
}

/// Workers of this program that hold a backend, as a [`Pool`] can be made of it.
pub fn config(backend: BackendKind) -> PoolConfig {
    PoolConfig { cache: pcm_runtime_cache::root().ok(), ..PoolConfig::new(backend.key()) }
}

/// A session that has not started, in a worker of a pool that holds this backend.
pub fn sandbox(
    backend: BackendKind,
    pool: Pool,
    config: SandboxConfig,
) -> Result<Arc<dyn Executor>, Error> {
    let Some(kind) = kind(backend) else { return Err(Error::NoWorkers { backend }) };
    if pool.engine() != backend.key() {
        return Err(Error::OtherPool { backend, engine: pool.engine().to_owned() });
    }
    Ok(Arc::new(WorkerSandbox::new(pool, kind, config)))
}

/// Makes the files without which no worker can start. On the first use of a version that takes seconds,
/// of which `progress` hears; later nothing.
#[cfg_attr(
    not(feature = "deno"),
    expect(clippy::unused_async, reason = "the other backends are ready")
)]
pub async fn prepare(
    backend: BackendKind,
    pool: &Pool,
    progress: impl Fn(&str) + Send + Sync,
) -> Result<(), Error> {
    #[cfg(feature = "deno")]
    if backend == BackendKind::DenoSandbox && !DenoEngine::is_made() {
        pool.prepare(&progress).await.map_err(|error| startup(backend, &error))?;
        if !DenoEngine::is_made() {
            let reason = "workers need a folder that can be written, for what is made once: set \
                          XDG_CACHE_HOME or HOME, or place the sandbox in this process";
            return Err(startup(backend, &WorkerError::Failed(reason.to_owned())));
        }
    }
    let _ = (backend, pool, progress);
    Ok(())
}

fn startup(backend: BackendKind, error: &WorkerError) -> Error {
    ExecutorError::Startup { backend: backend.key(), reason: error.to_string() }.into()
}

/// What a worker stands for that holds a backend; None where it is not in this build, or has a process
/// anyway.
fn kind(backend: BackendKind) -> Option<Kind> {
    let found: Option<(&'static [Capability], Option<Resign>)> = match backend {
        #[cfg(feature = "wasm")]
        BackendKind::Wasm => {
            static ALL: LazyLock<Vec<Capability>> =
                LazyLock::new(|| isolated(WasmSandbox::CAPABILITIES));
            Some((&ALL, Some(WasmSandbox::resign)))
        }
        #[cfg(feature = "deno")]
        BackendKind::DenoSandbox => {
            static ALL: LazyLock<Vec<Capability>> =
                LazyLock::new(|| isolated(DenoSandbox::CAPABILITIES));
            Some((&ALL, None))
        }
        _ => None,
    };
    found.map(|(capabilities, resign)| Kind { backend: backend.key(), capabilities, resign })
}

/// What a wall promises, and that its process is another one.
#[cfg(any(feature = "deno", feature = "wasm"))]
fn isolated(wall: &[Capability]) -> Vec<Capability> {
    let mut all = wall.to_vec();
    all.insert(1, Capability::ProcessIsolation);
    all
}
