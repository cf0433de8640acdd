//! What the embedder is told when something does not work.

use pcm_runtime_api::ExecutorError;

use crate::Errno;

/// Why an embedder's wish about a session's files was refused. Never shown to sandboxed code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A folder of the host cannot be mounted.
    #[error("the mount {guest} is refused: {reason}")]
    Mount {
        /// Where the sandbox would have seen it.
        guest: String,
        /// What is wrong with it, and the folder's name on the host.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The path in the sandbox.
        path: String,
        /// What is wrong.
        reason: Errno,
    },
    /// A file is longer than the caller takes.
    #[error("{path}: it has {bytes} bytes, {longest} are taken")]
    TooLong {
        /// The path in the sandbox.
        path: String,
        /// Its size.
        bytes: u64,
        /// The most that is taken.
        longest: u64,
    },
    /// Bytes that are not what [`Files::to_bytes`](crate::Files::to_bytes) gives, or do not fit the
    /// session that shall take them.
    #[error("the saved files are refused: {0}")]
    Saved(String),
}

impl From<FilesError> for ExecutorError {
    fn from(error: FilesError) -> Self {
        let (path, reason) = match error {
            FilesError::File { path, reason } => (path, reason.to_string()),
            FilesError::TooLong { path, bytes, longest } => {
                (path, format!("it has {bytes} bytes, {longest} are taken"))
            }
            other => (String::new(), other.to_string()),
        };
        ExecutorError::File { path, reason }
    }
}
