//! The server itself.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal, json, with_type};
use crate::request::Call;
use crate::{metrics, openapi};

/// That it is there, and nothing that a stranger should not know.
pub(super) fn health(call: &Call) -> Answer {
    let uptime = call.state.started.elapsed().as_secs_f64();
    json(&json!({"status": "healthy", "uptime_seconds": uptime}))
}

pub(super) fn openapi() -> Answer {
    json(&openapi::document())
}

pub(super) fn metrics(call: &Call) -> Answer {
    let text = metrics::text(&call.state);
    with_type(StatusCode::OK, "text/plain; version=0.0.4", text)
}

pub(super) async fn info(call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    let record = |name: &str, text: &str| json!({"name": name, "description": text});
    let tools = call.state.sessions.tools().list();
    let tools: Vec<Value> =
        tools.iter().map(|tool| record(&tool.name, &tool.description)).collect();
    let workflows = storage.workflows().list().await?;
    let workflows: Vec<Value> =
        workflows.iter().map(|each| record(each.name.as_str(), &each.description)).collect();
    let path = storage.artifacts().path();
    Ok(json(&json!({"tools": tools, "workflows": workflows, "artifacts_path": path})))
}
