//! Calls that somebody has to approve.
//!
//! `request` is what is asked and answered, `queue` keeps what is open and what was granted, `asking`
//! is the call's side of it, `layer` asks by name without a policy.

mod asking;
mod layer;
mod queue;
mod request;

pub use self::asking::Approved;
pub use self::layer::ApprovalLayer;
pub use self::queue::{ApprovalMode, ApprovalOptions, Approvals};
pub use self::request::{ApprovalEvent, ApprovalRequest, Approver, Outcome};
