//! Why a layer could not be made, or could not do its work.

use std::io;

use crate::condition::ConditionError;

/// Why a layer could not be made, or could not do its work.
///
/// What is shown to the guest is made of these by the layers, and names no file of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MiddlewareError {
    /// The text is no pattern for names.
    #[error("{pattern:?} is no pattern for names: {reason}")]
    Glob {
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is no condition.
    #[error("the condition {text:?}, {source}")]
    Condition {
        /// What was written.
        text: String,
        /// Where and why.
        source: ConditionError,
    },
    /// The text is no rate.
    #[error("{0:?} is no rate; rates are as 5/s, 10/min, 100/h or 1000/day")]
    Rate(String),
    /// A policy file is not understood.
    #[error("line {line}, column {column}: {message}")]
    PolicyFile {
        /// The line, from 1; 0 where it is not known.
        line: u64,
        /// The column, from 1; 0 where it is not known.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// A file cannot be read, opened or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// The audit log is in use.
    #[error(
        "{path} is written by somebody else; a chained log has one writer, and no log is chained and \
         unchained at the same time"
    )]
    AuditInUse {
        /// The file.
        path: String,
    },
    /// The audit log ends in something that is no line of its chain.
    #[error(
        "{path} does not end in a line of a hash chain; look at it with `verify`, then move it away \
         to begin a new one"
    )]
    AuditNotChained {
        /// The file.
        path: String,
    },
    /// A line cannot be written to the audit log.
    #[error("the audit log cannot be written: {0}")]
    AuditWrite(io::Error),
    /// A secret has a length that cannot be looked for.
    #[error("the secret {name} has {bytes} bytes; {least} to {most} can be redacted")]
    SecretLength {
        /// The name of the secret.
        name: String,
        /// Its length.
        bytes: usize,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
    /// A name for something to redact is not one.
    #[error(
        "{0:?} is no name for something to redact: 1 to 64 letters, digits, spaces, `-` and `_`"
    )]
    RedactionName(String),
    /// There is more to redact than there may be.
    #[error("{count} {what} to redact; the most is {most}")]
    TooMuchToRedact {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        count: usize,
        /// The most.
        most: usize,
    },
    /// A pattern for texts to redact is none.
    #[error("the pattern {name}: {reason}")]
    Pattern {
        /// The name of the pattern.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such request for an approval, or not any more.
    #[error("there is no approval {id} to give: it was decided, it expired, or it never was")]
    NoSuchApproval {
        /// What was asked for.
        id: String,
    },
    /// There is no source of random numbers.
    #[error("the machine has no random numbers: {0}")]
    NoRandomness(String),
}
