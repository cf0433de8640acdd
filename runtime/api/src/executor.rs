//! A wall that runs code.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Capability, ErrorKind, ExecutionResult, HostPort, RunRequest};

/// One session behind one wall: an interpreter whose variables live from run to run.
///
/// All methods take `&self`, so that a run can be interrupted while it goes on. Runs of one session
/// never overlap: a second one waits for the first.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// The backend's key, as `wasm`.
    fn backend(&self) -> &'static str;

    /// What this backend promises.
    fn capabilities(&self) -> &'static [Capability];

    /// Connects the session to its host and makes it ready to run. Calling it again replaces the
    /// port and keeps the variables.
    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError>;

    /// Runs code. Every outcome is a result: this never fails, and after whatever outcome the next
    /// run works. Dropping the future cancels the run.
    async fn run(&self, request: RunRequest) -> ExecutionResult;

    /// Stops the run that goes on, if one does; its result says `cancelled`.
    fn interrupt(&self);

    /// Clears the variables.
    async fn reset(&self) -> Result<(), ExecutorError>;

    /// Installs packages.
    async fn install_deps(&self, specs: &[String]) -> Result<DepsReport, ExecutorError> {
        let _ = specs;
        Err(ExecutorError::unsupported(self.backend(), Capability::DepsInstall))
    }

    /// Removes packages.
    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        let _ = names;
        Err(ExecutorError::unsupported(self.backend(), Capability::DepsUninstall))
    }

    /// Ends the session. Runs after it give an error of the kind `closed`. Harmless when repeated.
    async fn close(&self);
}

/// What became of the packages that were to be installed or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepsReport {
    /// Installed or removed now.
    pub changed: Vec<String>,
    /// Already there when installing, not there when removing.
    pub unchanged: Vec<String>,
    /// Not possible.
    pub failed: Vec<String>,
}

/// Why a session could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The session was closed before.
    #[error("the session is closed")]
    Closed,
    /// The sandbox could not be started.
    #[error("the {backend} sandbox could not be started: {reason}")]
    Startup {
        /// The backend.
        backend: &'static str,
        /// What went wrong, and what to do.
        reason: String,
    },
    /// The backend does not have the capability.
    #[error("the {backend} backend does not support {capability}")]
    Unsupported {
        /// The backend.
        backend: &'static str,
        /// What was asked for.
        capability: Capability,
    },
}

impl ExecutorError {
    /// The error of a backend that lacks a capability.
    pub fn unsupported(backend: &'static str, capability: Capability) -> Self {
        Self::Unsupported { backend, capability }
    }

    /// The kind that a run's result gives to this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed => ErrorKind::Closed,
            Self::Startup { .. } => ErrorKind::Startup,
            Self::Unsupported { .. } => ErrorKind::Internal,
        }
    }
}
