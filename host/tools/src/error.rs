//! Why a tool was not called, or could not be added.

use pcm_runtime_api::HostError;

use crate::name::{RESERVED, RESERVED_FIRST};

/// The names that an error lists.
const LISTED: usize = 5;

/// Why a call of a tool has no result.
///
/// These texts are shown to the guest: they name what the guest named and what the tool itself said,
/// never a path of the host or the value of a variable.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// What was called is no name that a tool can have.
    #[error("Tool {name:?} not found; no tool can have this name")]
    Name {
        /// The beginning of what was called.
        name: String,
    },
    /// What was called is not the name of a tool, or the tool is out of the view's scope.
    #[error("Tool {tool:?} not found; {available}")]
    NotFound {
        /// What was called.
        tool: String,
        /// What there is.
        available: Names,
    },
    /// The tool has no such recipe.
    #[error("{tool}: ValueError: Recipe {recipe:?} not found; {available}")]
    UnknownRecipe {
        /// The tool.
        tool: String,
        /// What was called.
        recipe: String,
        /// What there is.
        available: Names,
    },
    /// The arguments do not fit.
    #[error("{tool}: ValueError: {reason}")]
    Arguments {
        /// What was called.
        tool: String,
        /// What does not fit, and what would.
        reason: String,
    },
    /// The tool was called and failed.
    #[error("{tool}: {reason}")]
    Call {
        /// What was called.
        tool: String,
        /// What it said.
        reason: String,
    },
    /// The tool took too long and was ended.
    #[error("{tool}: timed out after {seconds} s and was ended; its `timeout` can be longer")]
    Timeout {
        /// What was called.
        tool: String,
        /// How long it had.
        seconds: f64,
    },
    /// A closure failed, in its own words.
    #[error("{}", .0.message)]
    Host(HostError),
}

impl ToolError {
    pub(crate) fn call(tool: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Call { tool: tool.into(), reason: reason.into() }
    }

    pub(crate) fn arguments(tool: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Arguments { tool: tool.into(), reason: reason.into() }
    }

    /// The kind of failure, as the guest reads it.
    pub fn kind(&self) -> &str {
        match self {
            Self::Name { .. } | Self::NotFound { .. } => "ToolNotFoundError",
            Self::UnknownRecipe { .. } | Self::Arguments { .. } | Self::Call { .. } => {
                "ToolCallError"
            }
            Self::Timeout { .. } => "ToolTimeoutError",
            Self::Host(error) => &error.error_type,
        }
    }
}

impl From<ToolError> for HostError {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Host(error) => error,
            error => Self::new(error.kind(), error.to_string()),
        }
    }
}

/// Some names, of which an error lists the first few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// At most five, in order.
    pub first: Vec<String>,
    /// How many there are beyond them.
    pub more: usize,
}

impl Names {
    pub(crate) fn new<Name: Into<String>>(names: impl IntoIterator<Item = Name>) -> Self {
        let mut names = names.into_iter();
        let first = names.by_ref().take(LISTED).map(Into::into).collect();
        Self { first, more: names.count() }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first.is_empty() {
            return formatter.write_str("there are none");
        }
        write!(formatter, "there are: {}", self.first.join(", "))?;
        if self.more > 0 {
            write!(formatter, " (and {} more)", self.more)?;
        }
        Ok(())
    }
}

/// Why a tool could not be declared or added. For the people who run the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// The name is none that code in the sandbox can write.
    #[error(
        "{name:?} is no name for a tool: words of ASCII letters, digits and _ that begin with a \
         letter, joined by dots; no keyword of Python, nor {}, nor {} as the first",
        RESERVED.join(", "), RESERVED_FIRST.join(" or ")
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// Two tools have one name.
    #[error("two tools are called {name:?}: one is of {first}, the other of {second}")]
    Duplicate {
        /// The name.
        name: String,
        /// Where the tool that is there comes from.
        first: String,
        /// Where the refused one comes from.
        second: String,
    },
    /// The registry was closed.
    #[error("the registry of tools is closed")]
    Closed,
    /// The folder of declarations cannot be listed.
    #[error("the folder of tools {folder} cannot be read: {reason}")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A declaration in code is not one.
    #[error("{what}: {reason}")]
    Declaration {
        /// What was declared.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection to an MCP server.
    #[error("the MCP server {server:?}: {reason}")]
    Connection {
        /// The server, as it was named.
        server: String,
        /// What happened.
        reason: String,
    },
}

impl ToolsError {
    pub(crate) fn declaration(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Declaration { what: what.into(), reason: reason.into() }
    }
}
