//! Layers around the port of a sandbox: audit, policy, approvals, redaction, timeouts, tracing.
//!
//! Everything that sandboxed code asks for is a call of one port. A [`Chain`] is that port with
//! [`Layer`]s around it: a call comes in as a `HostCall`, goes as a [`CallContext`] through the layers
//! from the outermost to the innermost, and reaches the port as what they left of it. Each layer may
//! look at a call, change it, answer it, or refuse it. They are the same for every backend and every
//! namespace, and there is no way around them.
//!
//! The shipped layers are [`AuditLayer`], [`PolicyLayer`], [`ApprovalLayer`], [`RedactionLayer`],
//! [`TimeoutLayer`] and [`TracingLayer`]; [`PolicyFile`] sets all of them up from one file and puts
//! them in the right order.
//!
//! What must never live here: what a tool is, where anything is stored, how a session runs. A layer sees
//! what crosses the port; what a tool does with it is the tool's.

mod approvals;
mod audit;
mod caller;
mod canonical;
mod chain;
mod condition;
mod context;
mod error;
mod extensions;
mod glob;
mod policy;
mod policy_file;
mod rate;
mod redaction;
mod spans;
mod timeout;

pub use crate::approvals::{
    ApprovalEvent, ApprovalLayer, ApprovalMode, ApprovalOptions, ApprovalRequest, Approvals,
    Approved, Approver, Outcome,
};
pub use crate::audit::{
    Anchor, AuditEntry, AuditError, AuditEvent, AuditFailure, AuditFlaw, AuditLayer, AuditLog,
    TraceId, Verified, verify, verify_since,
};
pub use crate::caller::Caller;
pub use crate::canonical::ArgsDigest;
pub use crate::chain::{Answer, Chain, Layer, Next, layer_fn};
pub use crate::condition::{Condition, ConditionError};
pub use crate::context::CallContext;
pub use crate::error::MiddlewareError;
pub use crate::glob::NameGlob;
pub use crate::policy::{Action, Decision, Policy, PolicyLayer, Rule, Skipped, Verdict};
pub use crate::policy_file::{ActivePolicy, PolicyFile, PolicySetup, PolicyWarning};
pub use crate::rate::Rate;
pub use crate::redaction::{RedactionLayer, Redactor, RedactorBuilder, Secret};
pub use crate::spans::TracingLayer;
pub use crate::timeout::TimeoutLayer;
