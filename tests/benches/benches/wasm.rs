//! The wasm wall: a fresh session, a trivial run, a host call, memory, and the whole command.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::process::Command;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use pcm_benches::{Echo, machine, private_bytes, whole_process};
use pcm_runtime_api::{Executor, Limits, RunRequest};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::Runtime;

fn main() {
    println!("{}", machine());
    divan::main();
    if std::env::args().len() <= 2 {
        memory_per_session();
        whole_command();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn engine() -> WasmEngine {
    WasmEngine::shared().expect("the engine starts")
}

async fn started(limits: Limits) -> WasmSandbox {
    let sandbox = WasmSandbox::new(engine(), limits);
    sandbox.start(Arc::new(Echo)).await.expect("a session starts");
    sandbox
}

async fn run(sandbox: &WasmSandbox, code: &str) {
    let result = sandbox.run(RunRequest::new(code)).await;
    assert!(result.is_ok(), "{:?}", result.error);
}

/// From nothing to the first result; the session's end is not counted.
#[divan::bench(sample_count = 1000, sample_size = 1)]
fn fresh_session_to_first_result(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    bencher.bench_local(|| {
        runtime.block_on(async {
            let sandbox = started(Limits::default()).await;
            run(&sandbox, "1 + 1").await;
            sandbox
        })
    });
}

/// A run in a session that has run before.
#[divan::bench(sample_count = 2000, sample_size = 1)]
fn trivial_run(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let sandbox = runtime.block_on(started(Limits::default()));
    bencher.bench_local(|| runtime.block_on(run(&sandbox, "1 + 1")));
}

const CALLS: usize = 1000;

fn calls(bencher: Bencher<'_, '_>, code: &str) {
    let runtime = runtime();
    let limits = Limits { tool_calls: u64::MAX, ..Limits::default() };
    let sandbox = runtime.block_on(started(limits));
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| runtime.block_on(run(&sandbox, code)));
}

/// A thousand calls, one after the other; divide by a thousand.
#[divan::bench(sample_count = 30, sample_size = 1)]
fn thousand_host_calls(bencher: Bencher<'_, '_>) {
    calls(bencher, "for i in range(1000): tools.echo(a=i, b=2)");
}

/// A thousand awaited calls, one after the other.
#[divan::bench(sample_count = 30, sample_size = 1)]
fn thousand_awaited_calls(bencher: Bencher<'_, '_>) {
    calls(bencher, "for i in range(1000): await tools.echo(a=i, b=2)");
}

/// A million turns of a generator: how fast the guest computes.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn million_squares(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let sandbox = runtime.block_on(started(Limits::default()));
    bencher.bench_local(|| runtime.block_on(run(&sandbox, "sum(i * i for i in range(10**6))")));
}

fn memory_per_session() {
    const SESSIONS: u32 = 100;
    let runtime = runtime();
    let open = |count: u32| {
        let opened = (0..count).map(|_| {
            let sandbox = runtime.block_on(started(Limits::default()));
            runtime.block_on(run(&sandbox, "x = [i for i in range(100)]; sum(x)"));
            sandbox
        });
        opened.collect::<Vec<_>>()
    };
    // So many that no place is left warm by the benchmarks before.
    let warm = open(50);
    let before = private_bytes();
    let sessions = open(SESSIONS);
    let each = (private_bytes() - before) as f64 / f64::from(SESSIONS) / f64::from(1 << 20);
    println!("\n{SESSIONS} live sessions: {each:.2} MiB of private memory each");
    drop((warm, sessions));
}

/// The built binary beside this benchmark, from its start to its end.
fn whole_command() {
    let Ok(bench) = std::env::current_exe() else { return };
    let binary = bench.with_file_name("../pcm-sandbox");
    match whole_process(Command::new(&binary).args(["run", "-c", "1+1"]), 50) {
        Some(times) => println!(
            "pcm-sandbox run -c '1+1': p50 {:.1?}, p95 {:.1?}, min {:.1?} (50 runs of the whole process)",
            times[25], times[47], times[0]
        ),
        None => println!("no figure for the whole process: build pcm-sandbox first"),
    }
}
