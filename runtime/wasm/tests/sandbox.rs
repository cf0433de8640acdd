//! What belongs to this wall alone; what all backends share is in `tests/conformance`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{
    ErrorKind, Executor, ExecutorError, HostCall, HostError, HostPort, Limits, NoHost, Payload,
    RunEvent, RunRequest, SessionState,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde_json::json;

#[derive(Debug)]
struct Sleeper;

#[async_trait]
impl HostPort for Sleeper {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let args = &call.args.value["args"];
        match call.args.value["name"].as_str() {
            Some("panic") => panic!("on purpose"),
            Some("big") => Ok(json!("x".repeat(1 << 20)).into()),
            _ => {
                let ms = args["ms"].as_u64().unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(json!(ms).into())
            }
        }
    }
}

async fn sandbox(limits: Limits) -> WasmSandbox {
    let sandbox = WasmSandbox::new(WasmEngine::shared().expect("engine"), limits);
    sandbox.start(Arc::new(Sleeper)).await.expect("start");
    sandbox
}

#[tokio::test]
async fn a_value_comes_back() {
    let sandbox = sandbox(Limits::default()).await;
    let result = sandbox.run(RunRequest::new("x = 40\nprint('hi')\nx + 2")).await;
    assert_eq!((result.value, result.stdout.as_str()), (json!(42), "hi\n"), "{:?}", result.error);
    assert!(result.usage.cpu_ms > 0.0 && result.usage.wall_ms > 0.0);
    assert!(result.usage.memory_peak_bytes >= 32 << 20);
}
