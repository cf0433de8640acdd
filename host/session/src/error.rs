//! What can go wrong outside of a run.

use pcm_middleware::MiddlewareError;
use pcm_runtime_api::{ExecutorError, HostError};
use pcm_storage::StorageError;

/// Why a session could not be started, or not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The wall could not.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The storage could not.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A call was refused or failed, as it would for code in the sandbox.
    #[error("{0}")]
    Host(#[from] HostError),
    /// A package that the session shall begin with could not be installed.
    #[error("{reason}")]
    Package {
        /// The package.
        spec: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The start of the session could not be written down.
    #[error(transparent)]
    Audit(#[from] MiddlewareError),
    /// There is no randomness on this machine to name the session with.
    #[error("the session cannot be given a name: {0}")]
    NoRandomness(String),
}
