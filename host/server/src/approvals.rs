//! Calls that wait for an approval, on this server and on those that share its records.
//!
//! A call waits in the process of its session. What waits is noted in the records, so that whoever
//! approves may ask any server; what is decided elsewhere is noted there too, and found by the server that
//! the call waits on. The first decision counts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pcm_middleware::{ApprovalEvent, ApprovalRequest, Approvals, MiddlewareError};
use pcm_runtime_api::Payload;
use pcm_storage::{RecordKey, RecordKind, StorageError, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::answer::Refusal;
use crate::auth::Principal;
use crate::nodes::Node;
use crate::state::State;

/// How often a server looks for what was decided elsewhere, while calls wait.
const LOOKS: Duration = Duration::from_millis(500);

/// What somebody decided.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub(crate) enum Decision {
    Approve,
    Reject { reason: String },
    Edit { args: Payload },
}

impl Decision {
    /// What has become of the call.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject { .. } => "rejected",
            Self::Edit { .. } => "edited",
        }
    }

    fn settle(self, approvals: &Approvals, id: &str) -> Result<(), MiddlewareError> {
        match self {
            Self::Approve => approvals.approve(id),
            Self::Reject { reason } => approvals.reject(id, reason),
            Self::Edit { args } => approvals.approve_with_args(id, args),
        }
    }
}

/// Where a decision was taken.
#[derive(Debug)]
pub(crate) enum Decided {
    Here,
    /// The server where the call waits will find it.
    Told {
        node: String,
    },
}

/// A call that waits, as the records have it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    node: Node,
    workspace: Option<String>,
    /// As it is shown.
    shown: Value,
}

impl Note {
    /// Whether this call is the principal's to see. What is not understood is nobody's.
    fn is_for(&self, principal: &Principal) -> bool {
        match self.workspace.as_deref().map(str::parse::<WorkspaceId>) {
            None => principal.may_use(None),
            Some(Ok(id)) => principal.may_use(Some(&id)),
            Some(Err(_)) => false,
        }
    }
}

/// The calls that wait and that the principal may decide about, the oldest first.
pub(crate) async fn waiting(state: &State, principal: &Principal) -> Result<Vec<Value>, Refusal> {
    let pending = state.approvals.as_ref().map(Approvals::pending).unwrap_or_default();
    let here = pending.iter().filter_map(|request| note(state, request));
    let mut found: Vec<Value> =
        here.filter(|note| note.is_for(principal)).map(|note| note.shown).collect();
    for (_, value) in state.records.list(RecordKind::Approval).await? {
        let Ok(note) = serde_json::from_slice::<Note>(&value) else { continue };
        let is_elsewhere = note.node.name != state.node.name;
        if is_elsewhere && note.is_for(principal) && note.node.lives(&*state.records).await? {
            found.push(note.shown);
        }
    }
    found.sort_by(|one, other| one["created"].as_str().cmp(&other["created"].as_str()));
    Ok(found)
}

/// Decides about a call that waits.
pub(crate) async fn decide(
    state: &State,
    principal: &Principal,
    id: &str,
    decision: Decision,
) -> Result<Decided, Refusal> {
    let gone = || Refusal::not_found("there is no such call that waits for an approval");
    if let Some(approvals) = &state.approvals {
        let here = approvals.pending().into_iter().find(|request| request.id == id);
        if let Some(request) = here {
            let note = note(state, &request).filter(|note| note.is_for(principal));
            note.ok_or_else(gone)?;
            return match decision.settle(approvals, id) {
                Ok(()) => Ok(Decided::Here),
                Err(MiddlewareError::NoSuchApproval { .. }) => Err(gone()),
                Err(error) => {
                    tracing::error!(%error, "an approval cannot be recorded");
                    Err(Refusal::unavailable(
                        "the decision cannot be recorded; the call still waits",
                    ))
                }
            };
        }
    }
    let key = RecordKey::new(RecordKind::Approval, id).map_err(|_| gone())?;
    let note = state.records.get(&key).await?.ok_or_else(gone)?;
    let note: Note = serde_json::from_slice(&note).map_err(|_| gone())?;
    let is_there = note.node != state.node && note.is_for(principal);
    if !is_there || !note.node.lives(&*state.records).await? {
        return Err(gone());
    }
    let decided = serde_json::to_vec(&decision).unwrap_or_default();
    let key = decision_key(id)?;
    if state.records.claim(&key, decided, Duration::from_mins(10)).await? {
        return Ok(Decided::Told { node: note.node.name });
    }
    Err(Refusal::conflict("somebody else has decided about this call"))
}

/// Keeps the records true about what waits here, and looks for decisions, until it is dropped.
pub(crate) async fn watch(state: Arc<State>, approvals: Approvals) {
    let mut events = approvals.subscribe();
    let mut looks = tokio::time::interval(LOOKS);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let kept = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => heard(&state, event).await,
                // What was missed expires by itself.
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => return,
            },
            _ = looks.tick() => look(&state, &approvals).await,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the records of approvals could not be kept");
        }
    }
}

async fn heard(state: &State, event: ApprovalEvent) -> Result<(), StorageError> {
    match event {
        ApprovalEvent::Requested(request) => {
            let Some(note) = note(state, &request) else { return Ok(()) };
            let key = RecordKey::new(RecordKind::Approval, &request.id)?;
            let left = request.expires.duration_since(SystemTime::now()).unwrap_or_default();
            let value = serde_json::to_vec(&note).unwrap_or_default();
            state.records.put(&key, value, left).await
        }
        ApprovalEvent::Approved(request)
        | ApprovalEvent::Rejected(request)
        | ApprovalEvent::Expired(request) => {
            state.records.remove(&RecordKey::new(RecordKind::Approval, &request.id)?).await?;
            state.records.remove(&decision_key(&request.id)?).await
        }
        _ => Ok(()),
    }
}

/// Settles what was decided elsewhere.
async fn look(state: &State, approvals: &Approvals) -> Result<(), StorageError> {
    for request in approvals.pending() {
        let Some(decided) = state.records.get(&decision_key(&request.id)?).await? else { continue };
        let Ok(decision) = serde_json::from_slice::<Decision>(&decided) else { continue };
        if let Err(error) = decision.settle(approvals, &request.id) {
            tracing::warn!(%error, approval = request.reference(), "a decision was not taken over");
        }
    }
    Ok(())
}

/// A call that waits, with the session as clients know it. None where it is no session of this server.
fn note(state: &State, request: &ApprovalRequest) -> Option<Note> {
    let (session_id, workspace) = state.live.of_calls(&request.session_id)?;
    let mut shown = serde_json::to_value(request).ok()?;
    let fields = shown.as_object_mut()?;
    fields.insert("session_id".to_owned(), session_id.into());
    let workspace = workspace.map(|id| id.to_string());
    fields.insert("workspace_id".to_owned(), workspace.clone().into());
    fields.insert("node".to_owned(), state.node.name.clone().into());
    Some(Note { node: state.node.clone(), workspace, shown })
}

fn decision_key(id: &str) -> Result<RecordKey, StorageError> {
    RecordKey::new(RecordKind::Decision, id)
}
