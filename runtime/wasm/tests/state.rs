//! Checkpoints, forks, saved sessions, fuel: what a session is, apart from where it lies.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    CheckpointId, ErrorKind, ExecutionResult, Executor, ExecutorError, HostCall, HostError,
    HostPort, Limits, NoHost, Payload, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde_json::{Value, json};

const KEY: [u8; 32] = [7; 32];

async fn started(config: impl Into<SandboxConfig>) -> WasmSandbox {
    let sandbox = WasmSandbox::new(WasmEngine::shared().unwrap(), config);
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    sandbox
}

async fn run(sandbox: &dyn Executor, code: &str) -> ExecutionResult {
    sandbox.run(RunRequest::new(code)).await
}

async fn value(sandbox: &dyn Executor, code: &str) -> Value {
    let result = run(sandbox, code).await;
    assert!(result.is_ok(), "{code}: {:?}", result.error);
    result.value
}

fn kind(result: &ExecutionResult) -> Option<ErrorKind> {
    result.error.as_ref().map(|error| error.kind)
}

/// Leaves nothing to an interrupt.
const STUBBORN: &str = "
x = 'changed'
while True:
    try:
        while True: pass
    except BaseException: pass";

/// Variables, a generator halfway through, an asynchronous one, and a task's worth of state.
const STATEFUL: &str = "
x = 1
def counting():
    for i in range(100):
        yield i
g = counting()
next(g), next(g)
async def asynchronous():
    for i in range(100):
        yield i
a = asynchronous()
await anext(a), await anext(a)
big = bytes(range(256)) * (1 << 14)";
const LOOK: &str = "[x, next(g), await anext(a), len(big), sum(big[::4096])]";

#[tokio::test]
async fn a_checkpoint_is_come_back_to_again_and_again() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, STATEFUL).await;
    let checkpoint = sandbox.checkpoint().await.unwrap();
    for _ in 0..3 {
        assert_eq!(value(&sandbox, LOOK).await, json!([1, 2, 2, 4 << 20, 0]));
        value(&sandbox, "x = 2; del big; y = 1").await;
        sandbox.restore(checkpoint).await.unwrap();
        assert_eq!(value(&sandbox, "'y' in globals()").await, false);
    }
    sandbox.drop_checkpoint(checkpoint).await;
    let gone = sandbox.restore(checkpoint).await;
    assert!(matches!(gone, Err(ExecutorError::NoCheckpoint(CheckpointId(1)))), "{gone:?}");
}

#[tokio::test]
async fn checkpoints_are_independent() {
    let sandbox = started(Limits::default()).await;
    let mut checkpoints = Vec::new();
    for number in 0..5 {
        value(&sandbox, &format!("x = {number}; l = [{number}] * 100_000")).await;
        checkpoints.push(sandbox.checkpoint().await.unwrap());
    }
    for (number, checkpoint) in checkpoints.into_iter().enumerate().rev() {
        sandbox.restore(checkpoint).await.unwrap();
        assert_eq!(value(&sandbox, "[x, sum(l)]").await, json!([number, number * 100_000]));
    }
}

#[tokio::test]
async fn a_fork_goes_its_own_way() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, STATEFUL).await;
    let fork = sandbox.fork().await.unwrap();
    assert_eq!(value(&*fork, LOOK).await, json!([1, 2, 2, 4 << 20, 0]));
    value(&*fork, "x = 'of the fork'").await;
    assert_eq!(value(&sandbox, LOOK).await, json!([1, 2, 2, 4 << 20, 0]));
    let of_the_fork = fork.fork().await.unwrap();
    assert_eq!(value(&*of_the_fork, "[x, next(g)]").await, json!(["of the fork", 3]));
    sandbox.close().await;
    assert_eq!(value(&*fork, "next(g)").await, 3);
    assert!(matches!(sandbox.fork().await, Err(ExecutorError::Closed)));
}

#[tokio::test]
async fn states_that_were_one_draw_different_numbers() {
    const DRAW: &str = "
import random, secrets, uuid, tempfile
[random.random(), secrets.token_hex(), str(uuid.uuid4()), next(tempfile._get_candidate_names())]";
    let sandbox = started(Limits::default()).await;
    value(&sandbox, "import random; random.seed(7); random.random()").await;
    let checkpoint = sandbox.checkpoint().await.unwrap();
    let mut drawn = vec![value(&sandbox, DRAW).await];
    for _ in 0..2 {
        sandbox.restore(checkpoint).await.unwrap();
        let fork = sandbox.fork().await.unwrap();
        drawn.push(value(&*fork, DRAW).await);
        drawn.push(value(&sandbox, DRAW).await);
    }
    let other = started(Limits::default()).await;
    other.load(&sandbox.save(&KEY).await.unwrap(), &KEY).await.unwrap();
    drawn.push(value(&other, DRAW).await);
    for column in 0..4 {
        let mut numbers: Vec<String> = drawn.iter().map(|row| row[column].to_string()).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), drawn.len(), "{drawn:?}");
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_interrupted_is_rolled_back() {
    let config = SandboxConfig { rollback: true, ..Limits::default().into() };
    let sandbox = started(config).await;
    value(&sandbox, STATEFUL).await;
    for code in
        [STUBBORN, "x = 'changed'\nimport os; os._exit(3)", "x = 'changed'\nimport os; os.abort()"]
    {
        let request = RunRequest::new(code).timeout(Duration::from_millis(50));
        let result = sandbox.run(request).await;
        assert_eq!(result.session, SessionState::RolledBack, "{result:?}");
        assert!(matches!(kind(&result), Some(ErrorKind::Timeout | ErrorKind::Crashed)));
        assert_eq!(value(&sandbox, "x").await, 1);
    }
    assert_eq!(value(&sandbox, LOOK).await, json!([1, 2, 2, 4 << 20, 0]));
}

#[tokio::test]
async fn a_run_that_was_dropped_is_rolled_back() {
    let sandbox = started(SandboxConfig { rollback: true, ..Limits::default().into() }).await;
    value(&sandbox, "x = 1").await;
    let dropped =
        tokio::time::timeout(Duration::from_millis(50), run(&sandbox, "x = 2\nwhile 1: pass"));
    assert!(dropped.await.is_err());
    assert_eq!(value(&sandbox, "x").await, 1);
}

#[tokio::test]
async fn without_rollback_the_session_is_fresh() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, "x = 1").await;
    let result = sandbox.run(RunRequest::new(STUBBORN).timeout(Duration::from_millis(50))).await;
    assert_eq!((kind(&result), result.session), (Some(ErrorKind::Timeout), SessionState::Reset));
    assert_eq!(value(&sandbox, "'x' in globals()").await, false);
}

#[tokio::test]
async fn a_saved_session_goes_on_in_another() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, STATEFUL).await;
    let saved = sandbox.save(&KEY).await.unwrap();
    let other = started(Limits::default()).await;
    other.load(&saved, &KEY).await.unwrap();
    assert_eq!(value(&other, LOOK).await, json!([1, 2, 2, 4 << 20, 0]));
    assert_eq!(value(&sandbox, LOOK).await, json!([1, 2, 2, 4 << 20, 0]), "saving changes nothing");
}

#[tokio::test]
async fn what_was_changed_or_is_of_others_is_refused() {
    let sandbox = started(Limits::default()).await;
    let saved = sandbox.save(&KEY).await.unwrap();
    let refused = async |saved: &[u8], key: [u8; 32]| match sandbox.load(saved, &key).await {
        Err(ExecutorError::BadState(reason)) => reason,
        other => format!("{other:?}"),
    };
    for at in
        (0..saved.len()).step_by(saved.len() / 50).chain([0, 11, 12, 16, 47, 48, saved.len() - 1])
    {
        let mut changed = saved.clone();
        changed[at] ^= 1;
        let reason = refused(&changed, KEY).await;
        assert!(
            reason.contains("signature")
                || reason.contains("version")
                || reason.contains("not a saved"),
            "{at}: {reason}"
        );
    }
    assert!(refused(&saved, [8; 32]).await.contains("another key"));
    assert!(refused(&saved[..saved.len() - 1], KEY).await.contains("signature"));
    assert!(refused(b"", KEY).await.contains("not a saved session"));
    assert!(refused(b"pcm-session\n\x02\0\0\0", KEY).await.contains("version 2"));
    assert_eq!(value(&sandbox, "1 + 1").await, 2);
}

#[tokio::test]
async fn a_state_that_is_too_large_is_refused() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, "big = b'x' * (50 << 20)").await;
    let saved = sandbox.save(&KEY).await.unwrap();
    let small = started(Limits { memory_bytes: 40 << 20, ..Limits::default() }).await;
    let refused = small.load(&saved, &KEY).await.unwrap_err().to_string();
    assert!(refused.contains("bytes of memory"), "{refused}");
    let fork = sandbox.fork().await.unwrap();
    assert_eq!(value(&*fork, "[len(big), big[-1]]").await, json!([50 << 20, 120]));
}

const WORK: &str = "
import json, re, random, collections
d = collections.Counter(re.findall(r'\\w', 'the quick brown fox' * 50))
json.dumps(sorted(d.items())) and sum(i * i for i in range(1000))";

#[tokio::test]
async fn the_same_program_uses_the_same_fuel() {
    let mut counts = Vec::new();
    for _ in 0..100 {
        let sandbox = started(Limits { fuel: Some(1 << 40), ..Limits::default() }).await;
        let result = run(&sandbox, WORK).await;
        assert_eq!(result.value, 332_833_500, "{:?}", result.error);
        counts.push(result.usage.fuel.unwrap());
    }
    counts.dedup();
    assert!(counts.len() == 1 && counts[0] > 100_000, "{counts:?}");
}

#[tokio::test]
async fn a_run_that_uses_up_its_fuel_says_so_and_the_next_one_works() {
    for rollback in [false, true] {
        let config = SandboxConfig { rollback, ..Limits::default().into() };
        let sandbox = started(config).await;
        value(&sandbox, "x = 1").await;
        let limits = Limits { fuel: Some(1_000_000), ..Limits::default() };
        let result = sandbox.run(RunRequest::new("while True: x = 2").limits(limits)).await;
        assert_eq!(kind(&result), Some(ErrorKind::Fuel), "{result:?}");
        assert_eq!(result.usage.fuel, Some(1_000_000));
        assert!(result.error.unwrap().message.contains("--fuel"));
        assert_eq!(result.session == SessionState::RolledBack, rollback);
        let kept = value(&sandbox, "globals().get('x')").await;
        assert_eq!(kept, if rollback { json!(1) } else { Value::Null });
    }
}

#[tokio::test]
async fn variables_survive_when_fuel_begins_to_count() {
    let sandbox = started(Limits::default()).await;
    value(&sandbox, STATEFUL).await;
    let limits = Limits { fuel: Some(1 << 40), ..Limits::default() };
    let result = sandbox.run(RunRequest::new(LOOK).limits(limits)).await;
    assert_eq!(result.value, json!([1, 2, 2, 4 << 20, 0]), "{:?}", result.error);
    assert!(result.usage.fuel.is_some());
}

#[tokio::test]
async fn the_fuel_of_a_session_is_used_up_and_refilled() {
    let config = SandboxConfig { fuel: Some(100_000_000), ..Limits::default().into() };
    let sandbox = started(config).await;
    let used = run(&sandbox, "x = 1").await.usage.fuel.unwrap();
    assert_eq!(sandbox.fuel(), Some(100_000_000 - used));
    let result = run(&sandbox, "while True: pass").await;
    assert_eq!((kind(&result), sandbox.fuel()), (Some(ErrorKind::Fuel), Some(0)));
    assert!(result.error.unwrap().message.contains("add_fuel"));
    assert_eq!(kind(&run(&sandbox, "1").await), Some(ErrorKind::Fuel));
    sandbox.add_fuel(50_000_000).unwrap();
    assert_eq!(value(&sandbox, "1 + 1").await, 2);
    assert!(started(Limits::default()).await.add_fuel(1).is_err());
}

#[tokio::test]
async fn work_of_the_host_for_hashes_uses_fuel() {
    let sandbox = started(Limits { fuel: Some(1 << 40), ..Limits::default() }).await;
    value(&sandbox, "import hashlib; data = bytes(1 << 20)").await;
    let result = run(&sandbox, "hashlib.sha256(data).hexdigest()[:8]").await;
    assert_eq!(result.value, "30e14955");
    assert!(result.usage.fuel.unwrap() > (1 << 20) / 64 * 1000, "{:?}", result.usage);
}

#[tokio::test]
async fn a_deterministic_session_is_always_the_same() {
    const CODE: &str = "
import asyncio, datetime, os, random, secrets, time, uuid
began = time.monotonic()
time.sleep(1000)
await asyncio.sleep(1000)
[str(datetime.datetime.now()), random.random(), secrets.token_hex(), str(uuid.uuid4()), uuid.uuid1().hex,
 os.urandom(4).hex(), time.monotonic() - began > 2000, hash('a'), list({'a', 'b', 'c'})]";
    let mut results = Vec::new();
    for _ in 0..2 {
        let config = SandboxConfig { deterministic: true, ..Limits::default().into() };
        let result = run(&started(config).await, CODE).await;
        assert!(result.is_ok(), "{:?}", result.error);
        results.push((result.value, result.usage.fuel.unwrap()));
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0].0[6], true);
    assert!(results[0].0[0].as_str().unwrap().starts_with("2020-01-01"));
}

/// Answers the later the smaller the argument.
#[derive(Debug)]
struct Reversing;

#[async_trait]
impl HostPort for Reversing {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let number = call.args.value["args"]["i"].as_u64().unwrap();
        tokio::time::sleep(Duration::from_millis(40 - number * 10)).await;
        Ok(json!(number).into())
    }
}

#[tokio::test]
async fn calls_of_a_deterministic_session_are_answered_in_their_order() {
    const CODE: &str = "
import asyncio
order = []
async def call(i):
    order.append(await tools.t(i=i))
waiting = asyncio.gather(call(0), call(1), call(2))
while not waiting.done():
    await asyncio.sleep(0)
await asyncio.gather(call(0), asyncio.sleep(100), call(1))
order";
    let config = SandboxConfig { deterministic: true, ..Limits::default().into() };
    let sandbox = WasmSandbox::new(WasmEngine::shared().unwrap(), config);
    sandbox.start(Arc::new(Reversing)).await.unwrap();
    assert_eq!(value(&sandbox, CODE).await, json!([0, 1, 2, 0, 1]));
}
