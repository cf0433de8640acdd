//! What the structured results of the tools look like, in JSON Schema.

use serde_json::{Map, Value, json};

/// An object with these fields, all of them required.
pub(crate) fn object(fields: &Value) -> Value {
    let required: Vec<&String> = fields.as_object().map(Map::keys).into_iter().flatten().collect();
    json!({"type": "object", "properties": fields, "required": required})
}

/// An object with one list in it.
pub(crate) fn list(name: &str, items: &Value) -> Value {
    object(&json!({name: {"type": "array", "items": items}}))
}

fn described(kind: &str, description: &str) -> Value {
    json!({"type": kind, "description": description})
}

fn texts() -> Value {
    json!({"type": "array", "items": {"type": "string"}})
}

/// A run, as the command line and the session server give it, too.
pub(crate) fn run() -> Value {
    let error = json!({
        "type": ["object", "null"],
        "description": "What went wrong",
        "properties": {
            "kind": described("string", "exception, syntax, timeout, fuel, memory, output, cancelled, \
                                         crashed, denied, closed, startup or internal"),
            "type": described("string", "The name of Python's exception, or what stands for it"),
            "message": {"type": "string"},
            "traceback": {"type": "string"},
            "limit": {"type": "object", "description": "The limit that was hit, and what raises it"},
        },
        "required": ["kind", "type", "message", "traceback"],
    });
    let usage = json!({
        "type": "object",
        "properties": {
            "wall_ms": {"type": "number"},
            "cpu_ms": {"type": "number"},
            "fuel": {"type": ["integer", "null"]},
            "memory_peak_bytes": {"type": "integer"},
            "tool_calls": {"type": "integer"},
            "output_bytes": {"type": "integer"},
        },
    });
    let mut schema = object(&json!({
        "value": {"description": "The value of the last expression, where JSON can say it"},
        "value_repr": {"type": ["string", "null"], "description": "Its repr in Python"},
        "display": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Rich results by MIME type, less the images and sounds, which are content",
        },
        "stdout": {"type": "string"},
        "stderr": {"type": "string"},
        "error": error,
        "session": {
            "enum": ["kept", "rolled_back", "reset", "lost"],
            "description": "What became of the variables",
        },
        "usage": usage,
        "backend": {"type": "string"},
        "is_ok": {"type": "boolean"},
    }));
    schema["properties"]["session_id"] =
        described("string", "What the session is known by, where the connection does not have one");
    schema["properties"]["value_types"] = described(
        "object",
        "By JSON pointer, what a place of the value was in Python where JSON cannot say it",
    );
    schema["properties"]["files"] = json!({
        "type": "array", "items": {"type": "object"}, "description": "The files that the run changed",
    });
    schema
}

/// A tool of the sandbox.
pub(crate) fn tool() -> Value {
    let parameter = object(&json!({
        "name": {"type": "string"},
        "type": {"type": "string"},
        "required": {"type": "boolean"},
        "default": {},
        "description": {"type": "string"},
    }));
    let callable = object(&json!({
        "name": {"type": "string"},
        "description": {"type": "string"},
        "parameters": {"type": "array", "items": parameter},
    }));
    object(&json!({
        "name": {"type": "string"},
        "description": {"type": "string"},
        "tags": texts(),
        "callables": {"type": "array", "items": callable},
    }))
}

/// A workflow without its source.
pub(crate) fn workflow() -> Value {
    let parameter = object(&json!({
        "name": {"type": "string"},
        "type": {"enum": ["string", "integer", "number", "boolean", "array", "object"]},
        "description": {"type": "string"},
        "required": {"type": "boolean"},
        "default": {},
    }));
    object(&json!({
        "name": {"type": "string"},
        "description": {"type": "string"},
        "parameters": {"type": "array", "items": parameter},
    }))
}

/// A workflow with its source.
pub(crate) fn whole_workflow() -> Value {
    let mut schema = workflow();
    schema["properties"]["source"] = json!({"type": "string"});
    if let Some(required) = schema["required"].as_array_mut() {
        required.push("source".into());
    }
    schema
}

/// What is known of an artifact.
pub(crate) fn artifact() -> Value {
    object(&json!({
        "name": {"type": "string"},
        "path": {"type": "string"},
        "description": {"type": "string"},
        "metadata": {"type": "object"},
        "created_at": described("string", "ISO 8601"),
    }))
}

/// The data of an artifact.
pub(crate) fn data() -> Value {
    object(&json!({
        "name": {"type": "string"},
        "type": {"enum": ["text", "json", "bytes"]},
        "data": {"description": "The text or the JSON; null for bytes, which are content"},
        "bytes": described("integer", "How long it is"),
    }))
}

/// Packages that were installed.
pub(crate) fn added() -> Value {
    object(&json!({
        "installed": texts(),
        "already_present": texts(),
        "failed": texts(),
        "reasons": described("object", "Why those that failed did"),
    }))
}

/// A package that was removed.
pub(crate) fn removed() -> Value {
    object(&json!({
        "removed": texts(),
        "not_found": texts(),
        "failed": texts(),
        "removed_from_config": {"type": "boolean"},
    }))
}
