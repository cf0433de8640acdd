//! Why there is no sandbox.

use std::io;
use std::path::PathBuf;

/// Why Pyodide cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenoError {
    /// What is embedded cannot be unpacked.
    #[error("Pyodide is damaged in this program: {0}")]
    Damaged(String),
    /// The isolate could not be made, or Pyodide did not start in it.
    #[error("Pyodide does not start: {0}")]
    Start(String),
    /// What is made on the first use could not be written or read.
    #[error("{}: {source}", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("no thread for the isolate: {0}")]
    Thread(io::Error),
}

impl DenoError {
    pub(crate) fn cache(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Cache { path, source }
    }
}
