//! What the process outside is told when a service cannot begin, or ends.

use std::io;

/// Why folders are not served. Never shown to sandboxed code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldersError {
    /// A folder cannot be opened.
    #[error("the mount {guest} cannot be served: {reason}")]
    Mount {
        /// Where the sandbox would have seen it.
        guest: String,
        /// What is wrong with the folder.
        reason: io::Error,
    },
    /// The system's own trouble.
    #[error("folders are not served: {0}")]
    System(#[from] io::Error),
    /// The sandbox sent what no sandbox of ours sends: it is broken or hostile, and should be ended.
    #[error("the sandbox broke the protocol of its folders: {0}")]
    Broken(&'static str),
}
