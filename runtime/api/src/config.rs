//! What a session shall be like.

use std::sync::Arc;

use crate::{Limits, Mount, PackageSource};

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

impl From<Limits> for SandboxConfig {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}
