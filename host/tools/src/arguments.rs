//! Arguments that the guest gave, held against what was declared.

use std::collections::BTreeMap;

use pcm_fences::{Fence, holds};
use pcm_runtime_api::ValueType;
use serde_json::{Map, Value};

use crate::{Parameter, ToolError, text};

/// The arguments of a call by name, and the types that JSON has no word for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    /// The arguments as far as JSON can say them.
    pub values: Map<String, Value>,
    /// By JSON pointer into the arguments, what a place was in Python.
    pub types: BTreeMap<String, ValueType>,
}

impl Arguments {
    /// The type of a top-level argument or, with `index`, of an item of it.
    pub(crate) fn type_at(&self, name: &str, index: Option<usize>) -> Option<ValueType> {
        if self.types.is_empty() {
            return None;
        }
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = match index {
            Some(index) => format!("/{name}/{index}"),
            None => format!("/{name}"),
        };
        self.types.get(&pointer).copied()
    }
}

impl From<Map<String, Value>> for Arguments {
    fn from(values: Map<String, Value>) -> Self {
        Self { values, types: BTreeMap::new() }
    }
}

/// Refuses arguments that are not declared or not of their type, and adds the defaults. An optional
/// argument that is null is left out.
pub(crate) fn complete(
    tool: &str,
    parameters: &[Parameter],
    args: &mut Map<String, Value>,
) -> Result<(), ToolError> {
    for (name, value) in &*args {
        if !holds(Fence::Declared) {
            break;
        }
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == *name) else {
            return Err(unknown(tool, name, parameters.iter().map(|each| each.name.as_str())));
        };
        if (parameter.required || !value.is_null()) && !parameter.kind.admits(value) {
            return Err(mismatch(tool, parameter, value));
        }
    }
    for parameter in parameters {
        let given = args.get(&parameter.name);
        if given.is_some_and(|value| parameter.required || !value.is_null()) {
            continue;
        }
        match &parameter.default {
            Some(default) => {
                args.insert(parameter.name.clone(), default.clone());
            }
            None if parameter.required => return Err(missing(tool, &parameter.name)),
            None => {
                args.shift_remove(&parameter.name);
            }
        }
    }
    Ok(())
}

/// The error of an argument that a call must have.
pub(crate) fn missing(tool: &str, name: &str) -> ToolError {
    ToolError::arguments(tool, format!("Required parameter {name:?} is missing"))
}

/// The error of an argument that nobody declared.
pub(crate) fn unknown<'a>(
    tool: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> ToolError {
    let meant = text::closest(name, known.clone());
    let meant = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant:?}?)"));
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let name = text::head(name, 64);
    ToolError::arguments(tool, format!("there is no argument {name:?}{meant}; it takes: {known}"))
}

/// The error of a value that is not of the declared type.
pub(crate) fn mismatch(tool: &str, parameter: &Parameter, value: &Value) -> ToolError {
    let given = match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        scalar => text::head(&crate::python::literal(scalar), 64),
    };
    let Parameter { name, kind, .. } = parameter;
    ToolError::arguments(tool, format!("{name:?} has to be of the type {kind}, and {given} is not"))
}
