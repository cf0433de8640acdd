//! Boot, snapshot, compile, compress.

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

use crate::engine::engine_config;
use crate::inputs::Inputs;

/// The function of the module that boots Python.
const INIT: &str = "pcm_init";
/// Compiled code must run on every machine of the architecture, not only on the one that made it.
const TARGET: &str = env!("PCM_TARGET");
/// A tenth larger than the best ratio, in a tenth of its time; unpacking costs the same.
const COMPRESSION_LEVEL: i32 = 9;
const MAX_BOOT_MESSAGES: usize = 64 << 10;

/// What is known of an image; `image.json` beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageInfo {
    /// BLAKE3 of the uncompressed module.
    pub blake3: String,
    /// Bytes of the uncompressed module.
    pub size: u64,
    /// The version of Python.
    pub python: String,
    /// The version of wasmtime that compiled it.
    pub wasmtime: String,
}

/// Makes the image and puts it into its folder of the cache.
pub async fn build_image(inputs: &Inputs, progress: impl Fn(&str)) -> Result<ImageInfo> {
    let python = read(&inputs.python.join("python.wasm"))?;
    let boot = boot_folder(inputs)?;
    progress("snapshot");
    let snapshot = snapshot(&python, boot.path()).await?;
    progress("compile");
    let compiled = compile(&snapshot)?;
    progress("compress");
    let packed = zstd::encode_all(compiled.as_slice(), COMPRESSION_LEVEL)?;
    let info = ImageInfo {
        blake3: blake3::hash(&compiled).to_hex().to_string(),
        size: compiled.len() as u64,
        python: python_version(&snapshot).unwrap_or_else(|| "unknown".to_owned()),
        wasmtime: inputs.engine_version()?,
    };
    store(&inputs.image_folder()?, &packed, &info)?;
    Ok(info)
}

/// Boots Python in `wasm` with `boot` shown to it as `/boot`, and gives the module whose memory is
/// what the boot left.
async fn snapshot(wasm: &[u8], boot: &Path) -> Result<Vec<u8>> {
    let engine = Engine::new(engine_config().epoch_interruption(false)).map_err(plain)?;
    let messages = MemoryOutputPipe::new(MAX_BOOT_MESSAGES);
    let mut store = Store::new(&engine, boot_wasi(boot, messages.clone()).map_err(plain)?);
    let mut wizer = Wizer::new();
    wizer.init_func(INIT).keep_init_func(false);
    let (context, instrumented) = wizer.instrument(wasm).map_err(plain)?;
    let module = Module::new(&engine, instrumented).map_err(plain)?;
    let booted = boot_instance(&mut store, &module).await;
    let instance = booted
        .map_err(plain)
        .with_context(|| String::from_utf8_lossy(&messages.contents()).into_owned())?;
    let state = &mut Booted { store: &mut store, instance };
    wizer.snapshot(&context, state).await.map_err(plain)
}

/// Compiles a module for this architecture's baseline.
fn compile(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut config = engine_config();
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
fn boot_wasi(boot: &Path, messages: MemoryOutputPipe) -> wasmtime::Result<WasiP1Ctx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(messages.clone())
        .stderr(messages)
        .wall_clock(StoppedClock)
        .monotonic_clock(StoppedClock)
        .secure_random(Deterministic::new((0..=255).collect()))
        .preopened_dir(boot, "/boot", FsPerms::ReadOnly)?;
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
fn store(folder: &Path, packed: &[u8], info: &ImageInfo) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, content) in
        [("python.cwasm.zst", packed), ("image.json", &serde_json::to_vec_pretty(info)?)]
    {
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
