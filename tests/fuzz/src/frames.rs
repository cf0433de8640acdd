//! What a guest says: requests to its host, and the outcome of a run.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{ErrorKind, HostCall, HostError, HostPort, Limits, Payload, SessionState};
use pcm_runtime_guest::{Ending, Measured, Run};
use serde_json::{Value, json};

fn limits() -> Limits {
    Limits { host_call_bytes: 2048, tool_calls: 3, output_bytes: 256, ..Limits::default() }
}

/// A host that keeps what it was asked, and gives the arguments back.
#[derive(Debug, Default)]
struct Keeps(Mutex<Vec<HostCall>>);

#[async_trait]
impl HostPort for Keeps {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let args = call.args.clone();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        Ok(args)
    }
}

/// A request reaches the host as an independent reader reads it, or not at all; there always is a reply,
/// and it has a bounded length.
pub fn request(data: &[u8]) {
    let port = Arc::new(Keeps::default());
    let run = Run::new(limits(), Arc::clone(&port) as Arc<dyn HostPort>, None);
    for number in 1..=4_usize {
        let reply = futures(run.answer(data));
        assert!(reply.len() <= 4096, "a reply of {} bytes", reply.len());
        let reply: Value = serde_json::from_slice(&reply).expect("a reply is JSON");
        let calls = port.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reply["ok"] == json!(true) {
            assert_eq!(calls.len(), number.min(3), "more calls than are allowed");
        }
        let Some(call) = calls.last() else { continue };
        // What no field has is skipped by who knows the fields, and may be what no other reader takes.
        let Ok(said) = serde_json::from_slice::<Value>(data) else { return };
        // serde reads a list as the fields of an object in their order: it says no more than that object.
        if said.is_array() {
            return;
        }
        assert_eq!(said["namespace"], json!(call.namespace.to_string()));
        assert_eq!((&said["op"], &said["args"]), (&json!(call.op), &call.args.value));
        assert!(data.len() <= 2048 && call.op.len() <= 64, "a call of {} bytes", data.len());
    }
}

/// The future of a call whose host never waits.
fn futures<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// An outcome is read as an independent reader reads it, or the session is given up. Its first byte says
/// what was written before: output of that length, on one of the channels.
pub fn outcome(data: &[u8]) {
    let (&first, frame) = data.split_first().unwrap_or((&0, &[]));
    let limits = limits();
    let run = Run::new(limits.clone(), Arc::new(Keeps::default()), None);
    for channel in 0..4 {
        // Whether it is refused, the text that comes of it shows.
        _ = run.emit(channel, &frame.repeat(usize::from(first % 8)));
    }
    let result = run.finish("fuzz", Ending::Outcome(frame.to_vec()), Measured::default());
    let text = (result.stdout.len() + result.stderr.len()) as u64;
    // Bytes that are no text become characters of three bytes, and a marker says what is missing.
    assert!(text <= limits.output_bytes * 3 + 1024, "{text} bytes of output");
    let written = serde_json::to_vec(&result).expect("a result can be written");
    assert!(serde_json::from_slice::<Value>(&written).is_ok());
    let said = serde_json::from_slice::<Value>(frame);
    match &result.error {
        Some(error) if error.kind == ErrorKind::Crashed => {
            assert_eq!(result.session, SessionState::Reset, "a damaged guest is kept");
            assert_eq!(result.value, Value::Null);
        }
        _ if result.value_repr.as_deref().is_some_and(|repr| repr.contains("too many parts")) => {}
        error => {
            // What no field has is skipped by who knows the fields, and may be what no other reader takes.
            let Ok(said) = said else { return };
            // serde reads a list as the fields of an object in their order: it says no more than that object.
            if said.is_array() {
                return;
            }
            assert_eq!(result.value, said["value"]);
            assert_eq!(error.is_some(), !said["error"].is_null());
        }
    }
}
