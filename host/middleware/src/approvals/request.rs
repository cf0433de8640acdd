//! What is asked and answered.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use pcm_runtime_api::Payload;
use serde::{Serialize, Serializer};

/// A call that somebody has to approve.
///
/// Its `Debug` leaves the arguments out, and the id too: whoever knows it can approve.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct ApprovalRequest {
    /// 128 random bits in hexadecimal.
    pub id: String,
    /// Whose call it is.
    pub session_id: String,
    /// The qualified name of what is called.
    pub name: String,
    /// The arguments as they would reach the port.
    pub args: Payload,
    /// The hash that the approval is bound to; see [`ArgsDigest`](crate::ArgsDigest).
    pub args_sha256: String,
    /// The label of the rule that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked.
    #[serde(serialize_with = "as_rfc3339")]
    pub created: SystemTime,
    /// From when on the answer is no.
    #[serde(serialize_with = "as_rfc3339")]
    pub expires: SystemTime,
}

impl ApprovalRequest {
    /// The beginning of the id: what a guest and an audit log call the request. It recognises a
    /// request among those that are open, and approves none.
    pub fn reference(&self) -> &str {
        self.id.get(..8).unwrap_or_default()
    }
}

fn as_rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

impl fmt::Debug for ApprovalRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApprovalRequest")
            .field("session_id", &self.session_id)
            .field("name", &self.name)
            .field("args_sha256", &self.args_sha256)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The call may be made as it is.
    Approve,
    /// The call may be made with these arguments in place of its own.
    ApproveWith(Payload),
    /// The call is refused; the guest reads why.
    Reject(String),
}

/// Something that happened to a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ApprovalEvent {
    /// It was made.
    Requested(Arc<ApprovalRequest>),
    /// It was approved.
    Approved(Arc<ApprovalRequest>),
    /// It was refused.
    Rejected(Arc<ApprovalRequest>),
    /// Its time ran out, or the call was given up.
    Expired(Arc<ApprovalRequest>),
}

/// Decides on its own, as a prompt on a terminal or a rule of an embedder does.
///
/// The call waits for it, at most as long as requests are valid. A request can still be answered
/// through [`Approvals::approve`](crate::Approvals::approve) meanwhile; the first answer counts.
#[async_trait]
pub trait Approver: fmt::Debug + Send + Sync {
    /// Answers one request.
    async fn decide(&self, request: &ApprovalRequest) -> Outcome;
}
