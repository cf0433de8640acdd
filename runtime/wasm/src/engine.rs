//! What all sessions of a process share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use pcm_python_wasm::{ImageInfo, Metering, Signals, engine_config};
use pcm_runtime_api::{Limits, Mount, MountAccess, SandboxConfig};
use pcm_runtime_guest::PACKAGES_FOLDER;
use tokio::sync::OnceCell;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, ProfilingStrategy,
};

use crate::bundle::Refused;
use crate::cache::{Cache, Unpacked};
use crate::image;
use crate::imports::{self, GuestState};
use crate::instance::Instance;
use crate::opened::{self, ExaminedImage, ImageContents, Opened};
use crate::pagemap;
use crate::pages::Image;
use crate::saved::Origin;
use crate::ticker::{Ticker, Ticking};

/// The sessions that an engine has room for. Room is address space, 4 GiB each, not memory.
const SESSIONS: u32 = 1_000;
/// Those of an engine for one session: itself, and the one that others are compared with.
const FEW_SESSIONS: u32 = 4;
/// Dirty memory of an ended session that is cleaned in place: the next session, or a fork into its
/// place, starts without page faults. What is beyond goes back to the system.
const KEPT_BYTES: usize = 12 << 20;

/// The compiled image and the places for its instances. Clones share one engine.
#[derive(Clone)]
pub struct WasmEngine(Arc<Shared>);

struct Shared {
    description: ImageInfo,
    source: Source,
    sessions: u32,
    plain: Variant,
    /// Made when the first session counts fuel.
    metered: OnceLock<Variant>,
    /// An instance that never runs, to compare others with; made when the first is compared.
    untouched: OnceCell<Instance>,
    info: EngineInfo,
}

/// Where the compiled code comes from.
enum Source {
    /// This program.
    Embedded,
    /// A file.
    Opened(Box<Opened>),
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
    /// The file of an image cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of an image was changed, was signed with another key, or is one for another version.
    #[error("the image is refused: {0}")]
    Refused(String),
    /// An image could not be made of a session.
    #[error("the image cannot be made: {0}")]
    NotMade(String),
}

impl From<Refused> for EngineError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.to_string())
    }
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

static SHARED: OnceLock<WasmEngine> = OnceLock::new();

impl WasmEngine {
    /// The engine of this process; the first caller makes it.
    pub fn shared() -> Result<Self, EngineError> {
        if let Some(engine) = Self::shared_already() {
            return Ok(engine);
        }
        // Two first callers may both make one; the second is dropped.
        let engine = Self::new()?;
        Ok(SHARED.get_or_init(|| engine).clone())
    }

    /// The engine of this process, if somebody has made it: then nobody has to wait for it.
    pub fn shared_already() -> Option<Self> {
        SHARED.get().cloned()
    }

    /// Another engine.
    pub fn new() -> Result<Self, EngineError> {
        Self::of(image::info()?, Source::Embedded, SESSIONS)
    }

    /// One with room for a session and what its checkpoints need, for a process that has no other: address
    /// space that others would have counts against the bounds of a process.
    pub fn for_one_session() -> Result<Self, EngineError> {
        Self::of(image::info()?, Source::Embedded, FEW_SESSIONS)
    }

    /// An engine whose sessions begin as an image of a session, that
    /// [`WasmSandbox::image`](crate::WasmSandbox::image) made and signed with this key.
    ///
    /// In the image is machine code that runs in this process outside of every wall. Its signature
    /// is all that tells it from a forged one: who knows the key can run programs as its user.
    pub fn from_image(file: &Path, key: &[u8; 32]) -> Result<Self, EngineError> {
        let opened = opened::open(file, key, &image::info()?, &Cache::of_user())?;
        let description = opened.description.image.clone();
        Self::of(description, Source::Opened(Box::new(opened)), SESSIONS)
    }

    /// What is in the file of an image, and whether [`from_image`](Self::from_image) would take it.
    pub fn examine(file: &Path, key: Option<&[u8; 32]>) -> Result<ExaminedImage, EngineError> {
        opened::examine(file, key, &image::info()?)
    }

    fn of(description: ImageInfo, source: Source, sessions: u32) -> Result<Self, EngineError> {
        let _ = pagemap::of_this_process(); // without it pages are compared
        let unpacked = source.module(&description, Metering::Epochs)?;
        let plain = Variant::new(unpacked, Metering::Epochs, sessions)?;
        let info = EngineInfo::new(&description, &plain);
        Ok(Self(Arc::new(Shared {
            description,
            source,
            sessions,
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

    /// What is in the image; None for the one that is part of this program.
    pub fn contents(&self) -> Option<ImageContents> {
        self.opened().map(|opened| (&opened.description).into())
    }

    /// The packages that the image brings, as every session shall see them.
    pub(crate) fn packages(&self) -> Option<Mount> {
        let host = self.opened()?.packages()?.to_owned().into();
        Some(Mount { host, guest: PACKAGES_FOLDER.to_owned(), access: MountAccess::ReadOnly })
    }

    fn opened(&self) -> Option<&Opened> {
        match &self.0.source {
            Source::Embedded => None,
            Source::Opened(opened) => Some(opened),
        }
    }

    /// What the engine's image says of itself.
    pub(crate) fn description(&self) -> &ImageInfo {
        &self.0.description
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
                "a memory limit of {memory} bytes is less than the {} bytes that sessions of {} \
                 start with",
                variant.smallest_memory,
                if self.opened().is_some() { "this image" } else { "Python" },
            ));
        }
        variant.ticker.start().map_err(|error| error.to_string())?;
        let instance = Instance::new(&variant.image, metering, self.signals(), config).await;
        instance.map_err(|error| format!("{error:#}"))
    }

    /// The memory of an interpreter that has not run.
    pub(crate) async fn image_memory(&self) -> Result<Image<'_>, String> {
        let unlimited = Limits { memory_bytes: u64::MAX, ..Limits::default() };
        let config = SandboxConfig::from(unlimited);
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
        let unpacked = self.0.source.module(&self.0.description, metering)?;
        let metered = Variant::new(unpacked, metering, self.0.sessions)?;
        Ok(self.0.metered.get_or_init(|| metered))
    }
}

impl Source {
    fn module(&self, description: &ImageInfo, metering: Metering) -> io::Result<Unpacked> {
        match self {
            Self::Embedded => Cache::of_user().open(image::variant(description, metering)?),
            Self::Opened(opened) => opened.module(metering),
        }
    }
}

impl Variant {
    fn new(unpacked: Unpacked, metering: Metering, sessions: u32) -> Result<Self, EngineError> {
        let (engine, allocation) = make_engine(metering, sessions)?;
        // SAFETY: `cache.rs` has compared the file's hash with one that was compiled in beside the
        // image, or signed with the key of this user: it is what `Engine::precompile_module` gave
        // when this program, or the user's image, was made. It lies in a folder that only this user
        // can write, under a name made of its hash, and is replaced by renaming, never written in
        // place; so it does not change while mapped.
        let module = unsafe { Module::deserialize_open_file(&engine, unpacked.file) }?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker)?;
        let smallest_memory = smallest_memory(&module);
        let image = linker.instantiate_pre(&module)?;
        let ticker = Ticker::new(&engine);
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
fn make_engine(metering: Metering, sessions: u32) -> Result<(Engine, Allocation), EngineError> {
    for dirty_pages in [Enabled::Yes, Enabled::No] {
        let mut config = configured(metering);
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(dirty_pages, sessions)));
        if let Ok(engine) = Engine::new(&config) {
            return Ok((engine, Allocation::Pooling));
        }
    }
    Ok((Engine::new(&configured(metering))?, Allocation::OnDemand))
}

fn configured(metering: Metering) -> Config {
    let mut config = engine_config(metering);
    if cfg!(feature = "profiling") {
        config.profiler(ProfilingStrategy::PerfMap);
    }
    config
}

fn pool(dirty_pages: Enabled, sessions: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(sessions)
        .total_memories(sessions)
        .total_tables(sessions)
        .total_stacks(sessions)
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
