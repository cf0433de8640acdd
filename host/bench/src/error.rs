//! What can go wrong around a measurement.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why something was not measured, or a record not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A driver did not start.
    #[error("the driver of {contestant} does not start: {source}")]
    Start {
        /// Whose driver it is.
        contestant: String,
        /// What the system said.
        source: io::Error,
    },
    /// A driver ended before it answered.
    #[error("the driver of {contestant} ended: {said}")]
    Ended {
        /// Whose driver it is.
        contestant: String,
        /// The last lines of its standard error.
        said: String,
    },
    /// A driver took too long.
    #[error("the driver of {contestant} did not answer within {}", humantime::format_duration(*.patience))]
    TooLong {
        /// Whose driver it is.
        contestant: String,
        /// How long was waited.
        patience: Duration,
    },
    /// A driver said what makes no sense.
    #[error("the driver of {contestant} broke the protocol: {reason}")]
    Protocol {
        /// Whose driver it is.
        contestant: String,
        /// What was wrong.
        reason: String,
    },
    /// A contestant failed at what it was to do.
    #[error("{reason}")]
    Failed {
        /// In its own words.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no record.
    #[error("{} is no record of a benchmark: {reason}", .path.display())]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// A program that installs peers failed.
    #[error("{program} failed while it installed peers: {said}")]
    Install {
        /// The program.
        program: String,
        /// The end of what it said.
        said: String,
    },
}
