//! What a worker must not do.

/// The other side broke the protocol. Nothing that it says can be relied on any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// It speaks another version, or something else.
    #[error("it does not speak version {} of the protocol", crate::PROTOCOL)]
    Version,
    /// A frame is longer than whatever can be said now.
    #[error("its frame of {length} bytes is longer than {longest}")]
    TooLong {
        /// The length that it gave.
        length: u64,
        /// The most that is taken.
        longest: u64,
    },
    /// A frame has too many parts.
    #[error("its frame would take {cost} bytes, more than {most}")]
    TooManyParts {
        /// What its values would take.
        cost: u64,
        /// The most that is taken.
        most: u64,
    },
    /// A frame cannot be read.
    #[error("its frame cannot be read: {0}")]
    Malformed(String),
    /// Something that may be said, but not now.
    #[error("it says {what} while it is {stage}")]
    OutOfTurn {
        /// What it says.
        what: &'static str,
        /// What it was doing.
        stage: &'static str,
    },
    /// A number that is not a new one, or not one of a call.
    #[error("it says {what} of call {call}, which it cannot")]
    Number {
        /// What it says.
        what: &'static str,
        /// The number.
        call: u64,
    },
    /// More of something than a run may have.
    #[error("its run has more {0} than it may")]
    TooMany(&'static str),
}
