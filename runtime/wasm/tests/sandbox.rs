//! What belongs to this wall alone; what all backends share is in `tests/conformance`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor, HostCall, HostError, HostPort, LimitName, Limits,
    Payload, RunEvent, RunRequest, SessionState,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde_json::{Value, json};
use tokio::sync::Barrier;

/// Tools by name: `sleep(ms)`, `panic()`, `big(bytes)`; anything else gives its arguments.
#[derive(Debug)]
struct Tools;

#[async_trait]
impl HostPort for Tools {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let args = &call.args.value["args"];
        match call.args.value["name"].as_str() {
            Some("panic") => panic!("on purpose"),
            Some("big") => {
                let length = usize::try_from(args["bytes"].as_u64().unwrap_or(0)).unwrap();
                Ok(Value::from("x".repeat(length)).into())
            }
            Some("sleep") => {
                let ms = args["ms"].as_u64().unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(json!(ms).into())
            }
            _ => Ok(args.clone().into()),
        }
    }
}

async fn started(limits: Limits) -> WasmSandbox {
    let sandbox = WasmSandbox::new(WasmEngine::shared().expect("the engine starts"), limits);
    sandbox.start(Arc::new(Tools)).await.expect("the session starts");
    sandbox
}

async fn run(sandbox: &WasmSandbox, code: &str) -> ExecutionResult {
    sandbox.run(RunRequest::new(code)).await
}

fn kind(result: &ExecutionResult) -> Option<ErrorKind> {
    result.error.as_ref().map(|error| error.kind)
}

fn message(result: &ExecutionResult) -> &str {
    result.error.as_ref().map_or("", |error| &error.message)
}

#[tokio::test]
async fn usage_is_filled() {
    let sandbox = started(Limits::default()).await;
    let result = run(&sandbox, "print('hi'); tools.x(a=1)['a'] + 41").await;
    assert_eq!(result.value, 42, "{:?}", result.error);
    let usage = result.usage;
    assert!(usage.cpu_ms > 0.0 && usage.wall_ms >= usage.cpu_ms, "{usage:?}");
    assert!(usage.memory_peak_bytes >= 32 << 20, "{usage:?}");
    assert_eq!((usage.tool_calls, usage.output_bytes, usage.fuel), (1, 3, None));
}

#[tokio::test]
async fn a_closed_session_says_so() {
    let sandbox = started(Limits::default()).await;
    for _ in 0..3 {
        sandbox.close().await;
    }
    let result = run(&sandbox, "1").await;
    assert_eq!((kind(&result), result.session), (Some(ErrorKind::Closed), SessionState::Lost));
    assert!(sandbox.reset().await.is_err());
    assert!(sandbox.start(Arc::new(Tools)).await.is_err());
}

#[tokio::test]
async fn a_session_that_never_started_has_no_host() {
    let sandbox = WasmSandbox::new(WasmEngine::shared().unwrap(), Limits::default());
    let result = run(&sandbox, "tools.x()").await;
    assert!(message(&result).contains("NotConnected"), "{result:?}");
    assert_eq!(run(&sandbox, "1 + 1").await.value, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_interrupted_while_it_computes_and_while_it_waits() {
    for code in ["while True: pass", "tools.sleep(ms=60_000)", "import time; time.sleep(60)"] {
        let sandbox = Arc::new(started(Limits::default()).await);
        let running = tokio::spawn({
            let sandbox = Arc::clone(&sandbox);
            async move { run(&sandbox, code).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        sandbox.interrupt();
        let result = running.await.unwrap();
        assert_eq!(kind(&result), Some(ErrorKind::Cancelled), "{code}: {result:?}");
        assert_eq!(result.session, SessionState::Kept, "{code}");
        assert_eq!(run(&sandbox, "1 + 1").await.value, 2, "{code}");
    }
}

#[tokio::test]
async fn an_interrupt_without_a_run_does_nothing() {
    let sandbox = started(Limits::default()).await;
    sandbox.interrupt();
    let result = run(&sandbox, "1 + 1").await;
    assert_eq!((result.value, result.session), (json!(2), SessionState::Kept));
}

#[tokio::test]
async fn dropping_a_run_cancels_it_and_the_next_one_works() {
    let sandbox = started(Limits::default()).await;
    for code in ["while True: pass", "tools.sleep(ms=60_000)", "await tools.sleep(ms=60_000)"] {
        let run_of = run(&sandbox, code);
        assert!(tokio::time::timeout(Duration::from_millis(50), run_of).await.is_err(), "{code}");
        assert_eq!(run(&sandbox, "1 + 1").await.value, 2, "{code}");
    }
}

#[tokio::test]
async fn a_host_function_that_panics_fails_its_call_only() {
    let sandbox = started(Limits::default()).await;
    let code = "try: tools.panic()\nexcept ToolError as e: r = e.original_type\nr";
    assert_eq!(run(&sandbox, code).await.value, "HostPanic");
    let code = "try: await tools.panic()\nexcept ToolError as e: r = e.original_type\nr";
    assert_eq!(run(&sandbox, code).await.value, "HostPanic");
}

#[tokio::test]
async fn long_requests_replies_and_values_are_refused() {
    let limits = Limits { host_call_bytes: 10_000, ..Limits::default() };
    let sandbox = started(limits).await;
    for call in [
        "tools.big(bytes=20_000)",
        "await tools.big(bytes=20_000)",
        "tools.x(a='x' * 20_000)",
        "await tools.x(a='x' * 20_000)",
    ] {
        let result = run(&sandbox, call).await;
        assert_eq!(kind(&result), Some(ErrorKind::Exception), "{call}: {result:?}");
    }
    let result = run(&sandbox, "'x' * 20_000").await;
    assert!(result.is_ok() && result.value.is_null(), "{result:?}");
    assert!(result.value_repr.unwrap().len() < 11_000);
    assert_eq!(run(&sandbox, "'x' * 2_000").await.value.as_str().unwrap().len(), 2000);
}

#[tokio::test]
async fn a_value_of_too_many_parts_is_not_built_on_the_host() {
    let sandbox = started(Limits::default()).await;
    let result = run(&sandbox, "x = 1; [0] * 2_000_001").await;
    assert!(result.is_ok() && result.value.is_null(), "{:?}", result.error);
    assert!(result.value_repr.is_some_and(|text| text.contains("too many parts")));
    assert_eq!(run(&sandbox, "x").await.value, 1);
}

#[tokio::test]
async fn host_calls_are_counted_and_limited() {
    let sandbox = started(Limits { tool_calls: 3, ..Limits::default() }).await;
    let result = run(&sandbox, "for i in range(10): tools.x()").await;
    assert!(message(&result).contains("tool_calls"), "{result:?}");
    assert_eq!(result.usage.tool_calls, 4);
    let result = run(&sandbox, "tools.x(a=1)").await;
    assert!(result.is_ok(), "the count begins anew with each run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_gathered_calls_than_run_at_a_time_all_finish() {
    let sandbox = started(Limits::default()).await;
    let code =
        "import asyncio\nsum(await asyncio.gather(*[tools.sleep(ms=5) for _ in range(1000)]))";
    let result = run(&sandbox, code).await;
    assert_eq!(result.value, 5000, "{:?}", result.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_calls_are_refused() {
    let sandbox = started(Limits { tool_calls: u64::MAX, ..Limits::default() }).await;
    let code = "import asyncio\n\
                done = await asyncio.gather(*[tools.x() for _ in range(20_000)], return_exceptions=True)\n\
                sorted({type(one).__name__ for one in done}), len(done)";
    let result = run(&sandbox, code).await;
    assert_eq!(result.value, json!([["ToolError", "dict"], 20_000]), "{:?}", result.error);
    let code = "import _pcm_host\nwhile True: _pcm_host.submit(b'')";
    let result = run(&sandbox, code).await;
    assert_eq!(kind(&result), Some(ErrorKind::Crashed), "{result:?}");
    assert_eq!(run(&sandbox, "1 + 1").await.value, 2);
}

/// What a guest sends must not become many times as much on the host.
#[tokio::test]
async fn hostile_frames_stay_small() {
    let sandbox = started(Limits::default()).await;
    let nested = "import _pcm_host as h\n\
                  part = '{\"\":' * 100 + '0' + '}' * 100\n\
                  parts = ','.join([part] * ((8 << 20) // (len(part) + 1) - 1))\n\
                  reply = h.call(('{\"namespace\":\"tools\",\"op\":\"x\",\"args\":[' + parts + ']}').encode())\n\
                  b'BadRequest' in reply";
    assert_eq!(run(&sandbox, nested).await.value, true);
    let bundles = "import _pcm_host as h\nwhile True: h.emit(3, b'{\"\":0}')";
    assert_eq!(kind(&run(&sandbox, bundles).await), Some(ErrorKind::Output));
    let long_name = "import _pcm_host as h\n\
                     for _ in range(50): h.call(b'{\"namespace\":\"tools\",\"op\":\"' + b'x' * (7 << 20) + b'\",\"args\":{}}')";
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    let request = RunRequest::new(long_name).on_event(move |_| *count.lock().unwrap() += 1);
    assert!(sandbox.run(request).await.is_ok());
    assert_eq!(*heard.lock().unwrap(), 0, "what is malformed is no call");
    let peak = memory("VmHWM");
    assert!(peak < 200_000, "{peak} kB");
}

#[tokio::test]
async fn waiting_for_the_host_is_no_processor_time() {
    let limits = Limits { cpu: Some(Duration::from_millis(200)), ..Limits::default() };
    let sandbox = started(limits).await;
    let result = run(&sandbox, "tools.sleep(ms=400)").await;
    assert!(result.is_ok(), "{result:?}");
    let result = run(&sandbox, "while True: pass").await;
    let limit = result.error.and_then(|error| error.limit).map(|limit| limit.name);
    assert_eq!(limit, Some(LimitName::Cpu));
}

#[tokio::test]
async fn a_memory_limit_below_the_image_is_explained() {
    let sandbox = WasmSandbox::new(
        WasmEngine::shared().unwrap(),
        Limits { memory_bytes: 1 << 20, ..Limits::default() },
    );
    let result = run(&sandbox, "1").await;
    assert_eq!(kind(&result), Some(ErrorKind::Startup));
    assert!(message(&result).contains("33554432"), "{result:?}");
}

#[tokio::test]
async fn limits_of_a_run_replace_those_of_the_session() {
    let sandbox = started(Limits::default()).await;
    let small = Limits { memory_bytes: 40 << 20, ..Limits::default() };
    let code = "len(bytearray(64 << 20))";
    let result = sandbox.run(RunRequest::new(code).limits(small)).await;
    assert_eq!(kind(&result), Some(ErrorKind::Memory));
    assert_eq!(run(&sandbox, code).await.value, 64 << 20);
}

#[tokio::test]
async fn events_arrive_while_code_runs() {
    let sandbox = started(Limits::default()).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let request = RunRequest::new("print('a')\ntools.x()\nprint('b')\ndisplay(1)")
        .on_event(move |event| sink.lock().unwrap().push(event));
    assert!(sandbox.run(request).await.is_ok());
    let names: Vec<&str> = heard
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            RunEvent::Output { text, .. } => match text.as_str() {
                "a" => "a",
                "b" => "b",
                _ => "newline",
            },
            RunEvent::CallStarted { .. } => "call",
            RunEvent::CallFinished { ok: true, .. } => "reply",
            RunEvent::Display { .. } => "display",
            _ => "?",
        })
        .collect();
    assert_eq!(names, ["a", "newline", "call", "reply", "b", "newline", "display"]);
}

#[tokio::test]
async fn sessions_share_nothing_and_have_randomness_of_their_own() {
    let (one, two) = (started(Limits::default()).await, started(Limits::default()).await);
    let random = "import random, uuid, secrets, os\n\
                  [random.random(), str(uuid.uuid4()), secrets.token_hex(8), os.urandom(8).hex()]";
    let (first, second) = (run(&one, random).await.value, run(&two, random).await.value);
    for place in 0..4 {
        assert_ne!(first[place], second[place]);
    }
    run(&one, "import builtins, math; builtins.leak = math.leak = 1").await;
    assert!(run(&one, "leak + math.leak").await.is_ok());
    assert_eq!(kind(&run(&two, "leak").await), Some(ErrorKind::Exception));
    let fresh = started(Limits::default()).await; // perhaps in the place of an ended session
    one.close().await;
    assert_eq!(kind(&run(&fresh, "import math; math.leak").await), Some(ErrorKind::Exception));
}

#[tokio::test] // one thread
async fn busy_sessions_take_turns() {
    let limits = Limits { timeout: Some(Duration::from_millis(500)), ..Limits::default() };
    let start = Instant::now();
    let runs = (0..8).map(|_| {
        let limits = limits.clone();
        tokio::spawn(async move { run(&started(limits).await, "while True: pass").await })
    });
    for task in runs.collect::<Vec<_>>() {
        assert_eq!(kind(&task.await.unwrap()), Some(ErrorKind::Timeout));
    }
    assert!(start.elapsed() < Duration::from_secs(3), "eight half seconds one after the other");
}

/// A thousand sessions, sixteen at a time: none fails, and the memory comes back.
///
/// What an engine keeps are the places that were ever in use at once on each thread; their pages,
/// nearly all of them shared with the image, stay mapped. So the start is when many have been in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_thousand_sessions() {
    at_once(64).await;
    let (resident, private) = (memory("VmRSS"), memory("RssAnon"));
    let workers = (0..16).map(|_| {
        tokio::spawn(async {
            for number in 0..63 {
                let sandbox = started(Limits::default()).await;
                use_some_memory(&sandbox, number).await;
                sandbox.close().await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    for (name, before) in [("VmRSS", resident), ("RssAnon", private)] {
        let after = memory(name);
        println!("{name}: {before} kB before, {after} kB after a thousand sessions");
        assert!(after * 10 <= before * 11, "{name}: {before} kB before, {after} kB after");
    }
}

async fn at_once(count: u64) {
    let all_live = Arc::new(Barrier::new(usize::try_from(count).unwrap()));
    let sessions = (0..count).map(|number| {
        let all_live = Arc::clone(&all_live);
        tokio::spawn(async move {
            let sandbox = started(Limits::default()).await;
            use_some_memory(&sandbox, number).await;
            all_live.wait().await;
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap();
    }
}

async fn use_some_memory(sandbox: &WasmSandbox, number: u64) {
    let code = format!("x = [{number}] * 50_000; len(x) + x[0]");
    assert_eq!(run(sandbox, &code).await.value, 50_000 + number);
}

/// A figure of this process in kilobytes.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
