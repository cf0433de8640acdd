//! What a tool looks like from the sandbox.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::python;

/// A tool, as `tools.list()` and `tools.search()` show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tool {
    /// By what it is called: `tools.<name>(…)`. Dots make a group.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it is about; a scope picks tools by them.
    pub tags: Vec<String>,
    /// What can be called of it: the recipes of a program, the tools of an MCP server.
    pub callables: Vec<Callable>,
}

/// One thing that can be called of a tool: `tools.<tool>.<name>(…)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Callable {
    /// Its name within the tool.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What it takes, by name.
    pub parameters: Vec<Parameter>,
    /// What comes back.
    #[serde(skip)]
    pub returns: ParameterType,
}

/// One argument of a callable.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it is, as Python calls it.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Whether a call must have it.
    pub required: bool,
    /// What counts where a call does not have it.
    pub default: Option<Value>,
    /// What it means.
    pub description: String,
}

/// The type of an argument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum ParameterType {
    /// Whatever JSON can say.
    #[default]
    Any,
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list of one type.
    List(Box<ParameterType>),
    /// A mapping.
    Object,
}

impl ParameterType {
    /// A list of anything.
    pub fn list() -> Self {
        Self::List(Box::default())
    }

    /// The type by its name in JSON Schema, or by the one that Python has for it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "string" | "str" => Self::Text,
            "integer" | "int" => Self::Integer,
            "number" | "float" => Self::Number,
            "boolean" | "bool" => Self::Boolean,
            "array" | "list" => Self::list(),
            "list[str]" => Self::List(Box::new(Self::Text)),
            "object" | "dict" => Self::Object,
            "any" => Self::Any,
            _ => return None,
        })
    }

    /// The names that [`from_name`](Self::from_name) knows and people should use.
    pub(crate) const NAMES: [&'static str; 7] =
        ["string", "integer", "number", "boolean", "array", "object", "any"];

    /// Whether a value is one of the type. Numbers and truth values may be written as text where
    /// they cannot be taken for anything else, as models often do.
    pub fn admits(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text => matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)),
            Self::Integer => match value {
                Value::Number(number) => !number.is_f64(),
                Value::String(text) => {
                    let digits = text.strip_prefix('-').unwrap_or(text);
                    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
                }
                _ => false,
            },
            Self::Number => match value {
                Value::Number(_) => true,
                Value::String(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
                _ => false,
            },
            Self::Boolean => value.is_boolean() || matches!(value.as_u64(), Some(0 | 1)),
            Self::List(items) => {
                value.as_array().is_some_and(|list| list.iter().all(|item| items.admits(item)))
            }
            Self::Object => value.is_object(),
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Any => "Any",
            Self::Text => "str",
            Self::Integer => "int",
            Self::Number => "float",
            Self::Boolean => "bool",
            Self::List(items) if **items == Self::Any => "list",
            Self::List(items) => return write!(formatter, "list[{items}]"),
            Self::Object => "dict",
        })
    }
}

impl Serialize for ParameterType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Tool {
    /// The callable of that name.
    pub fn callable(&self, name: &str) -> Option<&Callable> {
        self.callables.iter().find(|callable| callable.name == name)
    }

    /// The callable that a call of the tool itself means, if there is one: the one of its name.
    pub fn default_callable(&self) -> Option<&Callable> {
        self.callable(self.name.rsplit('.').next()?)
    }

    /// What a search looks at beside name, tags and description.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        for callable in &self.callables {
            let parameters = callable.parameters.iter();
            let texts = parameters.flat_map(|each| [&each.name, &each.description]);
            for text in [&callable.name, &callable.description].into_iter().chain(texts) {
                words.push_str(text);
                words.push('\n');
            }
        }
        words
    }
}

impl Callable {
    /// The callable as Python would declare it, what is required first:
    /// `get(url: str, timeout: int = 30)`.
    pub fn signature(&self) -> String {
        let (required, optional): (Vec<_>, Vec<_>) =
            self.parameters.iter().partition(|parameter| parameter.required);
        let parameters: Vec<String> =
            required.into_iter().chain(optional).map(ToString::to_string).collect();
        format!("{}({})", self.name, parameters.join(", "))
    }
}

impl Parameter {
    /// A parameter that a call may leave out.
    pub fn new(name: impl Into<String>, kind: ParameterType) -> Self {
        Self { name: name.into(), kind, ..Default::default() }
    }

    /// A parameter that a call must have.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Says what counts where a call does not have it.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Says what it means.
    #[must_use]
    pub fn about(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// The parameter as it stands in a signature.
impl fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, .. } = self;
        match &self.default {
            _ if self.required => write!(formatter, "{name}: {kind}"),
            Some(Value::Null) | None if *kind == ParameterType::Any => {
                write!(formatter, "{name}: Any = None")
            }
            Some(Value::Null) | None => write!(formatter, "{name}: {kind} | None = None"),
            Some(default) => write!(formatter, "{name}: {kind} = {}", python::literal(default)),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.description)?;
        for callable in &self.callables {
            write!(formatter, "\n  {}: {}", callable.signature(), callable.description)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> Tool {
        Tool {
            name: "curl".to_owned(),
            description: "HTTP".to_owned(),
            tags: vec!["net".to_owned()],
            callables: vec![Callable {
                name: "get".to_owned(),
                description: "Fetches".to_owned(),
                parameters: vec![
                    Parameter::new("agent", ParameterType::Text),
                    Parameter::new("timeout", ParameterType::Integer).default_value(30),
                    Parameter::new("url", ParameterType::Text).required().about("Where"),
                    Parameter::new("method", ParameterType::Text).default_value("a\"b"),
                ],
                returns: ParameterType::Text,
            }],
        }
    }

    #[test]
    fn a_tool_is_shown_as_the_documented_record() -> Result<(), serde_json::Error> {
        assert_eq!(
            serde_json::to_value(tool())?,
            json!({"name": "curl", "description": "HTTP", "tags": ["net"], "callables": [
                {"name": "get", "description": "Fetches", "parameters": [
                    {"name": "agent", "type": "str", "required": false, "default": null,
                     "description": ""},
                    {"name": "timeout", "type": "int", "required": false, "default": 30,
                     "description": ""},
                    {"name": "url", "type": "str", "required": true, "default": null,
                     "description": "Where"},
                    {"name": "method", "type": "str", "required": false, "default": "a\"b",
                     "description": ""},
                ]},
            ]})
        );
        Ok(())
    }

    #[test]
    fn a_signature_has_what_is_required_first() {
        let expected = "get(url: str, agent: str | None = None, timeout: int = 30, \
                        method: str = \"a\\\"b\")";
        assert_eq!(tool().callables[0].signature(), expected);
        assert_eq!(tool().to_string(), format!("curl: HTTP\n  {expected}: Fetches"));
    }

    #[test]
    fn types_admit_what_is_meant() {
        use ParameterType as Type;
        for (kind, good, bad) in [
            (Type::Integer, json!([5, "5", "-5"]), json!(["abc", 5.5, true, "", "-", [1], null])),
            (Type::Number, json!([5, 5.5, "5.5", "1e3"]), json!(["nan", "inf", "x", true])),
            (Type::Boolean, json!([true, false, 0, 1]), json!(["true", 2, -1, null])),
            (Type::Text, json!(["x", 5, true]), json!([[1], {"a": 1}, null])),
            (Type::List(Box::new(Type::Text)), json!([[], ["a", 1]]), json!(["a", [["a"]]])),
            (Type::Object, json!([{}]), json!([[], "a"])),
        ] {
            for value in good.as_array().into_iter().flatten() {
                assert!(kind.admits(value), "{kind} {value}");
            }
            for value in bad.as_array().into_iter().flatten() {
                assert!(!kind.admits(value), "{kind} {value}");
            }
        }
    }
}
