//! The call's side of an approval.

use std::sync::Arc;

use pcm_runtime_api::HostError;
use tokio::sync::oneshot;

use super::queue::{Approvals, Asked, random_id, times};
use super::request::{ApprovalRequest, Outcome};
use crate::{CallContext, MiddlewareError};

/// How a call was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved {
    is_edited: bool,
}

impl Approved {
    /// Whether the context has other arguments now than the guest gave.
    pub fn is_edited(self) -> bool {
        self.is_edited
    }
}

impl Approvals {
    /// Asks for approval of the call as it is now. An error is the answer to the guest: of the type
    /// `ApprovalRequired` (deferred), `ApprovalRejected`, `ApprovalExpired` or `LimitExceeded`.
    ///
    /// `rule` is the label of the rule that asks, `reason` what to tell whoever approves.
    pub async fn ask(
        &self,
        context: &mut CallContext,
        rule: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Approved, HostError> {
        let name = context.name();
        let digest = context.args_digest();
        let longest = self.options().longest_args();
        if digest.canonical_bytes() > longest {
            let message = format!(
                "{name} needs an approval, and its arguments have {} bytes; the most that anybody is \
                 asked about is {longest}",
                digest.canonical_bytes()
            );
            return Err(HostError::new("LimitExceeded", message));
        }
        let (created, expires) = times(self.options().validity());
        let request = ApprovalRequest {
            id: random_id().map_err(|error| unable(&name, &error))?,
            session_id: context.caller().session_id.clone(),
            name: name.clone(),
            args: context.args.clone(),
            args_sha256: digest.to_string(),
            rule: rule.map(ToOwned::to_owned),
            reason: reason.map(ToOwned::to_owned),
            created,
            expires,
        };
        let asked =
            self.open(request, digest, context.call_id()).map_err(|error| unable(&name, &error))?;
        let outcome = match asked {
            Asked::Answered(outcome) => outcome,
            Asked::Waiting(request, answer) => self.wait(&request, answer).await?,
            Asked::Deferred(request) => return Err(required(&request)),
            Asked::Full(most) => {
                let message = format!(
                    "{name} needs an approval, and {most} calls wait for one already; try again later"
                );
                return Err(HostError::new("LimitExceeded", message));
            }
        };
        match outcome {
            Outcome::Approve => Ok(Approved { is_edited: false }),
            Outcome::ApproveWith(args) => {
                context.args = args;
                Ok(Approved { is_edited: true })
            }
            Outcome::Reject(reason) => {
                let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let message = format!("{name} was not approved{because}");
                Err(HostError::new("ApprovalRejected", message))
            }
        }
    }

    async fn wait(
        &self,
        request: &Arc<ApprovalRequest>,
        mut answer: oneshot::Receiver<Outcome>,
    ) -> Result<Outcome, HostError> {
        // Also when the call is dropped, which no code after an `await` would notice.
        let _open = OpenRequest { approvals: self, id: &request.id };
        let decided = async {
            match self.options().decider() {
                Some(approver) => approver.decide(request).await,
                None => std::future::pending().await,
            }
        };
        let valid = self.options().validity();
        tokio::select! {
            biased;
            outcome = &mut answer => return outcome.map_err(|_| expired(request)),
            outcome = decided => {
                match self.settle(&request.id, outcome) {
                    // Somebody else was faster: theirs is the answer.
                    Ok(()) | Err(MiddlewareError::NoSuchApproval { .. }) => {}
                    Err(error) => return Err(unable(&request.name, &error)),
                }
            }
            () = tokio::time::sleep(valid) => {}
        }
        // From here on nobody can decide it any more. What was decided at the last moment counts: its
        // approver was told so.
        self.give_up(&request.id);
        answer.try_recv().map_err(|_| expired(request))
    }
}

/// Gives the request up when the call no longer waits.
struct OpenRequest<'a> {
    approvals: &'a Approvals,
    id: &'a str,
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.approvals.give_up(self.id);
    }
}

fn required(request: &ApprovalRequest) -> HostError {
    let because = request.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    // By its reference: the guest must not learn the id, which is what approves.
    let message = format!(
        "{} needs an approval{because}; make the same call again once request {} is approved",
        request.name,
        request.reference()
    );
    HostError::new("ApprovalRequired", message)
}

fn expired(request: &ApprovalRequest) -> HostError {
    HostError::new("ApprovalExpired", format!("{}: nobody approved it in time", request.name))
}

fn unable(name: &str, error: &MiddlewareError) -> HostError {
    // What is wrong with the log or the machine is not the guest's to know.
    let what = match error {
        MiddlewareError::AuditWrite(_) => "it cannot be recorded",
        _ => "nobody can be asked",
    };
    HostError::new("ApprovalUnavailable", format!("{name} needs an approval, and {what}"))
}
