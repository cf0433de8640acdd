//! The tools as clients see them: names, arguments, results, and what they may change.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::schemas;

/// What a tool does to the world outside of the conversation.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Nothing.
    Reads,
    /// It adds; doing it twice is doing it once.
    Adds,
    /// It removes or replaces; doing it twice is doing it once.
    Replaces,
    /// Whatever the code does.
    Anything,
}

impl Effect {
    fn annotations(self, title: &str, is_open: bool) -> ToolAnnotations {
        let annotations = ToolAnnotations::with_title(title).open_world(is_open);
        match self {
            Self::Reads => annotations.read_only(true).destructive(false).idempotent(true),
            Self::Adds => annotations.read_only(false).destructive(false).idempotent(true),
            Self::Replaces => annotations.read_only(false).destructive(true).idempotent(true),
            Self::Anything => annotations.read_only(false).destructive(true).idempotent(false),
        }
    }
}

/// The tools of a server, in the order in which they are listed.
pub(crate) fn tools(runtime_deps: bool) -> Vec<Tool> {
    let mut tools = vec![run_code()];
    tools.extend(of_tools());
    tools.extend(of_workflows());
    tools.extend(of_artifacts());
    tools.extend(of_packages(runtime_deps));
    tools.extend(of_session());
    tools
}

fn run_code() -> Tool {
    entry(
        "run_code",
        "Run Python code",
        "Run Python code in a sandbox. Variables, imports and functions stay for the next call; the value \
         of the last expression is the result. The code finds the objects `tools` (call them as \
         tools.NAME(key=value) or tools.NAME.RECIPE(key=value)), `workflows`, `artifacts` and `deps`. \
         Prefer one call that does everything over many that do a little.",
        &arguments(
            &json!({
                "code": {"type": "string", "description": "The code"},
                "session_id": session_id(),
            }),
            &["code"],
        ),
        schemas::run(),
        Effect::Anything.annotations("Run Python code", true),
    )
}

fn of_tools() -> [Tool; 2] {
    [
        entry(
            "list_tools",
            "List tools",
            "List the tools that code in the sandbox can call, with their parameters.",
            &arguments(&json!({}), &[]),
            schemas::list("tools", &schemas::tool()),
            Effect::Reads.annotations("List tools", false),
        ),
        entry(
            "search_tools",
            "Search tools",
            "Find the tools for a purpose, the best first.",
            &search(10),
            schemas::list("tools", &schemas::tool()),
            Effect::Reads.annotations("Search tools", false),
        ),
    ]
}

fn of_workflows() -> [Tool; 5] {
    [
        entry(
            "list_workflows",
            "List workflows",
            "List the stored workflows: coroutines that code calls as workflows.NAME(key=value).",
            &arguments(&json!({}), &[]),
            schemas::list("workflows", &schemas::workflow()),
            Effect::Reads.annotations("List workflows", false),
        ),
        entry(
            "search_workflows",
            "Search workflows",
            "Find the stored workflows for a purpose, the best first. Look here before you write a new one.",
            &search(5),
            schemas::list("workflows", &schemas::workflow()),
            Effect::Reads.annotations("Search workflows", false),
        ),
        entry(
            "get_workflow",
            "Show a workflow",
            "Show a stored workflow with its source.",
            &name("The name of the workflow"),
            schemas::whole_workflow(),
            Effect::Reads.annotations("Show a workflow", false),
        ),
        entry(
            "create_workflow",
            "Store a workflow",
            "Store a workflow, in place of one of the same name. Nothing of it is run.",
            &arguments(
                &json!({
                    "name": {"type": "string", "description": "A Python identifier"},
                    "source": {
                        "type": "string",
                        "description": "A module with `async def run(...)` at its top level",
                    },
                    "description": {"type": "string", "description": "What it does, in a sentence"},
                }),
                &["name", "source", "description"],
            ),
            schemas::whole_workflow(),
            Effect::Replaces.annotations("Store a workflow", false),
        ),
        entry(
            "delete_workflow",
            "Delete a workflow",
            "Delete a stored workflow.",
            &name("The name of the workflow"),
            schemas::object(
                &json!({"deleted": {"type": "boolean", "description": "Whether there was one"}}),
            ),
            Effect::Replaces.annotations("Delete a workflow", false),
        ),
    ]
}

fn of_artifacts() -> [Tool; 4] {
    [
        entry(
            "list_artifacts",
            "List artifacts",
            "List the stored data.",
            &arguments(&json!({}), &[]),
            schemas::list("artifacts", &schemas::artifact()),
            Effect::Reads.annotations("List artifacts", false),
        ),
        entry(
            "load_artifact",
            "Load an artifact",
            "Load stored data. What is long is better worked on in code: artifacts.load(name).",
            &name("The name of the artifact"),
            schemas::data(),
            Effect::Reads.annotations("Load an artifact", false),
        ),
        entry(
            "save_artifact",
            "Save an artifact",
            "Store data, in place of what has the same name.",
            &arguments(
                &json!({
                    "name": {"type": "string", "description": "Its name; `/` makes folders"},
                    "data": {
                        "type": ["string", "object", "array"],
                        "description": "A text, or a list or a mapping that is kept as JSON",
                    },
                    "encoding": {
                        "enum": ["text", "base64"],
                        "default": "text",
                        "description": "base64 where the data are bytes",
                    },
                    "description": {
                        "type": "string", "default": "", "description": "What it is, in a sentence",
                    },
                    "metadata": {"type": "object", "description": "What else to keep with it"},
                }),
                &["name", "data"],
            ),
            schemas::artifact(),
            Effect::Replaces.annotations("Save an artifact", false),
        ),
        entry(
            "delete_artifact",
            "Delete an artifact",
            "Delete stored data, if there is any of that name.",
            &name("The name of the artifact"),
            schemas::object(&json!({"name": {"type": "string"}})),
            Effect::Replaces.annotations("Delete an artifact", false),
        ),
    ]
}

fn of_packages(runtime_deps: bool) -> Vec<Tool> {
    let package = |description: &str| {
        arguments(
            &json!({
                "package": {"type": "string", "description": description},
                "session_id": session_id(),
            }),
            &["package"],
        )
    };
    let mut tools = vec![entry(
        "list_deps",
        "List packages",
        "List the packages that code can import besides the standard library.",
        &arguments(&json!({"session_id": session_id()}), &[]),
        schemas::list("deps", &json!({"type": "string"})),
        Effect::Reads.annotations("List packages", false),
    )];
    if runtime_deps {
        tools.push(entry(
            "add_dep",
            "Add a package",
            "Install a Python package for the code, and remember it for later sessions.",
            &package("As requests, or pandas>=2"),
            schemas::added(),
            Effect::Adds.annotations("Add a package", true),
        ));
        tools.push(entry(
            "remove_dep",
            "Remove a package",
            "Remove a Python package.",
            &package("The name of the package"),
            schemas::removed(),
            Effect::Replaces.annotations("Remove a package", false),
        ));
    }
    tools
}

fn of_session() -> [Tool; 2] {
    [
        entry(
            "reset_session",
            "Reset the session",
            "Clear the variables of the session. Workflows, artifacts and packages stay.",
            &arguments(&json!({"session_id": session_id()}), &[]),
            schemas::object(&json!({"session": {"const": "reset"}})),
            Effect::Replaces.annotations("Reset the session", false),
        ),
        entry(
            "interrupt",
            "Stop the code",
            "Stop the code that runs in the session, if there is any. Its variables stay.",
            &arguments(&json!({"session_id": session_id()}), &[]),
            schemas::object(
                &json!({"interrupted": {"type": "boolean", "description": "Whether code was running"}}),
            ),
            Effect::Adds.annotations("Stop the code", false),
        ),
    ]
}

fn session_id() -> Value {
    json!({
        "type": "string",
        "description": "Only where an earlier result gave one: the session to go on with",
    })
}

fn search(limit: u64) -> Value {
    arguments(
        &json!({
            "query": {"type": "string", "description": "What to find, in words"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": limit},
        }),
        &["query"],
    )
}

fn name(description: &str) -> Value {
    arguments(&json!({"name": {"type": "string", "description": description}}), &["name"])
}

fn arguments(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn entry(
    name: &'static str,
    title: &str,
    about: &'static str,
    input: &Value,
    output: Value,
    annotations: ToolAnnotations,
) -> Tool {
    Tool::new(name, about, schema(input.clone()))
        .with_title(title)
        .with_raw_output_schema(schema(output))
        .with_annotations(annotations)
}

fn schema(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::default(),
    }
}
