//! Asking by name.

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};

use super::Approvals;
use crate::{CallContext, Layer, NameGlob, Next};

/// Asks for approval of the calls whose names it has patterns for. Within a policy, `ask` does that.
#[derive(Debug)]
pub struct ApprovalLayer {
    approvals: Approvals,
    globs: Vec<NameGlob>,
}

impl ApprovalLayer {
    /// Asks `approvals` about the calls that one of `globs` matches.
    pub fn new(approvals: Approvals, globs: Vec<NameGlob>) -> Self {
        Self { approvals, globs }
    }
}

#[async_trait]
impl Layer for ApprovalLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        let name = context.name();
        // What cannot be read could be any of them.
        if context.is_malformed() || self.globs.iter().any(|glob| glob.matches(&name)) {
            self.approvals.ask(context, None, None).await?;
        }
        next.run(context).await
    }
}
