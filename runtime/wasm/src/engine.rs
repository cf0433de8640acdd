//! What all sessions of a process share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use pcm_python_wasm::{ImageInfo, Metering, Signals, engine_config};
use pcm_runtime_api::SandboxConfig;
use tokio::sync::OnceCell;
use wasmtime::{
    Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig,
};

use crate::image;
use crate::imports::{self, GuestState};
use crate::instance::Instance;
use crate::pages::Image;
use crate::saved::Origin;
use crate::ticker::{Ticker, Ticking};

/// The sessions that an engine has room for. Room is address space, 4 GiB each, not memory.
const SESSIONS: u32 = 1_000;
/// Dirty memory of an ended session that is cleaned in place, for the next session to start without
/// Dirty memory of an ended session that is cleaned in place: the next session, or a fork into its
/// place, starts without page faults. What is beyond goes back to the system.
const KEPT_BYTES: usize = 12 << 20;

/// The compiled image and the places for its instances. Clones share one engine.
#[derive(Clone)]
pub struct WasmEngine(Arc<Shared>);

struct Shared {
    description: ImageInfo,
    plain: Variant,
    /// Made when the first session counts fuel.
    metered: OnceLock<Variant>,
    /// An instance that never runs, to compare others with; made when the first is compared.
    untouched: OnceCell<Instance>,
    info: EngineInfo,
}

/// The image, compiled in one way, and its pool.
struct Variant {
    image: InstancePre<GuestState>,
    ticker: Ticker,
    allocation: Allocation,
    file: Option<PathBuf>,
    smallest_memory: u64,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The image could not be unpacked.
    #[error("the Python image cannot be unpacked: {0}")]
    Image(#[from] io::Error),
    /// The engine refused its configuration or the image.
    #[error("the wasm engine cannot be started: {0}")]
    Engine(String),
}

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}"))
    }
}

/// What an engine is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineInfo {
    /// The version of Python.
    pub python: String,
    /// The version of wasmtime.
    pub wasmtime: String,
    /// The beginning of the image's hash.
    pub image: String,
    /// Where the unpacked image lies; None when it is in memory only.
    pub image_file: Option<PathBuf>,
    /// How places for sessions are found.
    pub allocation: Allocation,
}

/// How places for sessions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// From a pool that is laid out in advance.
    Pooling,
    /// One by one: address space is short.
    OnDemand,
}

impl fmt::Display for Allocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pooling => "pooling",
            Self::OnDemand => "on-demand",
        })
    }
}

impl WasmEngine {
    /// The engine of this process; the first caller makes it.
    pub fn shared() -> Result<Self, EngineError> {
        static SHARED: OnceLock<WasmEngine> = OnceLock::new();
        if let Some(engine) = SHARED.get() {
            return Ok(engine.clone());
        }
        // Two first callers may both make one; the second is dropped.
        let engine = Self::new()?;
        Ok(SHARED.get_or_init(|| engine).clone())
    }

    /// Another engine.
    pub fn new() -> Result<Self, EngineError> {
        let description = image::info()?;
        let plain = Variant::new(&description, Metering::Epochs)?;
        let info = EngineInfo::new(&description, &plain);
        Ok(Self(Arc::new(Shared {
            description,
            plain,
            metered: OnceLock::new(),
            untouched: OnceCell::new(),
            info,
        })))
    }

    /// What this engine is made of.
    pub fn info(&self) -> &EngineInfo {
        &self.0.info
    }

    /// What the state of a session must come from, to be that of another.
    pub(crate) fn origin(&self) -> Origin {
        let ImageInfo { snapshot, wasmtime, .. } = &self.0.description;
        Origin { engine: format!("wasmtime {wasmtime}"), image: snapshot.clone() }
    }

    /// Lets the clock of the sessions with this metering tick, if there are any.
    pub(crate) fn ticking(&self, metering: Metering) -> Option<Ticking<'_>> {
        let variant = match metering {
            Metering::Epochs => Some(&self.0.plain),
            Metering::Fuel => self.0.metered.get(),
        };
        variant.map(|variant| variant.ticker.running())
    }

    /// A fresh interpreter, or why there is none.
    pub(crate) async fn instantiate(
        &self,
        config: &SandboxConfig,
        metering: Metering,
    ) -> Result<Instance, String> {
        let variant = self.ready(metering).await.map_err(|error| error.to_string())?;
        let memory = config.limits.memory_bytes;
        if memory < variant.smallest_memory {
            return Err(format!(
                "a memory limit of {memory} bytes is less than the {} bytes that Python starts with",
                variant.smallest_memory
            ));
        }
        let instance = Instance::new(&variant.image, metering, self.signals(), config).await;
        instance.map_err(|error| format!("{error:#}"))
    }

    /// The memory of an interpreter that has not run.
    pub(crate) async fn image_memory(&self) -> Result<Image<'_>, String> {
        let config = SandboxConfig::default();
        let make = || self.instantiate(&config, Metering::Epochs);
        Ok(self.0.untouched.get_or_try_init(make).await?.image())
    }

    /// The variant; the first use of one unpacks it, which is nothing to do on a thread that other
    /// tasks wait for.
    async fn ready(&self, metering: Metering) -> Result<&Variant, EngineError> {
        if metering == Metering::Fuel && self.0.metered.get().is_none() {
            let engine = self.clone();
            let made = tokio::task::spawn_blocking(move || engine.variant(metering).map(drop));
            made.await.map_err(|error| EngineError::Engine(error.to_string()))??;
        }
        self.variant(metering)
    }

    fn signals(&self) -> Signals {
        self.0.description.signals
    }

    fn variant(&self, metering: Metering) -> Result<&Variant, EngineError> {
        if metering == Metering::Epochs {
            return Ok(&self.0.plain);
        }
        if let Some(metered) = self.0.metered.get() {
            return Ok(metered);
        }
        // Two first sessions may both make one; the second is dropped.
        let metered = Variant::new(&self.0.description, metering)?;
        Ok(self.0.metered.get_or_init(|| metered))
    }
}

impl Variant {
    fn new(description: &ImageInfo, metering: Metering) -> Result<Self, EngineError> {
        let unpacked = image::open(image::variant(description, metering)?)?;
        let (engine, allocation) = make_engine(metering)?;
        // SAFETY: `image::open` has compared the file's hash with the one that was compiled in
        // beside the image: it is what `Engine::precompile_module` gave when this program was
        // built. It lies in a folder that only this user can write, under a name made of its hash,
        // and is replaced by renaming, never written in place; so it does not change while mapped.
        let module = unsafe { Module::deserialize_open_file(&engine, unpacked.file) }?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker)?;
        let smallest_memory = smallest_memory(&module);
        let image = linker.instantiate_pre(&module)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self { image, ticker, allocation, file: unpacked.path, smallest_memory })
    }
}

impl fmt::Debug for WasmEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WasmEngine").field("info", &self.0.info).finish_non_exhaustive()
    }
}

impl EngineInfo {
    fn new(image: &ImageInfo, plain: &Variant) -> Self {
        Self {
            python: image.python.clone(),
            wasmtime: image.wasmtime.clone(),
            image: image.snapshot.chars().take(12).collect(),
            image_file: plain.file.clone(),
            allocation: plain.allocation,
        }
    }
}

/// With a pool if there is address space for one; with pages kept warm if the system can say which
/// are dirty (Linux 6.7), because cleaning all of them would cost milliseconds.
fn make_engine(metering: Metering) -> Result<(Engine, Allocation), EngineError> {
    for dirty_pages in [Enabled::Yes, Enabled::No] {
        let mut config = engine_config(metering);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(dirty_pages)));
        if let Ok(engine) = Engine::new(&config) {
            return Ok((engine, Allocation::Pooling));
        }
    }
    Ok((Engine::new(&engine_config(metering))?, Allocation::OnDemand))
}

fn pool(dirty_pages: Enabled) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(SESSIONS)
        .total_memories(SESSIONS)
        .total_tables(SESSIONS)
        .total_stacks(SESSIONS)
        .table_elements(20_000)
        .max_memory_size(4 << 30)
        // A place that was used is used again before a new one is: what the engine keeps mapped
        // follows from the most sessions that ever lived at once, not from how many there were.
        .max_unused_warm_slots(0);
    if matches!(dirty_pages, Enabled::Yes) {
        pool.linear_memory_keep_resident(KEPT_BYTES).table_keep_resident(KEPT_BYTES);
    }
    pool.pagemap_scan(dirty_pages);
    pool
}

fn smallest_memory(module: &Module) -> u64 {
    let memory = module.exports().find_map(|export| export.ty().memory().cloned());
    memory.map_or(0, |memory| memory.minimum().saturating_mul(memory.page_size()))
}
