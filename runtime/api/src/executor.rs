//! A wall that runs code.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Capability, ErrorKind, ExecutionResult, HostPort, Progress, RunRequest};

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

    /// Installs packages, also while code runs.
    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        let (_, _) = (specs, progress);
        Err(ExecutorError::unsupported(self.backend(), Capability::DepsInstall))
    }

    /// Removes packages, by their names.
    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        let _ = names;
        Err(ExecutorError::unsupported(self.backend(), Capability::DepsUninstall))
    }

    /// Keeps the session's state, to come back to with [`restore`](Self::restore).
    async fn checkpoint(&self) -> Result<CheckpointId, ExecutorError> {
        Err(ExecutorError::unsupported(self.backend(), Capability::Snapshot))
    }

    /// Makes the session what it was at a checkpoint, which stays valid.
    async fn restore(&self, checkpoint: CheckpointId) -> Result<(), ExecutorError> {
        let _ = checkpoint;
        Err(ExecutorError::unsupported(self.backend(), Capability::Snapshot))
    }

    /// Gives up a checkpoint and what it holds. Harmless when repeated.
    async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// Another session in the same state, with the same host. From here on the two are independent.
    async fn fork(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        Err(ExecutorError::unsupported(self.backend(), Capability::Snapshot))
    }

    /// The session's state as bytes that [`load`](Self::load) takes, signed with `key`.
    async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, ExecutorError> {
        let _ = key;
        Err(ExecutorError::unsupported(self.backend(), Capability::Snapshot))
    }

    /// Makes the session what another one was when it was saved. Nothing of `saved` is used before
    /// its signature was checked.
    async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), ExecutorError> {
        let (_, _) = (saved, key);
        Err(ExecutorError::unsupported(self.backend(), Capability::Snapshot))
    }

    /// The fuel that is left for the session's runs; None where it is not counted.
    fn fuel(&self) -> Option<u64> {
        None
    }

    /// Refills the session's fuel.
    fn add_fuel(&self, fuel: u64) -> Result<(), ExecutorError> {
        let _ = fuel;
        Err(ExecutorError::unsupported(self.backend(), Capability::Fuel))
    }

    /// Writes a file into the session's file system, with the folders above it.
    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let (_, _) = (path, content);
        Err(ExecutorError::unsupported(self.backend(), Capability::Files))
    }

    /// Reads a file of the session's file system, if it has at most `longest` bytes.
    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let (_, _) = (path, longest);
        Err(ExecutorError::unsupported(self.backend(), Capability::Files))
    }

    /// Ends the session. Runs after it give an error of the kind `closed`. Harmless when repeated.
    async fn close(&self);
}

/// A state of a session that it can come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CheckpointId(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What became of the packages that were to be installed or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepsReport {
    /// Installed or removed now.
    pub changed: Vec<String>,
    /// Already there when installing, not there when removing.
    pub unchanged: Vec<String>,
    /// Not possible.
    pub failed: Vec<FailedDep>,
}

/// A package that could not be installed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDep {
    /// What was asked for.
    pub spec: String,
    /// Why it was not possible, and what to do.
    pub reason: String,
}

/// Why a session could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The session was closed before.
    #[error("the session is closed")]
    Closed,
    /// The sandbox could not be started.
    #[error("the {backend} backend could not be started: {reason}")]
    Startup {
        /// The backend.
        backend: &'static str,
        /// What went wrong, and what to do.
        reason: String,
    },
    /// The sandbox ended while it was to do something. The next thing works on a fresh one.
    #[error("the {backend} sandbox has ended: {reason}")]
    Ended {
        /// The backend.
        backend: &'static str,
        /// How.
        reason: String,
    },
    /// The session has no such checkpoint.
    #[error("the session has no checkpoint {0}")]
    NoCheckpoint(CheckpointId),
    /// A saved state was refused.
    #[error("the saved session cannot be loaded: {0}")]
    BadState(String),
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The path in the sandbox.
        path: String,
        /// What went wrong.
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
            Self::Ended { .. } => ErrorKind::Crashed,
            Self::NoCheckpoint(_)
            | Self::BadState(_)
            | Self::File { .. }
            | Self::Unsupported { .. } => ErrorKind::Internal,
        }
    }
}
