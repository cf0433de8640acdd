//! The image compiled without a look at any clock or counter: what metering costs is the difference to it.
//! It cannot be stopped, so it is for programs that end.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use pcm_python_wasm::{Inputs, Metering, SNAPSHOT_FILE, engine_config};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use wasmtime::{Caller, Engine, Extern, Instance, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

use crate::{Column, Program};

/// No repr, the longest value, the highest recursion limit, a fresh state; see `Guest.run`.
const OPTIONS: &[u8] = b"0 1000 10000 1";
const BUFFER_BYTES: i32 = 1 << 16;

pub(crate) struct Unmetered {
    engine: Engine,
    module: Module,
    runtime: Runtime,
}

struct State {
    wasi: WasiP1Ctx,
    output: Vec<u8>,
}

impl Unmetered {
    /// Compiles the snapshot of the image: ten seconds on an idle machine.
    pub(crate) fn compile() -> Result<Self> {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = benches.ancestors().nth(2).context("no workspace")?;
        let snapshot = Inputs::locate(workspace)?.image_folder()?.join(SNAPSHOT_FILE);
        let packed = std::fs::File::open(&snapshot).with_context(|| snapshot.display().to_string());
        let mut config = engine_config(Metering::Epochs);
        let engine = Engine::new(config.epoch_interruption(false)).map_err(plain)?;
        let module = Module::new(&engine, zstd::decode_all(packed?)?).map_err(plain)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { engine, module, runtime })
    }

    async fn instantiate(&self) -> wasmtime::Result<(Store<State>, Instance)> {
        let wasi = WasiCtxBuilder::new().build_p1();
        let mut store = Store::new(&self.engine, State { wasi, output: Vec::new() });
        let mut linker = Linker::new(&self.engine);
        p1::add_to_linker_async(&mut linker, |state: &mut State| &mut state.wasi)?;
        for import in self.module.imports().filter(|import| import.module() == "pcm") {
            if import.name() == "emit" {
                linker.func_wrap("pcm", "emit", emit)?;
            } else {
                let function = import.ty().unwrap_func().clone();
                linker.func_new("pcm", import.name(), function, |_, _, _| {
                    wasmtime::bail!("the programs need no host")
                })?;
            }
        }
        let instance = linker.instantiate_async(&mut store, &self.module).await?;
        Ok((store, instance))
    }

    async fn evaluate(&self, source: &[u8]) -> wasmtime::Result<(Duration, Vec<u8>)> {
        let (mut store, instance) = self.instantiate().await?;
        let buffer = instance.get_typed_func::<i32, i32>(&mut store, "pcm_buffer")?;
        let run = instance.get_typed_func::<(i32, i32), i64>(&mut store, "pcm_run")?;
        let Some(memory) = instance.get_memory(&mut store, "memory") else {
            wasmtime::bail!("the image exports no memory")
        };
        let at = buffer.call_async(&mut store, BUFFER_BYTES).await?.cast_unsigned() as usize;
        memory.write(&mut store, at, OPTIONS)?;
        memory.write(&mut store, at + OPTIONS.len(), source)?;
        let lengths = (i32::try_from(OPTIONS.len())?, i32::try_from(source.len())?);
        let began = thread_time();
        let outcome = run.call_async(&mut store, lengths).await?.cast_unsigned();
        let time = thread_time().saturating_sub(began);
        let (at, length) = ((outcome >> 32) as usize, (outcome & 0xffff_ffff) as usize);
        let outcome = memory.data(&store).get(at..).and_then(|rest| rest.get(..length));
        if outcome != Some(b"{\"value\":null}") {
            let said = String::from_utf8_lossy(outcome.unwrap_or_default());
            wasmtime::bail!("the program ended with {said}");
        }
        Ok((time, std::mem::take(&mut store.data_mut().output)))
    }
}

impl Column for Unmetered {
    fn name(&self) -> &'static str {
        "wasm, unmetered"
    }

    fn run(&self, program: &Program) -> Result<(Duration, String)> {
        let evaluated = self.runtime.block_on(self.evaluate(program.source.as_bytes()));
        let (time, output) = evaluated.map_err(plain)?;
        match String::from_utf8(output) {
            Ok(output) => Ok((time, output)),
            Err(error) => bail!("{error}"),
        }
    }
}

/// Takes what the program prints.
fn emit(
    mut guest: Caller<'_, State>,
    _channel: i32,
    at: i32,
    length: i32,
) -> wasmtime::Result<i32> {
    let Some(Extern::Memory(memory)) = guest.get_export("memory") else {
        wasmtime::bail!("the image exports no memory")
    };
    let (data, state) = memory.data_and_store_mut(&mut guest);
    let (at, length) = (at.cast_unsigned() as usize, length.cast_unsigned() as usize);
    match data.get(at..).and_then(|rest| rest.get(..length)) {
        Some(printed) => state.output.extend_from_slice(printed),
        None => wasmtime::bail!("the guest named bytes that are not in its memory"),
    }
    Ok(0)
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The engine has an error type of its own.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}
