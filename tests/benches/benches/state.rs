//! The wasm wall: what it costs to keep a session's state and to come back to it.
//!
//! Dirty memory is what a session has changed of the image: `6 MiB` are 6 MiB of its own besides the
//! half megabyte that any session has.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::cell::Cell;
use std::sync::Arc;

use divan::Bencher;
use pcm_benches::machine;
use pcm_runtime_api::{Executor, Limits, NoHost, RunRequest, SandboxConfig};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::Runtime;

const KEY: [u8; 32] = [1; 32];

fn main() {
    println!("{}", machine());
    divan::main();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A session that holds `mebibytes` of data of its own, page by page.
async fn holding(mebibytes: usize, rollback: bool) -> WasmSandbox {
    let engine = WasmEngine::shared().expect("the engine starts");
    let config = SandboxConfig { rollback, ..Limits::default().into() };
    let sandbox = WasmSandbox::new(engine, config);
    sandbox.start(Arc::new(NoHost)).await.expect("a session starts");
    let fill = "import random
data = bytearray(SIZE << 20)
for i in range(SIZE):
    data[i << 20:(i + 1) << 20] = random.randbytes(1 << 20)";
    run(&sandbox, &fill.replace("SIZE", &mebibytes.to_string())).await;
    sandbox
}

async fn run(sandbox: &dyn Executor, code: &str) {
    let result = sandbox.run(RunRequest::new(code)).await;
    assert!(result.is_ok(), "{:?}", result.error);
}

/// The fork itself; what it copied is freed outside the measurement.
#[divan::bench(args = [0, 1, 6, 32], sample_count = 200, sample_size = 1)]
fn fork(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    bencher.bench_local(|| runtime.block_on(sandbox.fork()).expect("a fork"));
}

/// The fork and its first result.
#[divan::bench(args = [0, 6], sample_count = 200, sample_size = 1)]
fn fork_to_first_result(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    bencher.bench_local(|| {
        runtime.block_on(async {
            let fork = sandbox.fork().await.expect("a fork");
            run(&*fork, "1 + 1").await;
            fork
        })
    });
}

/// The first checkpoint of a session.
#[divan::bench(args = [0, 1, 6, 32], sample_count = 100, sample_size = 1)]
fn first_checkpoint(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    bencher.with_inputs(|| runtime.block_on(holding(mebibytes, false))).bench_local_values(
        |sandbox| {
            runtime.block_on(sandbox.checkpoint()).expect("a checkpoint");
            sandbox
        },
    );
}

/// A checkpoint in place of the last one, after 1 MiB was written to page by page, of a session that
/// holds this much.
#[divan::bench(args = [1, 6, 32, 128], sample_count = 100, sample_size = 1)]
fn checkpoint_after_one_mebibyte(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    let change = "for i in range(0, 1 << 20, 4096): data[i] ^= 1";
    let last = Cell::new(runtime.block_on(sandbox.checkpoint()).expect("a checkpoint"));
    bencher.with_inputs(|| runtime.block_on(run(&sandbox, change))).bench_local_values(|()| {
        let next = runtime.block_on(sandbox.checkpoint()).expect("a checkpoint");
        runtime.block_on(sandbox.drop_checkpoint(last.replace(next)));
    });
}

/// Back to a checkpoint: the old interpreter goes, a fresh one takes its place.
#[divan::bench(args = [0, 1, 6, 32], sample_count = 100, sample_size = 1)]
fn restore(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    let checkpoint = runtime.block_on(sandbox.checkpoint()).expect("a checkpoint");
    bencher.bench_local(|| runtime.block_on(sandbox.restore(checkpoint)).expect("the checkpoint"));
}

/// A trivial run with a checkpoint before it.
#[divan::bench(args = [0, 6, 32], sample_count = 200, sample_size = 1)]
fn run_with_rollback(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, true));
    bencher.bench_local(|| runtime.block_on(run(&sandbox, "1 + 1")));
}

#[divan::bench(args = [0, 6], sample_count = 50, sample_size = 1)]
fn save(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    bencher.bench_local(|| runtime.block_on(sandbox.save(&KEY)).expect("its bytes"));
}

#[divan::bench(args = [0, 6], sample_count = 50, sample_size = 1)]
fn load(bencher: Bencher<'_, '_>, mebibytes: usize) {
    let runtime = runtime();
    let sandbox = runtime.block_on(holding(mebibytes, false));
    let saved = runtime.block_on(sandbox.save(&KEY)).expect("its bytes");
    bencher.bench_local(|| runtime.block_on(sandbox.load(&saved, &KEY)).expect("the state"));
}
