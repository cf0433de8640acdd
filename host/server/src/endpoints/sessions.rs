//! Sessions: made, interrupted, ended.

use pcm_storage::WorkspaceId;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, Refusal, json};
use crate::live::{Found, InUse};
use crate::request::{Call, Scope};

#[derive(Deserialize)]
struct NewSession {
    #[serde(default)]
    workspace_id: Option<String>,
}

pub(super) async fn create(mut call: Call) -> Result<Answer, Refusal> {
    // A body that is missing asks for nothing in particular.
    let asked = if call.body.is_empty() { None } else { call.json::<NewSession>()?.workspace_id };
    let workspace = asked.map(|id| id.parse::<WorkspaceId>()).transpose()?;
    if !call.principal.may_use(workspace.as_ref()) {
        return Err(Refusal::forbidden(match workspace {
            Some(id) => format!("this token is not for the workspace {id}"),
            None => "this token is for workspaces only: name one as workspace_id".to_owned(),
        }));
    }
    let state = &call.state;
    let session = state.live.open(&*state.sessions, &call.principal, workspace).await?;
    Ok(json(&json!({"session_id": session.id})))
}

pub(super) async fn interrupt(call: Call) -> Result<Answer, Refusal> {
    let session = named(&call).await?;
    session.session.interrupt();
    let was_running = session.running.try_lock().is_err();
    let answer = json!({"status": "interrupted", "session_id": session.id, "running": was_running});
    Ok(json(&answer))
}

pub(super) async fn reset(call: Call) -> Result<Answer, Refusal> {
    if call.session.is_none() {
        return Err(Refusal::bad("X-Session-ID is missing: there is no session to reset"));
    }
    let session = here(&call).await?.ok_or_else(Refusal::no_session)?;
    session.session.interrupt();
    call.state.live.end(&session.id).await;
    if let Some(approvals) = &call.state.approvals {
        approvals.close_session(session.session.id());
    }
    Ok(json(&json!({"status": "reset", "session_id": session.id})))
}

/// The session of `X-Session-ID`, which has to live here; None where there is no header.
pub(super) async fn here(call: &Call) -> Result<Option<InUse>, Refusal> {
    match call.scope().await? {
        Scope::Unscoped => Ok(None),
        Scope::Here(session) => Ok(Some(session)),
        Scope::Elsewhere { node, .. } => Err(Refusal::elsewhere(&node)),
    }
}

/// The session that the path names, which has to live here.
pub(super) async fn named(call: &Call) -> Result<InUse, Refusal> {
    match call.state.live.find(&call.principal, call.param("id")?).await? {
        Found::Here(session) => Ok(session),
        Found::Elsewhere { node, .. } => Err(Refusal::elsewhere(&node)),
    }
}
