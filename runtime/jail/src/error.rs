//! Why a process was not jailed.

use std::io;
use std::path::PathBuf;

use crate::report::JailReport;

/// Why a process was not jailed, and must not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JailError {
    /// The text is no mode.
    #[error("{0:?} is no jail; it is `strict`, `default` or `off`")]
    Mode(String),
    /// A jail closes around one thread; others would stay outside.
    #[error(
        "the process has {0} threads, and a jail is closed around one; separate and close before \
         anything starts a thread"
    )]
    Threads(usize),
    /// The parent is gone, so nobody wants this process.
    #[error("the parent of this process has ended")]
    Orphan,
    /// A descriptor that should stay open is not open.
    #[error("descriptor {0} should be kept, but is not open")]
    Descriptor(i32),
    /// The process could not be divided into the one that waits and the one that works.
    #[error("no process can be started in its own process namespace: {0}")]
    Fork(#[source] io::Error),
    /// A path that the walls should let through cannot be opened.
    #[error("the path {path:?} of the walls cannot be opened: {source}")]
    Path {
        /// What was asked for.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `--jail strict`, and a part is missing.
    #[error(
        "the jail is not complete ({0}); `--jail default` goes on with the parts that there are"
    )]
    Incomplete(JailReport),
}
