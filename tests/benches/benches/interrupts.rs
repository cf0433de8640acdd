//! How late code is stopped: the time from its deadline to its result, and whether the session kept
//! its variables.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_benches::{is_wanted, machine, median_and_most};
use pcm_runtime_api::{
    ErrorKind, Executor, HostCall, HostError, HostPort, Limits, Payload, RunRequest,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::Builder;

const DEADLINE: Duration = Duration::from_millis(50);
const RUNS: usize = 20;

const PROGRAMS: [(&str, &str); 16] = [
    ("while True: pass", "while True: pass"),
    ("a loop of calls", "def f(n): return n + 1\nwhile True: f(1)"),
    ("9**9**9", "9**9**9"),
    ("math.factorial(10**7)", "import math\nmath.factorial(10**7)"),
    ("a catastrophic regex", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')"),
    ("sorted(key=slow)", "def slow(n):\n    while True: pass\nsorted(range(9), key=slow)"),
    ("sum(range(10**12))", "sum(range(10**12))"),
    ("max(iter(int, 1))", "max(iter(int, 1))"),
    ("copies of 50 MB", "block = bytearray(50 * 10**6)\nwhile True: block[:] = bytes(block)"),
    ("compile() for ever", "while True: compile('1 + ' * 100 + '1', 'x', 'eval')"),
    ("time.sleep(100)", "import time\ntime.sleep(100)"),
    ("await asyncio.sleep(100)", "import asyncio\nawait asyncio.sleep(100)"),
    ("a tool that never answers", "tools.never()"),
    ("the same, awaited", "await tools.never()"),
    ("a loop of quick calls", "while True: tools.quick()"),
    ("swallows everything", "while True:\n    try:\n        while True: pass\n    except: pass"),
];

/// Answers at once or never.
#[derive(Debug)]
struct Host;

#[async_trait]
impl HostPort for Host {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        match call.args.value["name"].as_str() {
            Some("never") => pending().await,
            _ => Ok(Payload::default()),
        }
    }
}

fn main() {
    if !is_wanted("interrupts") {
        return;
    }
    println!("{}", machine());
    println!("deadline {DEADLINE:?}, {RUNS} runs, lateness in ms:\n");
    println!("{:<28}{:>8}{:>8}{:>8}", "", "median", "most", "kept");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (name, code) in PROGRAMS {
        let runs: Vec<(f64, bool)> =
            (0..RUNS).map(|_| runtime.block_on(lateness_of(code))).collect();
        let kept = runs.iter().filter(|(_, kept)| *kept).count();
        let (median, most) = median_and_most(runs.into_iter().map(|(late, _)| late).collect());
        println!("{name:<28}{median:>8.1}{most:>8.1}{kept:>5}/{RUNS}");
    }
}

/// By how many milliseconds a run is late, and whether its session has its variables afterwards.
async fn lateness_of(code: &str) -> (f64, bool) {
    let engine = WasmEngine::shared().expect("the engine starts");
    let limits = Limits { tool_calls: u64::MAX, ..Limits::default() };
    let sandbox = WasmSandbox::new(engine, limits);
    sandbox.start(Arc::new(Host)).await.expect("a session starts");
    assert!(sandbox.run(RunRequest::new("x = 41")).await.is_ok());
    let begin = Instant::now();
    let result = sandbox.run(RunRequest::new(code).timeout(DEADLINE)).await;
    let late = begin.elapsed().saturating_sub(DEADLINE);
    let kind = result.error.as_ref().map(|error| error.kind);
    assert_eq!(kind, Some(ErrorKind::Timeout), "{code}: {result:?}");
    let next = sandbox.run(RunRequest::new("x + 1")).await;
    (late.as_secs_f64() * 1e3, next.value == 42)
}
