//! Sessions over and over in one process: what they held comes back.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_api::{ErrorKind, Executor as _, Limits, NoHost, RunRequest, SessionState};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};

/// What swallows the interrupt, so that only the hard stop helps.
const STUBBORN: &str = "while True:\n  try:\n    while True: pass\n  except BaseException: pass";
/// The cycles after which everything that is made once has been made.
const SETTLED: u32 = 20;

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_two_hundred_hard_stops_leave_nothing_behind() {
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let sandbox = DenoSandbox::new(DenoEngine::new(), limits);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    let mut settled = 0;
    for cycle in 0..200 {
        let result = sandbox.run(RunRequest::new("40 + 2")).await;
        assert_eq!(result.value, 42, "{result:?}");
        let result = sandbox.run(RunRequest::new(STUBBORN)).await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Timeout));
        assert_eq!(result.session, SessionState::Reset);
        if cycle == SETTLED {
            settled = resident_kilobytes();
        }
    }
    let end = resident_kilobytes();
    assert!(end * 10 <= settled * 11, "{settled} kB after {SETTLED} cycles, {end} kB in the end");
    sandbox.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_held_is_gone_when_it_is_closed() {
    let engine = DenoEngine::new();
    engine.set_spares(0);
    let session = async || {
        let sandbox = DenoSandbox::new(engine.clone(), Limits::default());
        sandbox.start(Arc::new(NoHost)).await.unwrap();
        let result = sandbox.run(RunRequest::new("x = bytearray(200_000_000); len(x)")).await;
        assert_eq!(result.value, 200_000_000);
        sandbox.close().await;
    };
    session().await;
    let before = resident_kilobytes();
    for _ in 0..5 {
        session().await;
    }
    let after = resident_kilobytes();
    assert!(after < before + (64 << 10), "{before} kB before, {after} kB after");
}
