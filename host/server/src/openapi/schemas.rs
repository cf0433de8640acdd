//! What bodies look like, in JSON Schema.

use serde_json::{Map, Value, json};

/// An object with these fields, of which the first `required` have to be there.
fn fields<const N: usize>(required: usize, fields: [(&str, Value); N]) -> Value {
    let names: Vec<&str> = fields.iter().take(required).map(|(name, _)| *name).collect();
    let fields: Map<String, Value> =
        fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"type": "object", "properties": fields, "required": names})
}

fn list(items: Value) -> Value {
    let mut list = Map::new();
    list.insert("type".to_owned(), "array".into());
    list.insert("items".to_owned(), items);
    list.into()
}

fn or_null(name: &str) -> Value {
    json!({"type": [name, "null"]})
}

fn constant(text: &str) -> Value {
    json!({"const": text})
}

pub(crate) fn anything() -> Value {
    json!({})
}

pub(crate) fn object() -> Value {
    json!({"type": "object"})
}

pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// A text that says something.
fn name() -> Value {
    json!({"type": "string", "minLength": 1})
}

pub(crate) fn texts() -> Value {
    list(text())
}

pub(crate) fn boolean() -> Value {
    json!({"type": "boolean"})
}

pub(crate) fn number() -> Value {
    json!({"type": "number"})
}

pub(crate) fn count() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": u64::MAX})
}

pub(crate) fn null() -> Value {
    json!({"type": "null"})
}

pub(crate) fn error() -> Value {
    fields(1, [("detail", text()), ("node", text())])
}

pub(crate) fn health() -> Value {
    fields(2, [("status", constant("healthy")), ("uptime_seconds", number())])
}

pub(crate) fn info() -> Value {
    let named = || list(fields(2, [("name", text()), ("description", text())]));
    fields(3, [("tools", named()), ("workflows", named()), ("artifacts_path", text())])
}

pub(crate) fn new_session() -> Value {
    let id = json!({"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{1,128}$"});
    fields(0, [("workspace_id", id)])
}

pub(crate) fn session() -> Value {
    fields(1, [("session_id", text())])
}

pub(crate) fn interrupted() -> Value {
    let status = constant("interrupted");
    fields(3, [("status", status), ("session_id", text()), ("running", boolean())])
}

pub(crate) fn reset() -> Value {
    fields(2, [("status", constant("reset")), ("session_id", text())])
}

pub(crate) fn file() -> Value {
    fields(2, [("path", text()), ("bytes", count())])
}

pub(crate) fn code() -> Value {
    let timeout = json!({"type": ["number", "null"], "minimum": 0});
    fields(1, [("code", text()), ("timeout", timeout), ("repr", boolean())])
}

pub(crate) fn result() -> Value {
    fields(
        15,
        [
            ("value", anything()),
            ("stdout", text()),
            ("error", or_null("string")),
            ("execution_time_ms", number()),
            ("session_id", text()),
            ("stderr", text()),
            ("value_types", object()),
            ("value_repr", or_null("string")),
            ("display", list(object())),
            ("files", list(object())),
            ("error_info", or_null("object")),
            ("session", json!({"enum": ["kept", "rolled_back", "reset", "lost"]})),
            ("usage", object()),
            ("backend", text()),
            ("is_ok", boolean()),
        ],
    )
}

pub(crate) fn tools() -> Value {
    let parameter = fields(
        4,
        [
            ("name", text()),
            ("type", text()),
            ("required", boolean()),
            ("description", text()),
            ("default", anything()),
        ],
    );
    let callable =
        fields(3, [("name", text()), ("description", text()), ("parameters", list(parameter))]);
    list(fields(
        4,
        [
            ("name", text()),
            ("description", text()),
            ("tags", texts()),
            ("callables", list(callable)),
        ],
    ))
}

fn workflow_with(required: usize) -> Value {
    let params = json!({"type": "object", "additionalProperties": {"type": "string"}});
    fields(
        required,
        [
            ("name", text()),
            ("description", text()),
            ("params", params),
            ("parameters", list(object())),
            ("source", text()),
        ],
    )
}

pub(crate) fn workflows() -> Value {
    list(workflow_with(4))
}

pub(crate) fn workflow() -> Value {
    workflow_with(5)
}

pub(crate) fn workflow_or_null() -> Value {
    let either = [workflow(), null()];
    json!({"anyOf": either})
}

pub(crate) fn new_workflow() -> Value {
    fields(3, [("name", name()), ("source", name()), ("description", text())])
}

pub(crate) fn artifact() -> Value {
    fields(
        5,
        [
            ("name", text()),
            ("path", text()),
            ("description", text()),
            ("metadata", object()),
            ("created_at", text()),
        ],
    )
}

pub(crate) fn artifacts() -> Value {
    list(artifact())
}

pub(crate) fn new_artifact() -> Value {
    fields(
        2,
        [
            ("name", name()),
            ("data", anything()),
            ("description", text()),
            ("metadata", or_null("object")),
            ("encoding", json!({"enum": ["base64", null]})),
        ],
    )
}

pub(crate) fn package() -> Value {
    fields(1, [("package", name())])
}

pub(crate) fn packages() -> Value {
    let packages = json!({"type": "array", "items": {"type": "string"}, "maxItems": 100});
    fields(1, [("packages", packages)])
}

pub(crate) fn deps_added() -> Value {
    fields(
        4,
        [
            ("installed", texts()),
            ("already_present", texts()),
            ("failed", texts()),
            ("reasons", object()),
        ],
    )
}

pub(crate) fn deps_removed() -> Value {
    fields(
        4,
        [
            ("removed", texts()),
            ("not_found", texts()),
            ("failed", texts()),
            ("removed_from_config", boolean()),
        ],
    )
}

pub(crate) fn deps_changed() -> Value {
    fields(
        6,
        [
            ("installed", texts()),
            ("already_present", texts()),
            ("removed", texts()),
            ("not_found", texts()),
            ("failed", texts()),
            ("reasons", object()),
        ],
    )
}

pub(crate) fn approvals() -> Value {
    list(fields(
        9,
        [
            ("id", text()),
            ("session_id", text()),
            ("workspace_id", or_null("string")),
            ("node", text()),
            ("name", text()),
            ("args", payload()),
            ("args_sha256", text()),
            ("created", text()),
            ("expires", text()),
            ("rule", text()),
            ("reason", text()),
        ],
    ))
}

fn payload() -> Value {
    fields(1, [("value", anything()), ("types", object())])
}

pub(crate) fn reason() -> Value {
    fields(0, [("reason", json!({"type": "string", "maxLength": 4096}))])
}

pub(crate) fn edited() -> Value {
    let types = json!({"type": "object", "additionalProperties": {"type": "string"}});
    fields(1, [("args", fields(1, [("value", object()), ("types", types)]))])
}

pub(crate) fn decided() -> Value {
    let status = json!({"enum": ["approved", "rejected", "edited", "told"]});
    fields(2, [("id", text()), ("status", status), ("node", text())])
}
