//! The wasm wall: many sessions at once, and what a second thread gives.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_benches::{is_wanted, machine, median_and_most, pss_bytes};
use pcm_runtime_api::{Executor, Limits, NoHost, RunRequest};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};

const SESSIONS: usize = 1000;
const ROUNDS: usize = 5;
const WORK: &str = "sum(i * i for i in range(400_000))";

fn main() {
    println!("{}", machine());
    if is_wanted("live_sessions") {
        live_sessions();
    }
    if is_wanted("threads") {
        threads();
    }
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn started() -> Arc<WasmSandbox> {
    let engine = WasmEngine::shared().expect("the engine starts");
    let sandbox = WasmSandbox::new(engine, Limits::default());
    sandbox.start(Arc::new(NoHost)).await.expect("a session starts");
    Arc::new(sandbox)
}

async fn run(sandbox: &WasmSandbox, code: &str) {
    let result = sandbox.run(RunRequest::new(code)).await;
    assert!(result.is_ok(), "{:?}", result.error);
}

/// All of them have run something, and live.
fn live_sessions() {
    let runtime = runtime(1);
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|number| {
            runtime.block_on(async {
                let sandbox = started().await;
                run(&sandbox, &format!("x = {number}; import json; json.dumps([x])")).await;
                sandbox
            })
        })
        .collect();
    let all = pss_bytes();
    println!(
        "{} live sessions: {:.0} MiB for the whole process, {:.2} MiB each",
        sessions.len(),
        mebibytes(all),
        mebibytes(all) / sessions.len() as f64
    );
}

/// As many sessions as threads compute the same; rounds alternate, so that both have the same noise.
fn threads() {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (threads, times) in (1..).zip(&mut times) {
            times.push(throughput(threads));
        }
    }
    let [one, two] = times.map(|times| median_and_most(times).0);
    println!(
        "runs a second: {one:.1} on one thread, {two:.1} on two: {:.2} times as many",
        two / one
    );
}

/// Runs a second.
fn throughput(threads: usize) -> f64 {
    const RUNS: usize = 8;
    let runtime = runtime(threads);
    runtime.block_on(async {
        let mut sessions = Vec::new();
        for _ in 0..threads {
            let sandbox = started().await;
            run(&sandbox, WORK).await;
            sessions.push(sandbox);
        }
        let start = Instant::now();
        let work = sessions.into_iter().map(|sandbox| {
            tokio::spawn(async move {
                for _ in 0..RUNS {
                    run(&sandbox, WORK).await;
                }
            })
        });
        for done in work.collect::<Vec<_>>() {
            done.await.expect("a task");
        }
        per_second(threads * RUNS, start.elapsed())
    })
}

fn per_second(runs: usize, time: Duration) -> f64 {
    runs as f64 / time.as_secs_f64()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
