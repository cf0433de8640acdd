//! Calls that wait for somebody's approval.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, Refusal, json, json_answer};
use crate::approvals::{self, Decided, Decision};
use crate::request::Call;

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Edited {
    args: pcm_runtime_api::Payload,
}

pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    Ok(json(&approvals::waiting(&call.state, &call.principal).await?))
}

pub(super) async fn approve(call: Call) -> Result<Answer, Refusal> {
    decide(&call, Decision::Approve).await
}

pub(super) async fn reject(mut call: Call) -> Result<Answer, Refusal> {
    let reason = if call.body.is_empty() { String::new() } else { call.json::<Reason>()?.reason };
    if reason.len() > 4096 {
        return Err(Refusal::unprocessable("a reason has up to 4096 bytes"));
    }
    decide(&call, Decision::Reject { reason }).await
}

pub(super) async fn edit(mut call: Call) -> Result<Answer, Refusal> {
    let Edited { args } = call.json()?;
    if !args.value.is_object() {
        return Err(Refusal::unprocessable("args has a value that is an object"));
    }
    decide(&call, Decision::Edit { args }).await
}

async fn decide(call: &Call, decision: Decision) -> Result<Answer, Refusal> {
    let id = call.param("id")?;
    let status = decision.status();
    match approvals::decide(&call.state, &call.principal, id, decision).await? {
        Decided::Here => Ok(json(&json!({"id": id, "status": status}))),
        Decided::Told { node } => {
            let answer = json!({"id": id, "status": "told", "node": node});
            Ok(json_answer(StatusCode::ACCEPTED, &answer))
        }
    }
}
