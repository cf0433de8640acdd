//! Why there is no worker.

use std::io;

use pcm_runtime_wire::ProtocolError;

/// What went wrong with a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The program does not call [`init`](crate::init).
    #[error(
        "this program has not called pcm_sandbox::worker::init() at the top of its main: call it, \
         or place the sandbox in this process"
    )]
    NoInit,
    /// The process could not be started.
    #[error("a worker process could not be started: {0}")]
    Launch(String),
    /// It cannot go on, and says why.
    #[error("the sandbox's process failed: {0}")]
    Failed(String),
    /// It ended.
    #[error("the sandbox's process ended: {0}")]
    Ended(String),
    /// It used up its memory, all of it together.
    #[error("the sandbox used up its memory")]
    OutOfMemory,
    /// It broke the protocol.
    #[error("the sandbox's process was ended because of what it said: {0}")]
    Protocol(#[from] ProtocolError),
    /// It did not answer.
    #[error("the sandbox's process did not answer, and was ended")]
    Silent,
    /// There are as many sessions as there may be.
    #[error("there are {most} sandboxes already, and none of them ended: raise the pool's `most`")]
    Full {
        /// As many.
        most: usize,
    },
    /// The sessions may use as much memory as there is for them.
    #[error(
        "the sandboxes there are may use all of the {budget} MiB that there are for them: lower \
         their memory limits, or raise the pool's `memory_bytes`"
    )]
    Memory {
        /// That much.
        budget: u64,
    },
    /// Folders of the host cannot be shown.
    #[error(transparent)]
    Folders(#[from] pcm_runtime_folders::FoldersError),
    /// There is nothing that it could be started in, and why.
    #[error("{0}")]
    Place(String),
    /// Its memory cannot be bounded.
    #[error("the memory of the sandbox's process cannot be bounded: {0}")]
    Bound(io::Error),
    /// The system.
    #[error("the worker's socket: {0}")]
    Io(#[from] io::Error),
}
