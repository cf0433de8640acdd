//! What happened, line by line: `entry` is one line, `chained` ties lines to each other, `file` keeps
//! them on disk, `log` is the handle that everybody shares, `verify` reads a chain again, `layer`
//! writes about calls.

mod chained;
mod entry;
mod file;
mod layer;
mod log;
mod verify;

pub use self::entry::{AuditEntry, AuditEvent};
pub use self::layer::{AuditFailure, AuditLayer, TraceId};
pub use self::log::AuditLog;
pub use self::verify::{Anchor, AuditError, AuditFlaw, Verified, verify, verify_since};
