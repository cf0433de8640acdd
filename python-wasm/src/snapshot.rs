//! Boot, snapshot, compile, compress.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use wasmtime::{Caller, Engine, Instance, Linker, Module, Store, Val};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::engine::{Metering, engine_config};
use crate::inputs::Inputs;

/// The function of the module that boots Python.
const INIT: &str = "pcm_init";
/// The function of the module that prepares a further snapshot.
const FREEZE: &str = "pcm_freeze";
/// Compiled code must run on every machine of the architecture, not only on the one that made it.
const TARGET: &str = env!("PCM_TARGET");
/// A tenth larger than the best ratio, in a tenth of its time; unpacking costs the same.
const COMPRESSION_LEVEL: i32 = 9;
const MAX_BOOT_MESSAGES: usize = 64 << 10;

/// What is known of an image; `image.json` beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageInfo {
    /// BLAKE3 of the snapshot that all variants are compiled from: sessions of one snapshot can be
    /// carried from variant to variant.
    pub snapshot: String,
    /// The version of Python.
    pub python: String,
    /// The version of wasmtime that compiled it.
    pub wasmtime: String,
    /// The words of memory that interrupt Python.
    pub signals: Signals,
    /// The compiled code.
    pub variants: BTreeMap<Metering, Compiled>,
}

/// One compiled variant of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// BLAKE3 of the uncompressed module.
    pub blake3: String,
    /// Bytes of the uncompressed module.
    pub size: u64,
}

/// Where Python looks for signals, in linear memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// The word that says that any signal arrived.
    pub any: u32,
    /// The word that says that SIGINT did.
    pub interrupt: u32,
    /// The word that the evaluation loop looks at.
    pub breaker: u32,
    /// The bit of `breaker` that stands for signals.
    pub breaker_bit: u32,
}

/// The files of an image in its folder, besides `image.json`.
pub fn variant_file(metering: Metering) -> &'static str {
    match metering {
        Metering::Epochs => "python.cwasm.zst",
        Metering::Fuel => "python-fuel.cwasm.zst",
    }
}

/// The snapshot before it is compiled, for whoever compiles it in another way.
pub const SNAPSHOT_FILE: &str = "python.wasm.zst";

/// The snapshot without its memory, for images of sessions.
pub const CODE_FILE: &str = "code.wasm.zst";

/// Makes the image and puts it into its folder of the cache.
pub async fn build_image(inputs: &Inputs, progress: impl Fn(&str)) -> Result<ImageInfo> {
    let python = read(&inputs.python.join("python.wasm"))?;
    let boot = boot_folder(inputs)?;
    progress("snapshot");
    let (snapshot, signals) = snapshot(&python, boot.path()).await?;
    let mut files = BTreeMap::from([
        (SNAPSHOT_FILE, compress(&snapshot)?),
        (CODE_FILE, compress(&with_memory(&snapshot, &vec![0; 1 << 16], 0).await?)?),
    ]);
    let (variants, packed) = compile_all(&snapshot, progress)?;
    files.extend(packed.into_iter().map(|(metering, packed)| (variant_file(metering), packed)));
    let info = ImageInfo {
        snapshot: hash(&snapshot),
        python: python_version(&snapshot).unwrap_or_else(|| "unknown".to_owned()),
        wasmtime: inputs.engine_version()?,
        signals,
        variants,
    };
    store(&inputs.image_folder()?, &files, &info)?;
    Ok(info)
}

/// Compressed modules.
pub type Packed = BTreeMap<Metering, Vec<u8>>;

/// Makes an image of a session of an image that is described by `base` and has the code `code`: the
/// sessions of the new one begin with `memory`.
pub async fn image_of_session(
    base: &ImageInfo,
    code: &[u8],
    memory: &[u8],
    stack_pointer: i32,
    progress: impl Fn(&str),
) -> Result<(ImageInfo, Packed)> {
    let snapshot = with_memory(code, memory, stack_pointer).await?;
    let (variants, packed) = compile_all(&snapshot, progress)?;
    Ok((ImageInfo { snapshot: hash(&snapshot), variants, ..base.clone() }, packed))
}

fn compile_all(
    snapshot: &[u8],
    progress: impl Fn(&str),
) -> Result<(BTreeMap<Metering, Compiled>, Packed)> {
    let (mut variants, mut packed) = (BTreeMap::new(), Packed::new());
    for metering in Metering::ALL {
        progress(match metering {
            Metering::Epochs => "compile",
            Metering::Fuel => "compile, with fuel",
        });
        let compiled = compile(snapshot, metering)?;
        packed.insert(metering, compress(&compiled)?);
        let (blake3, size) = (hash(&compiled), compiled.len() as u64);
        variants.insert(metering, Compiled { blake3, size });
    }
    Ok((variants, packed))
}

/// The module with other contents of its memory.
async fn with_memory(module: &[u8], memory: &[u8], stack_pointer: i32) -> Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func(FREEZE).keep_init_func(true);
    let (context, _) = wizer.instrument(module).map_err(plain)?;
    wizer.snapshot(&context, &mut Held { memory, stack_pointer }).await.map_err(plain)
}

/// A state that is held in bytes.
struct Held<'a> {
    memory: &'a [u8],
    stack_pointer: i32,
}

impl InstanceState for Held<'_> {
    /// The module has one global.
    async fn global_get(&mut self, _: &str, _: ValType) -> SnapshotVal {
        SnapshotVal::I32(self.stack_pointer)
    }

    async fn memory_contents(&mut self, _: &str, contents: impl FnOnce(&[u8]) + Send) {
        contents(self.memory);
    }
}

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

fn compress(content: &[u8]) -> Result<Vec<u8>> {
    Ok(zstd::encode_all(content, COMPRESSION_LEVEL)?)
}

/// Boots Python in `wasm` with `boot` shown to it as `/boot`, and an empty folder as its working
/// folder, and gives the module whose memory is what the boot left.
async fn snapshot(wasm: &[u8], boot: &Path) -> Result<(Vec<u8>, Signals)> {
    let mut config = engine_config(Metering::Epochs);
    let engine = Engine::new(config.epoch_interruption(false)).map_err(plain)?;
    let messages = MemoryOutputPipe::new(MAX_BOOT_MESSAGES);
    let work = tempfile::tempdir()?;
    let context = boot_wasi(boot, work.path(), messages.clone()).map_err(plain)?;
    let mut store = Store::new(&engine, context);
    let mut wizer = Wizer::new();
    wizer.init_func(INIT).keep_init_func(false);
    let (context, instrumented) = wizer.instrument(wasm).map_err(plain)?;
    let module = Module::new(&engine, instrumented).map_err(plain)?;
    let booted = boot_instance(&mut store, &module).await;
    let instance = booted
        .map_err(plain)
        .with_context(|| String::from_utf8_lossy(&messages.contents()).into_owned())?;
    let signals = signals(&mut store, instance).await.map_err(plain)?;
    let state = &mut Booted { store: &mut store, instance };
    let snapshot = wizer.snapshot(&context, state).await.map_err(plain)?;
    Ok((snapshot, signals))
}

/// Asks the glue for its four words; see `glue/signals.c`.
async fn signals(store: &mut Store<WasiP1Ctx>, instance: Instance) -> wasmtime::Result<Signals> {
    let function = instance.get_typed_func::<(), u32>(&mut *store, "pcm_signals")?;
    let at = function.call_async(&mut *store, ()).await?;
    let Some(memory) = instance.get_memory(&mut *store, "memory") else {
        wasmtime::bail!("the module exports no memory")
    };
    let mut bytes = [0; 16];
    memory.read(&*store, at as usize, &mut bytes)?;
    let [any, interrupt, breaker, breaker_bit] = [0, 4, 8, 12]
        .map(|i| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]));
    Ok(Signals { any, interrupt, breaker, breaker_bit })
}

/// Compiles a module for this architecture's baseline.
fn compile(wasm: &[u8], metering: Metering) -> Result<Vec<u8>> {
    let mut config = engine_config(metering);
    config.target(TARGET).map_err(plain)?;
    let engine = Engine::new(&config).map_err(plain)?;
    engine.precompile_module(wasm).map_err(plain)
}

/// The version that the interpreter says of itself: `3.13.5 (main, …`.
fn python_version(snapshot: &[u8]) -> Option<String> {
    let at = snapshot.windows(6).position(|w| w.starts_with(b"3.13.") && w[5].is_ascii_digit())?;
    let version = snapshot[at..].split(|byte| !byte.is_ascii_digit() && *byte != b'.').next()?;
    String::from_utf8(version.to_vec()).ok()
}

/// The folder that the guest sees as `/boot`.
fn boot_folder(inputs: &Inputs) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let boot = folder.path();
    copy_python(&inputs.boot(), boot)?;
    copy_python(&inputs.guest(), &boot.join("pcm_guest"))?;
    copy_python(&inputs.python.join("lib"), &boot.join("lib"))?;
    fs::write(boot.join("stdlib.bin"), read(&inputs.python.join("stdlib.bin"))?)?;
    Ok(folder)
}

fn copy_python(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() && !path.ends_with("__pycache__") {
            copy_python(&path, &target)?;
        } else if path.extension().is_some_and(|suffix| suffix == "py") {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

/// WASI with nothing of this machine in it: the same image comes out wherever it is made.
fn boot_wasi(boot: &Path, work: &Path, messages: MemoryOutputPipe) -> wasmtime::Result<WasiP1Ctx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(messages.clone())
        .stderr(messages)
        .wall_clock(StoppedClock)
        .monotonic_clock(StoppedClock)
        .secure_random(Deterministic::new((0..=255).collect()))
        .preopened_dir(boot, "/boot", FsPerms::ReadOnly)?
        .preopened_dir(work, "/work", FsPerms::ReadOnly)?;
    Ok(wasi.build_p1())
}

/// Time during the boot. Not zero: Python takes 0 for a clock that is missing.
struct StoppedClock;

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
    fn now(&self) -> Duration {
        Duration::from_secs(1_700_000_000)
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }
    fn now(&self) -> u64 {
        1_000_000_000
    }
}

async fn boot_instance(
    store: &mut Store<WasiP1Ctx>,
    module: &Module,
) -> wasmtime::Result<Instance> {
    let mut linker = Linker::new(store.engine());
    p1::add_to_linker_async(&mut linker, |wasi: &mut WasiP1Ctx| wasi)?;
    for import in module.imports().filter(|import| import.module() == "pcm") {
        let function = import.ty().unwrap_func().clone();
        linker.func_new("pcm", import.name(), function, |_: Caller<'_, WasiP1Ctx>, _, _| {
            wasmtime::bail!("there is no host while the snapshot is made")
        })?;
    }
    let instance = linker.instantiate_async(&mut *store, module).await?;
    for function in ["_initialize", INIT] {
        let function = instance.get_typed_func::<(), ()>(&mut *store, function)?;
        function.call_async(&mut *store, ()).await?;
    }
    Ok(instance)
}

/// The state that the snapshot is taken of.
struct Booted<'a> {
    store: &'a mut Store<WasiP1Ctx>,
    instance: Instance,
}

impl InstanceState for Booted<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut *self.store, name);
        match global.map(|global| global.get(&mut *self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            other => unreachable!("a C program has no global like {name}: {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut *self.store, name) {
            Some(memory) => contents(memory.data(&*self.store)),
            None => unreachable!("the snapshot asks for memories that it found: {name}"),
        }
    }
}

/// Written aside and moved into place, the description last: a folder with one is complete.
fn store(folder: &Path, files: &BTreeMap<&str, Vec<u8>>, info: &ImageInfo) -> Result<()> {
    fs::create_dir_all(folder)?;
    let description = serde_json::to_vec_pretty(info)?;
    let files = files.iter().map(|(name, content)| (*name, content));
    for (name, content) in files.chain([("image.json", &description)]) {
        let file = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(file.path(), content)?;
        file.persist(folder.join(name))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{}: run `./x setup`", path.display()))
}

/// The engine has an error type of its own.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}
