//! A host that keeps everything in memory: a handful of tools, artifacts, workflows, no packages.
//!
//! It answers as a real host does, as far as a case can tell; it persists nothing and asks nobody.

mod artifacts;
mod tools;
mod workflows;

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// What stands behind the port of a case's sessions. One per case: its sessions share it.
#[derive(Debug, Default)]
pub struct MemoryHost {
    artifacts: Mutex<artifacts::Artifacts>,
    workflows: Mutex<workflows::Workflows>,
}

#[async_trait]
impl HostPort for MemoryHost {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        match call.namespace {
            Namespace::Tools => tools::call(&call).await,
            Namespace::Artifacts => self.artifacts.lock().await.call(call),
            Namespace::Workflows => self.workflows.lock().await.call(&call),
            Namespace::Deps => deps(&call),
            Namespace::Network => Err(HostError::unknown_operation(&call)),
        }
    }
}

fn deps(call: &HostCall) -> Result<Payload, HostError> {
    match call.op.as_str() {
        "list" => Ok(json!([]).into()),
        "add" | "remove" => {
            let message = "Runtime dependency changes are disabled";
            Err(HostError::new("RuntimeDepsDisabledError", message))
        }
        _ => Err(HostError::unknown_operation(call)),
    }
}

/// The argument `name`, which must be a string.
fn text<'a>(args: &'a Value, name: &str) -> Result<&'a str, HostError> {
    let missing = || HostError::new("ValueError", format!("{name} must be a string"));
    args.get(name).and_then(Value::as_str).ok_or_else(missing)
}
