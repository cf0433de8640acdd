//! Workflows: coroutines that agents keep.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::python::{Outline, Refusal};
use crate::{StorageError, WorkflowName, python};

/// How long a description may be.
const MAX_DESCRIPTION_BYTES: usize = 16 << 10;

/// A stored coroutine. What it says about its source was read without running it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// What it is called by.
    pub name: WorkflowName,
    /// What it does, in a sentence; may be empty.
    pub description: String,
    /// Its module, with an `async def run(...)`, as it was given.
    pub source: String,
    /// What `run` takes.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `array` or `object`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means; may be empty.
    pub description: String,
    /// Whether it has to be passed.
    pub required: bool,
    /// The value of its default, where it has one that is a literal; else the default's source text.
    pub default: Value,
}

/// A workflow as it is listed: all but its source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorkflowSummary<'a> {
    /// What it is called by.
    pub name: &'a WorkflowName,
    /// What it does.
    pub description: &'a str,
    /// What `run` takes.
    pub parameters: &'a [Parameter],
}

impl Workflow {
    /// Checks a source and reads what it says. A description that is empty is the first line of the
    /// docstring of the module, or of `run`.
    pub fn new(name: &WorkflowName, source: &str, description: &str) -> Result<Self, StorageError> {
        let what = || format!("the source of the workflow {name:?}");
        let read = python::outline_of(source).map_err(StorageError::reading(what()))?;
        let outline = read.map_err(|refusal| refused(name, refusal))?;
        Self::with_outline(name, source.to_owned(), description, outline)
    }

    /// The same, of a source that was read before.
    pub(crate) fn with_outline(
        name: &WorkflowName,
        source: String,
        description: &str,
        outline: Outline,
    ) -> Result<Self, StorageError> {
        check_description(&format!("the description of the workflow {name:?}"), description)?;
        let description = match description.trim() {
            "" => outline.description,
            _ => description.to_owned(),
        };
        Ok(Self { name: name.clone(), description, source, parameters: outline.parameters })
    }

    /// This workflow without its source, as lists show it.
    pub fn summary(&self) -> WorkflowSummary<'_> {
        let Self { name, description, parameters, .. } = self;
        WorkflowSummary { name, description, parameters }
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.summary(), formatter)
    }
}

/// Refuses a description that is too long to be one.
pub(crate) fn check_description(what: &str, description: &str) -> Result<(), StorageError> {
    if description.len() <= MAX_DESCRIPTION_BYTES {
        return Ok(());
    }
    Err(StorageError::TooLarge {
        what: what.to_owned(),
        size: description.len() as u64,
        limit: MAX_DESCRIPTION_BYTES as u64,
    })
}

fn refused(name: &WorkflowName, refusal: Refusal) -> StorageError {
    let name = name.clone();
    match refusal {
        Refusal::Syntax { message, line, column } => {
            StorageError::Syntax { name, message, line, column }
        }
        Refusal::Nesting(reason) => StorageError::Nesting { name, reason },
        Refusal::Rule(reason) => StorageError::Workflow { name, reason },
    }
}
