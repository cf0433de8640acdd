//! One line of the log.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use crate::{ArgsDigest, Redactor};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum AuditEvent {
    /// A tool is about to be called, or would be if the policy lets it.
    #[serde(rename = "tool.call")]
    ToolCall,
    /// A call of a tool ended.
    #[serde(rename = "tool.result")]
    ToolResult,
    /// Something else than a tool is about to be called.
    #[serde(rename = "call")]
    Call,
    /// A call of something else than a tool ended.
    #[serde(rename = "result")]
    Result,
    /// A call was refused by a rule. In place of its result.
    #[serde(rename = "policy.deny")]
    PolicyDeny,
    /// A call was refused because a limit was reached. In place of its result.
    #[serde(rename = "limit.hit")]
    LimitHit,
    /// Somebody is asked to approve a call.
    #[serde(rename = "approval.requested")]
    ApprovalRequested,
    /// A call was approved.
    #[serde(rename = "approval.approved")]
    ApprovalApproved,
    /// A call was not approved.
    #[serde(rename = "approval.rejected")]
    ApprovalRejected,
    /// Nobody decided in time, or the call was given up.
    #[serde(rename = "approval.expired")]
    ApprovalExpired,
    /// A session began.
    #[serde(rename = "session.start")]
    SessionStart,
    /// A session ended.
    #[serde(rename = "session.close")]
    SessionClose,
    /// The log goes on after a line that was cut off, as by a crash.
    #[serde(rename = "log.resumed")]
    LogResumed,
}

/// What to write about an event. The time is added when it is written.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AuditEntry<'a> {
    /// What happened.
    pub event: AuditEvent,
    /// In which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<&'a str>,
    /// To which call of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<u64>,
    /// The qualified name of what is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<&'a str>,
    /// Where the call comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a str>,
    /// The wall of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<&'a str>,
    /// The workspace of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<&'a str>,
    /// The hash of the arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_sha256: Option<ArgsDigest>,
    /// The arguments, redacted by whoever sets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'a str>,
    /// The label of the rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a str>,
    /// The reference of the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<&'a str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The length of the result as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// The kind of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<&'a str>,
    /// The trace that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
}

impl<'a> AuditEntry<'a> {
    /// An entry that says nothing but what happened.
    pub fn new(event: AuditEvent) -> Self {
        Self {
            event,
            session_id: None,
            call_id: None,
            tool: None,
            origin: None,
            backend: None,
            workspace: None,
            args_sha256: None,
            args: None,
            decision: None,
            rule: None,
            approval: None,
            reason: None,
            duration_ms: None,
            bytes_out: None,
            error_type: None,
            trace_id: None,
        }
    }

    /// The beginning or the end of a session.
    pub fn session(event: AuditEvent, caller: &'a crate::Caller) -> Self {
        let mut entry = Self::new(event);
        entry.session_id = Some(&caller.session_id);
        entry.origin = Some(&caller.origin);
        entry.backend = Some(&caller.backend);
        entry.workspace = caller.workspace.as_deref();
        entry
    }
}

/// The entry as a JSON object without its last brace: a chain adds fields of its own.
///
/// Texts that the guest, a tool or an approver can put secrets into are redacted here.
pub(super) fn open_line(entry: &AuditEntry<'_>, redactor: Option<&Redactor>) -> Vec<u8> {
    let hide = |text: Option<&'_ str>| -> Option<String> {
        match redactor?.text(text?) {
            Cow::Owned(hidden) => Some(hidden),
            Cow::Borrowed(_) => None,
        }
    };
    let hidden = [entry.tool, entry.reason, entry.error_type].map(hide);
    let [tool, reason, error_type] = &hidden;
    // Most of the time there is nothing to hide and nothing to copy.
    if hidden.iter().all(Option::is_none) {
        return write_line(entry);
    }
    let mut entry = entry.clone();
    entry.tool = tool.as_deref().or(entry.tool);
    entry.reason = reason.as_deref().or(entry.reason);
    entry.error_type = error_type.as_deref().or(entry.error_type);
    write_line(&entry)
}

fn write_line(entry: &AuditEntry<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(448);
    line.extend_from_slice(b"{\"ts\":\"");
    // Neither fails: a vector takes everything, and an entry has types that JSON has.
    write!(line, "{}\",", humantime::format_rfc3339_micros(SystemTime::now())).ok();
    let start = line.len();
    serde_json::to_writer(&mut line, entry).ok();
    // The object's own braces.
    line.pop();
    if start < line.len() {
        line.remove(start);
    }
    line
}
