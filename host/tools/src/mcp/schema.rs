//! What a server says of its tools, as code in the sandbox sees it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::name::identifier;
use crate::text::head;
use crate::{Callable, Parameter, ParameterType, Tool};

/// The longest schema of one tool.
const MOST_SCHEMA_BYTES: usize = 1 << 20;
/// The longest description of a tool or a parameter.
const MOST_DESCRIPTION_BYTES: usize = 16 << 10;
/// The longest description of all tools together, where the declaration has none.
const MOST_SUMMARY_BYTES: usize = 2 << 10;
const MOST_PARAMETERS: usize = 500;

/// The tools of a server, as it last listed them.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The tool that has all of them, without what the server says.
    own: Tool,
    listed: RwLock<Arc<Listed>>,
}

#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) tool: Arc<Tool>,
    /// From the name of a callable to that of the server.
    names: BTreeMap<String, String>,
}

impl Catalogue {
    pub(crate) fn new(own: Tool) -> Self {
        let listed = Listed { tool: Arc::new(own.clone()), names: BTreeMap::new() };
        Self { own, listed: RwLock::new(Arc::new(listed)) }
    }

    pub(crate) fn listed(&self) -> Arc<Listed> {
        Arc::clone(&self.listed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new list, and tells what of it cannot be called.
    pub(crate) fn update(&self, tools: &[rmcp::model::Tool]) -> Vec<String> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut callables = Vec::new();
        let mut left_out = Vec::new();
        // Names that stand as they are come before those that have to be changed.
        let (plain, changed): (Vec<_>, Vec<_>) =
            tools.iter().partition(|tool| identifier(&tool.name) == tool.name);
        for tool in plain.into_iter().chain(changed) {
            let name = identifier(&tool.name);
            let own = head(&tool.name, 128);
            if let Some(other) = names.get(&name) {
                left_out.push(format!(
                    "its tool {own:?} is left out: {other:?} is called {name} already"
                ));
                continue;
            }
            if !is_small(&tool.input_schema) {
                let most = MOST_SCHEMA_BYTES;
                left_out.push(format!(
                    "its tool {own:?} is left out: its schema is longer than {most} bytes"
                ));
                continue;
            }
            callables.push(callable(&name, tool));
            names.insert(name, tool.name.to_string());
        }
        callables.sort_by(|one, other| one.name.cmp(&other.name));
        let mut tool = Tool { callables, ..self.own.clone() };
        if tool.description.is_empty() {
            tool.description = summary(&tool);
        }
        let listed = Arc::new(Listed { tool: Arc::new(tool), names });
        *self.listed.write().unwrap_or_else(PoisonError::into_inner) = listed;
        left_out
    }
}

impl Listed {
    /// What the server calls the callable.
    pub(crate) fn name(&self, callable: &str) -> Option<&str> {
        self.names.get(callable).map(String::as_str)
    }
}

fn is_small(schema: &Map<String, Value>) -> bool {
    serde_json::to_string(schema).is_ok_and(|text| text.len() <= MOST_SCHEMA_BYTES)
}

fn summary(tool: &Tool) -> String {
    let part = |callable: &Callable| {
        let line = callable.description.lines().next().unwrap_or_default();
        format!("{}: {}", callable.name, line.trim())
    };
    let parts: Vec<String> = tool.callables.iter().map(part).collect();
    if parts.is_empty() {
        return format!("Tools of the MCP server {}", tool.name);
    }
    head(&parts.join("; "), MOST_SUMMARY_BYTES)
}

fn callable(name: &str, tool: &rmcp::model::Tool) -> Callable {
    let schema = tool.input_schema.as_ref();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let parameters = properties.into_iter().flatten().take(MOST_PARAMETERS);
    Callable {
        name: name.to_owned(),
        description: head(tool.description.as_deref().unwrap_or_default(), MOST_DESCRIPTION_BYTES),
        parameters: parameters
            .map(|(name, schema)| Parameter {
                name: name.clone(),
                kind: kind(schema, 0),
                required: required.contains(&name.as_str()),
                default: schema.get("default").filter(|default| !default.is_null()).cloned(),
                description: head(
                    schema.get("description").and_then(Value::as_str).unwrap_or_default(),
                    MOST_DESCRIPTION_BYTES,
                ),
            })
            .collect(),
        returns: ParameterType::Any,
    }
}

/// The type that a JSON Schema describes, as far as Python has a word for it. One without a type is
/// text, as upstream has it; one of several is anything.
fn kind(schema: &Value, depth: usize) -> ParameterType {
    const DEEPEST: usize = 4;
    let Some(schema) = schema.as_object() else { return ParameterType::Any };
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            match (names.next(), names.next()) {
                (Some(only), None) => Some(only),
                _ => return ParameterType::Any,
            }
        }
        Some(_) => return ParameterType::Any,
        None => None,
    };
    match named {
        Some("array") if depth < DEEPEST => {
            let items = schema.get("items").map(|items| kind(items, depth + 1));
            ParameterType::List(Box::new(items.unwrap_or_default()))
        }
        Some(name) => ParameterType::from_name(name).unwrap_or_default(),
        None if ["anyOf", "oneOf", "allOf", "$ref", "const", "enum", "not"]
            .iter()
            .any(|key| schema.contains_key(*key)) =>
        {
            ParameterType::Any
        }
        None => ParameterType::Text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &'static str, schema: &Value) -> rmcp::model::Tool {
        let schema = schema.as_object().cloned().unwrap_or_default();
        rmcp::model::Tool::new(name, format!("About {name}\nmore"), Arc::new(schema))
    }

    fn catalogue() -> Catalogue {
        Catalogue::new(Tool { name: "server".to_owned(), ..Tool::default() })
    }

    #[test]
    fn schemas_become_signatures() {
        let catalogue = catalogue();
        catalogue.update(&[tool(
            "get-sum",
            &json!({"type": "object", "required": ["b", "a"], "properties": {
                "a": {"type": "number"},
                "b": {"type": ["integer", "null"]},
                "c": {"type": "array", "items": {"type": "string"}},
                "d": {"anyOf": [{"type": "string"}, {"type": "number"}]},
                "e": {},
                "f": {"type": "boolean", "default": false, "description": "Whether"},
                "g": true,
            }}),
        )]);
        let listed = catalogue.listed();
        assert_eq!(listed.name("get_sum"), Some("get-sum"));
        assert_eq!(listed.tool.description, "get_sum: About get-sum");
        assert_eq!(
            listed.tool.callables[0].signature(),
            "get_sum(a: float, b: int, c: list[str] | None = None, d: Any = None, \
             e: str | None = None, f: bool = False, g: Any = None)"
        );
    }

    #[test]
    fn of_two_tools_that_are_called_alike_the_plain_one_stays() {
        let catalogue = catalogue();
        let left_out = catalogue.update(&[tool("a-b", &json!({})), tool("a_b", &json!({}))]);
        assert_eq!(catalogue.listed().name("a_b"), Some("a_b"));
        assert_eq!(left_out, ["its tool \"a-b\" is left out: \"a_b\" is called a_b already"]);
    }

    #[test]
    fn a_schema_that_is_too_long_leaves_the_tool_out() {
        let catalogue = catalogue();
        let long = json!({"properties": {"x": {"description": "x".repeat(MOST_SCHEMA_BYTES)}}});
        assert_eq!(catalogue.update(&[tool("big", &long), tool("ok", &json!({}))]).len(), 1);
        assert_eq!(catalogue.listed().tool.callables.len(), 1);
    }
}
