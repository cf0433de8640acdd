//! What a session on this wall does that the conformance suite cannot see.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor as _, ExecutorError, Limits, NoHost, RunRequest,
    SandboxConfig, SessionState,
};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};

async fn started(config: impl Into<SandboxConfig>) -> DenoSandbox {
    let sandbox = DenoSandbox::new(DenoEngine::shared(), config);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    sandbox
}

async fn run(sandbox: &DenoSandbox, code: &str) -> ExecutionResult {
    sandbox.run(RunRequest::new(code)).await
}

#[tokio::test]
async fn it_is_pyodide() {
    let sandbox = started(Limits::default()).await;
    let result = run(&sandbox, "import sys; (sys.platform, sys.version_info[0])").await;
    assert_eq!(result.value, serde_json::json!(["emscripten", 3]), "{result:?}");
    assert_eq!(result.backend, "deno-sandbox");
}

#[tokio::test]
async fn sessions_of_one_snapshot_draw_different_numbers() {
    let code = "import random, secrets, tempfile, uuid\n\
                [str(uuid.uuid4()), str(random.random()), secrets.token_hex(8), \
                 tempfile.gettempprefix() + next(tempfile._get_candidate_names())]";
    let mut drawn = BTreeSet::new();
    for _ in 0..3 {
        let sandbox = started(Limits::default()).await;
        let result = run(&sandbox, code).await;
        let values = result.value.as_array().cloned().unwrap_or_default();
        drawn.extend(values.into_iter().map(|value| value.to_string()));
    }
    assert_eq!(drawn.len(), 12, "{drawn:?}");
}

#[tokio::test]
async fn sessions_share_nothing() {
    let (one, other) = (started(Limits::default()).await, started(Limits::default()).await);
    let plant = "import builtins, json, sys\n\
                 builtins.planted = json.planted = sys.modules['planted'] = 1\n\
                 open('/tmp/planted', 'w').close()";
    assert!(run(&one, plant).await.is_ok());
    let look = "import builtins, json, os, sys\n\
                [hasattr(builtins, 'planted'), hasattr(json, 'planted'), 'planted' in sys.modules, \
                 os.path.exists('/tmp/planted')]";
    let seen = run(&other, look).await.value;
    assert_eq!(seen, serde_json::json!([false, false, false, false]));
}

#[tokio::test]
async fn whatever_does_not_end_is_stopped_and_the_next_run_works() {
    let timeout = Duration::from_millis(500);
    let sandbox = started(Limits { timeout: Some(timeout), ..Limits::default() }).await;
    for code in [
        "while True: pass",
        "sum(range(10**12))",
        "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
        "import asyncio; await asyncio.sleep(1000)",
        "import time; time.sleep(1000)",
        "10 ** 10 ** 8",
    ] {
        let start = Instant::now();
        let result = run(&sandbox, code).await;
        let kind = result.error.map(|error| error.kind);
        assert_eq!(kind, Some(ErrorKind::Timeout), "{code}");
        // Generous: other tests run beside this one.
        assert!(start.elapsed() < 6 * timeout, "{code}: {:?}", start.elapsed());
        assert_eq!(run(&sandbox, "40 + 2").await.value, 42, "after {code}");
    }
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_ended() {
    let sandbox = started(Limits::default()).await;
    run(&sandbox, "x = 1").await;
    let endless = run(&sandbox, "while True: pass");
    assert!(tokio::time::timeout(Duration::from_millis(50), endless).await.is_err());
    let result = run(&sandbox, "'x' in globals()").await;
    assert_eq!(result.value, false, "the session is a fresh one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_cancels_and_keeps_the_session() {
    let sandbox = Arc::new(started(Limits::default()).await);
    run(&sandbox, "x = 1").await;
    for code in ["while True: pass", "import time; time.sleep(100)"] {
        let running = {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move { run(&sandbox, code).await })
        };
        while !running.is_finished() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            sandbox.interrupt();
        }
        let result = running.await.unwrap();
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Cancelled), "{code}");
        assert_eq!(result.session, SessionState::Kept, "{code}");
    }
    assert_eq!(run(&sandbox, "x").await.value, 1);
}

#[tokio::test]
async fn a_reset_session_is_a_fresh_one() {
    let sandbox = started(Limits::default()).await;
    run(&sandbox, "x = 1").await;
    sandbox.reset().await.unwrap();
    assert_eq!(run(&sandbox, "'x' in globals()").await.value, false);
}

#[tokio::test]
async fn a_closed_session_says_so() {
    let sandbox = started(Limits::default()).await;
    sandbox.close().await;
    sandbox.close().await;
    let result = run(&sandbox, "1").await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Closed));
    assert_eq!(result.session, SessionState::Lost);
    assert!(matches!(sandbox.reset().await, Err(ExecutorError::Closed)));
}

#[tokio::test]
async fn what_it_cannot_do_it_refuses_to_start_with() {
    let refused = async |config: SandboxConfig| {
        let sandbox = DenoSandbox::new(DenoEngine::shared(), config);
        sandbox.start(Arc::new(NoHost)).await.unwrap_err().to_string()
    };
    let fuel = SandboxConfig { fuel: Some(1), ..SandboxConfig::default() };
    assert_eq!(
        refused(fuel).await,
        "the deno-sandbox backend could not be started: it cannot count fuel; --backend wasm can"
    );
    let rollback = SandboxConfig { rollback: true, ..SandboxConfig::default() };
    assert!(refused(rollback).await.contains("cannot roll back"));
    let deterministic = SandboxConfig { deterministic: true, ..SandboxConfig::default() };
    assert!(refused(deterministic).await.contains("cannot run deterministically"));
    let small = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let told = refused(small.into()).await;
    assert!(told.contains("a memory limit of 8 MiB is too low"), "{told}");
}

#[tokio::test]
async fn the_memory_of_one_run_is_bounded_too() {
    let sandbox = started(Limits::default()).await;
    let less = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    let code = "len(bytearray(100_000_000))";
    let result = sandbox.run(RunRequest::new(code).limits(less)).await;
    let error = result.error.unwrap();
    assert_eq!((error.kind, error.error_type.as_str()), (ErrorKind::Memory, "MemoryError"));
    assert_eq!(result.session, SessionState::Kept);
    assert_eq!(run(&sandbox, code).await.value, 100_000_000);
}

#[tokio::test]
async fn processor_time_is_bounded_and_waiting_does_not_count() {
    let sandbox =
        started(Limits { cpu: Some(Duration::from_millis(200)), ..Limits::default() }).await;
    let result = run(&sandbox, "import time; time.sleep(0.5); 'rested'").await;
    assert_eq!(result.value, "rested");
    let result = run(&sandbox, "while True: pass").await;
    let limit = result.error.and_then(|error| error.limit).map(|limit| limit.name);
    assert_eq!(limit, Some(pcm_runtime_api::LimitName::Cpu));
}
