//! What a backend can promise.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A promise that some backends make and others cannot.
///
/// ```
/// use pcm_runtime_api::Capability;
/// assert_eq!(Capability::MemoryLimit.to_string(), "memory_limit");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Capability {
    /// A run that takes too long is stopped.
    Timeout,
    /// Code runs in another process than the host.
    ProcessIsolation,
    /// Code cannot reach the network.
    NetworkIsolation,
    /// Code can reach listed hosts only.
    NetworkFiltering,
    /// Code cannot reach the host's files.
    FilesystemIsolation,
    /// Memory is bounded.
    MemoryLimit,
    /// Processor time is bounded.
    CpuLimit,
    /// Variables can be cleared.
    Reset,
    /// Packages can be installed.
    DepsInstall,
    /// Packages can be removed.
    DepsUninstall,
    /// Work is bounded by a deterministic count.
    Fuel,
    /// A run can be stopped from outside.
    Interrupt,
    /// Output arrives while code runs.
    Streaming,
    /// Session state can be saved, restored and forked.
    Snapshot,
    /// The session has files that can be put and got.
    Files,
}

impl Capability {
    /// Those of a session that nobody brings packages for, of a list that ends with what is about packages.
    pub fn without_packages(all: &'static [Self]) -> &'static [Self] {
        all.strip_suffix(&[Self::DepsInstall, Self::DepsUninstall]).unwrap_or(all)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}
