//! Why there is no sandbox.

use std::io;

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
    /// The system gave no memory.
    #[error("no memory for the sandbox: {0}")]
    Memory(io::Error),
    /// Earlier runs are in operations of V8 that nothing stops.
    #[error("{0} earlier runs cannot be stopped; wait for one of them, or start a new process")]
    LeftBehind(usize),
    /// The system gave no thread.
    #[error("no thread for the isolate: {0}")]
    Thread(io::Error),
}
