//! What can go wrong between a store and whoever uses it.

use std::error::Error;
use std::fmt;

use crate::{ArtifactName, WorkflowName};

/// What the system, the server or a parser said: for the host's log, never for a guest.
pub struct Details(Box<dyn Error + Send + Sync>);

impl Details {
    /// Keeps what was said.
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Details {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for Details {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl Error for Details {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Why a store did not do what it was asked. A message names no path, address or secret of the host;
/// those are in the error's `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A text is no name, or one that is not taken.
    #[error("{text:?} is not taken as {what}: {reason}")]
    Name {
        /// What it should have named.
        what: &'static str,
        /// The text, shortened.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text is no dependency, or one that is not taken.
    #[error("{text:?} is not taken as a dependency: {reason}")]
    Dependency {
        /// The text, shortened.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A workflow's source parses, but is no workflow.
    #[error("the workflow {name:?} is refused: {reason}")]
    Workflow {
        /// Its name.
        name: WorkflowName,
        /// What is wrong with it.
        reason: String,
    },
    /// A workflow's source does not parse.
    #[error("the workflow {name:?} does not parse: {message} (line {line}, column {column})")]
    Syntax {
        /// Its name.
        name: WorkflowName,
        /// What the parser says.
        message: String,
        /// Where, counted from one.
        line: usize,
        /// Where in the line, in characters, counted from one.
        column: usize,
    },
    /// A workflow's source is nested too deep to be parsed.
    #[error("the workflow {name:?} does not parse: {reason}")]
    Nesting {
        /// Its name.
        name: WorkflowName,
        /// What is too deep, and how deep it may be.
        reason: String,
    },
    /// Something is longer than a store takes.
    #[error("{what} has {size} bytes, and at most {limit} are taken; store it in parts")]
    TooLarge {
        /// What is too long.
        what: String,
        /// How long it is.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// Nothing has this name.
    #[error("there is no artifact {name:?}; artifacts.list() has the names")]
    ArtifactNotFound {
        /// The name.
        name: ArtifactName,
    },
    /// A file cannot be stored where others have their folder, or below a file.
    #[error("{name:?} cannot be stored: {reason}")]
    Clash {
        /// The name.
        name: ArtifactName,
        /// What is in the way.
        reason: &'static str,
    },
    /// What is stored cannot be read.
    #[error("{what} cannot be read from the store: {reason}")]
    Read {
        /// What should have been read.
        what: String,
        /// Why not, in words for a guest.
        reason: String,
        /// Why not, for the host.
        #[source]
        details: Option<Details>,
    },
    /// Nothing was stored.
    #[error("{what} cannot be written to the store: {reason}")]
    Write {
        /// What should have been written.
        what: String,
        /// Why not, in words for a guest.
        reason: String,
        /// Why not, for the host.
        #[source]
        details: Option<Details>,
    },
    /// A store cannot be used as it was configured.
    #[error("the storage is not usable: {reason}")]
    Configuration {
        /// What is wrong.
        reason: String,
    },
}

impl StorageError {
    /// The class of this error, as code in the sandbox reads it.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Name { .. }
            | Self::Dependency { .. }
            | Self::Workflow { .. }
            | Self::TooLarge { .. }
            | Self::Clash { .. }
            | Self::Configuration { .. } => "ValueError",
            Self::Syntax { .. } | Self::Nesting { .. } => "SyntaxError",
            Self::ArtifactNotFound { .. } => "ArtifactNotFoundError",
            Self::Read { .. } => "StorageReadError",
            Self::Write { .. } => "StorageWriteError",
        }
    }

    pub(crate) fn read(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Read { what: what.into(), reason: reason.into(), details: None }
    }

    pub(crate) fn write(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Write { what: what.into(), reason: reason.into(), details: None }
    }

    /// A failed read of a file, for `map_err`.
    pub(crate) fn reading(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Read { what, reason: said(&error), details: Some(Details::new(error)) }
    }

    /// A failed write of a file, for `map_err`.
    pub(crate) fn writing(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Write { what, reason: said(&error), details: Some(Details::new(error)) }
    }
}

/// What the system says, without the paths that an error may have been given on its way.
fn said(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}

/// A text that a guest chose, short enough for a message.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_the_system_says_is_shown_and_what_came_with_it_is_for_the_log() {
        let error = std::io::Error::other("/srv/secret: no");
        let error = StorageError::writing("the artifact \"a\"")(error);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(error.source().is_some_and(|source| source.to_string().contains("secret")));
        assert_eq!(error.error_type(), "StorageWriteError");
    }

    #[test]
    fn a_text_is_shortened_between_characters() {
        assert_eq!(shortened(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(shortened(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
