//! What a session shall be like.

use std::sync::Arc;

use crate::{ExecutorError, Limits, Mount, PackageSource};

/// The settings of a session that hold from its start to its end.
///
/// A backend that cannot keep one of them refuses to start, and says which.
#[derive(Debug, Clone, Default)]
pub struct SandboxConfig {
    /// The bounds of every run that brings none of its own.
    pub limits: Limits,
    /// The fuel of all runs together; None is unlimited. See `Limits::fuel` for that of one run.
    pub fuel: Option<u64>,
    /// The same program gives the same bytes and uses the same fuel, wherever and whenever it runs:
    /// clocks and random numbers are made up, the same each time.
    pub deterministic: bool,
    /// A run that has to be stopped the hard way leaves variables and files as it found them.
    /// Without it they are gone. Costs a checkpoint before every run.
    pub rollback: bool,
    /// Folders of the host.
    pub mounts: Vec<Mount>,
    /// Who fetches packages, for a wall that cannot. Without it such a wall installs none.
    pub packages: Option<Arc<dyn PackageSource>>,
}

impl SandboxConfig {
    /// Refuses, for a backend that knows no state of its interpreter but the present one, what needs
    /// more.
    pub fn needs_no_states(&self, backend: &'static str) -> Result<(), ExecutorError> {
        let missing = [
            (self.limits.fuel.is_some() || self.fuel.is_some(), "count fuel"),
            (self.deterministic, "run deterministically"),
            (self.rollback, "roll back"),
        ];
        match missing.into_iter().find(|(wanted, _)| *wanted) {
            Some((_, what)) => {
                let reason = format!("it cannot {what}; --backend wasm can");
                Err(ExecutorError::Startup { backend, reason })
            }
            None => Ok(()),
        }
    }
}

impl From<Limits> for SandboxConfig {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
