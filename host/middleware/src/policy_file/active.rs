//! Layers from a policy file.

use std::path::Path;
use std::sync::Arc;

use super::reading::{Parts, add_patterns};
use super::schema::{AuditText, FailureText};
use crate::{
    Approvals, Approver, AuditFailure, AuditLayer, AuditLog, Layer, MiddlewareError, Policy,
    PolicyLayer, RedactionLayer, Redactor, Secret, TimeoutLayer, TracingLayer,
};

/// What the host adds to a policy file.
#[derive(Debug, Default)]
pub struct PolicySetup {
    /// Decides what the rules ask about. None: it waits for [`Approvals::approve`].
    pub approver: Option<Arc<dyn Approver>>,
    /// Secrets to redact, by name, beside those of the file.
    pub secrets: Vec<(String, Secret)>,
    /// A log in place of the file's own.
    pub audit: Option<AuditLog>,
}

/// A policy file at work: the log is open, the secrets are known. One serves all sessions.
#[derive(Debug, Clone)]
pub struct ActivePolicy {
    policy: Arc<Policy>,
    approvals: Approvals,
    redactor: Redactor,
    audit: Option<(AuditLog, AuditText)>,
    timeouts: Arc<TimeoutLayer>,
    tracing: Option<TracingLayerKind>,
}

#[derive(Debug, Clone, Copy)]
enum TracingLayerKind {
    Plain,
    WithArgs,
}

impl ActivePolicy {
    pub(super) fn new(
        parts: &Parts,
        folder: Option<&Path>,
        setup: PolicySetup,
    ) -> Result<Self, MiddlewareError> {
        let mut builder = add_patterns(Redactor::builder(), &parts.redact)?;
        for variable in &parts.redact.env {
            // A variable that is not set has nothing to hide.
            if let Some(secret) = Secret::from_env(variable) {
                builder = builder.secret(variable, secret);
            }
        }
        for (name, secret) in setup.secrets {
            builder = builder.secret(name, secret);
        }
        let redactor = builder.build()?;
        let audit = match (setup.audit, &parts.audit) {
            (Some(log), text) => Some((log, text.clone().unwrap_or_default())),
            (None, Some(text)) => Some((open(text, folder)?, text.clone())),
            (None, None) => None,
        };
        let audit = audit.map(|(log, text)| (log.redacted(redactor.clone()), text));
        let mut options = parts.approvals.clone();
        if let Some(approver) = setup.approver {
            options = options.approver(approver);
        }
        if let Some((log, _)) = &audit {
            options = options.audit(log.clone());
        }
        Ok(Self {
            policy: Arc::clone(&parts.policy),
            approvals: Approvals::new(options),
            redactor,
            audit,
            timeouts: Arc::clone(&parts.timeouts),
            tracing: parts.tracing.map(|text| {
                if text.args { TracingLayerKind::WithArgs } else { TracingLayerKind::Plain }
            }),
        })
    }

    /// The layers for one session, which have its own counts of calls.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        self.layers_with(Vec::new())
    }

    /// The same, with layers of the host's own at the place where they may rewrite calls.
    ///
    /// From the outermost, and why there:
    ///
    /// 1. tracing, so that a span has everything in it, waiting included;
    /// 2. redaction, so that every answer passes it, also the refusals of layers further in;
    /// 3. audit, so that what the guest asked for is written down before anything happens to it, and
    ///    every refusal after;
    /// 4. `own`, so that what they make of a call is what is judged;
    /// 5. the policy with its approvals: nothing changes a call between it and the port;
    /// 6. the timeout, so that time to think about an approval is not the call's.
    pub fn layers_with(&self, own: Vec<Arc<dyn Layer>>) -> Vec<Arc<dyn Layer>> {
        let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
        match self.tracing {
            Some(TracingLayerKind::Plain) => layers.push(Arc::new(TracingLayer::new())),
            Some(TracingLayerKind::WithArgs) => {
                layers.push(Arc::new(TracingLayer::new().with_args(self.redactor.clone())));
            }
            None => {}
        }
        if !self.redactor.is_empty() {
            layers.push(Arc::new(RedactionLayer::new(self.redactor.clone())));
        }
        if let Some((log, text)) = &self.audit {
            let mut layer = AuditLayer::new(log.clone());
            if text.args {
                layer = layer.with_args();
            }
            if matches!(text.on_failure, FailureText::Continue) {
                layer = layer.on_failure(AuditFailure::Continue);
            }
            layers.push(Arc::new(layer));
        }
        layers.extend(own);
        let policy = PolicyLayer::new(Arc::clone(&self.policy)).approvals(self.approvals.clone());
        layers.push(Arc::new(policy));
        layers.push(Arc::<TimeoutLayer>::clone(&self.timeouts));
        layers
    }

    /// Where calls are approved.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// The log, where there is one.
    pub fn audit(&self) -> Option<&AuditLog> {
        self.audit.as_ref().map(|(log, _)| log)
    }

    /// What is redacted.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

fn open(text: &AuditText, folder: Option<&Path>) -> Result<AuditLog, MiddlewareError> {
    let path = folder.unwrap_or(Path::new("")).join(&text.file);
    if text.chain { AuditLog::chained_file(path) } else { AuditLog::file(path) }
}
