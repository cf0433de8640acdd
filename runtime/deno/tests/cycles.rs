//! Sessions over and over in one process: what they held comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_runtime_api::{ErrorKind, Executor as _, Limits, NoHost, RunRequest, SessionState};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_timeouts_leave_nothing_behind() {
    let engine = DenoEngine::new();
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let sandbox = DenoSandbox::new(engine, limits);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    let hard = "while True:\n  try:\n    while True: pass\n  except BaseException: pass";
    let mut begun = 0;
    for cycle in 0..200 {
        let t = Instant::now();
        let result = sandbox.run(RunRequest::new("40 + 2")).await;
        assert_eq!(result.value, 42, "{result:?}");
        let first = t.elapsed();
        let result = sandbox.run(RunRequest::new(hard)).await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Timeout));
        assert_eq!(result.session, SessionState::Reset);
        if cycle == 20 {
            begun = resident();
        }
        if cycle % 10 == 0 {
            eprintln!("{cycle}: {} kB, run {first:?}, cycle {:?}", resident(), t.elapsed());
        }
    }
    sandbox.close().await;
    eprintln!("begun {begun} end {}", resident());
}

#[tokio::test(flavor = "multi_thread")]
async fn zz_time() {
    let engine = DenoEngine::new();
    let mut firsts = Vec::new(); let mut starts = Vec::new(); let mut trivial = Vec::new();
    for _ in 0..40 {
        let sandbox = DenoSandbox::new(engine.clone(), Limits::default());
        let t = Instant::now();
        sandbox.start(Arc::new(NoHost)).await.unwrap();
        starts.push(t.elapsed());
        let t = Instant::now();
        assert!(sandbox.run(RunRequest::new("1+1")).await.is_ok());
        firsts.push(t.elapsed());
        for _ in 0..20 { let t = Instant::now(); assert!(sandbox.run(RunRequest::new("1+1")).await.is_ok()); trivial.push(t.elapsed()); }
        sandbox.close().await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    for (name, times) in [("start", &mut starts), ("first", &mut firsts), ("trivial", &mut trivial)] {
        times.sort(); eprintln!("{name}: p50 {:?} p95 {:?}", times[times.len()/2], times[times.len()*95/100]);
    }
}
