//! The document that describes the endpoints, made of their table.

pub(crate) mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::endpoints::{BodyKind, Content, ENDPOINTS, Endpoint, SessionUse};
use crate::idempotency::KEY_HEADER;
use crate::request::SESSION_HEADER;

/// What every endpoint may refuse.
const EVERYWHERE: &[(u16, &str)] = &[
    (400, "The request is not understood, or names what cannot be."),
    (403, "The Host, the Origin or the token is not taken for this."),
    (414, "The path is too long."),
    (431, "The headers are too long."),
];
/// What every endpoint may refuse that wants a token.
const KNOWN: &[(u16, &str)] = &[
    (401, "The token is missing or wrong."),
    (429, "The token has made too many requests; Retry-After says how long to wait."),
    (500, "The server is misconfigured."),
    (503, "The server, its storage or its sandboxes are not available now."),
];
const WITH_BODY: &[(u16, &str)] =
    &[(408, "The body took too long."), (413, "The body, or what is in it, is too large.")];
const UNPROCESSABLE: (u16, &str) =
    (422, "A parameter, a header or the body is not what is expected.");
const ELSEWHERE: (u16, &str) =
    (421, "The session lives on another server, which X-Session-Node names.");
const REPEATED: (u16, &str) = (409, "A request with this Idempotency-Key is being done.");

/// The document.
pub(crate) fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{*", "{");
        let method = endpoint.method.to_ascii_lowercase();
        paths.entry(path).or_default().insert(method, operation(endpoint));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pcm-sandbox session server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sessions of sandboxed Python, with their workflows, artifacts and packages.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": schemas::error()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "summary": endpoint.summary,
        "operationId": operation_id(endpoint),
        "responses": responses(endpoint),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if endpoint.right.is_some() {
        fields.insert("security".to_owned(), json!([{"token": []}]));
    }
    let body = match endpoint.body {
        BodyKind::None => None,
        BodyKind::Json(schema) => Some(json!({
            "required": !is_optional(endpoint),
            "content": {"application/json": {"schema": schema()}},
        })),
        // Nothing is a file too.
        BodyKind::Bytes => Some(json!({
            "required": false,
            "content": {"application/octet-stream": {"schema": {}}},
        })),
    };
    fields.extend(body.map(|body| ("requestBody".to_owned(), body)));
    operation
}

/// Whether a request may leave its body out: one that asks for nothing in particular.
fn is_optional(endpoint: &Endpoint) -> bool {
    endpoint.path == "/sessions" || endpoint.path.ends_with("/reject")
}

fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut id = endpoint.method.to_ascii_lowercase();
    for word in words.filter(|word| !word.is_empty()) {
        id.push('_');
        id.push_str(word);
    }
    id
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let mut parameters: Vec<Value> = names(endpoint.path)
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
        })
        .collect();
    parameters.extend(endpoint.query.iter().map(|query| {
        json!({
            "name": query.name,
            "in": "query",
            "required": query.required,
            "description": query.about,
            "schema": (query.schema)(),
        })
    }));
    if endpoint.session != SessionUse::None && !endpoint.path.contains("{id}") {
        parameters.push(json!({
            "name": SESSION_HEADER,
            "in": "header",
            "required": endpoint.session == SessionUse::Required,
            "description": "A session that POST /sessions or POST /execute has answered.",
            "schema": schemas::text(),
        }));
    }
    if endpoint.method == "POST" {
        parameters.push(json!({
            "name": KEY_HEADER,
            "in": "header",
            "required": false,
            "description": "Makes a request be done once, however often it is sent.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                // What is around a header's value is not of it.
                "pattern": "^[!-~]([ -~]*[!-~])?$",
            },
        }));
    }
    parameters
}

/// The parameters in a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.strip_prefix('*').unwrap_or(name))
}

/// What an endpoint may refuse, by status.
pub(crate) fn refusals(endpoint: &Endpoint) -> BTreeMap<u16, &'static str> {
    let mut refusals: BTreeMap<u16, &str> = EVERYWHERE.iter().copied().collect();
    if endpoint.right.is_some() {
        refusals.extend(KNOWN.iter().copied());
    }
    if !matches!(endpoint.body, BodyKind::None) {
        refusals.extend(WITH_BODY.iter().copied());
    }
    if endpoint.method == "POST" {
        refusals.extend([REPEATED, UNPROCESSABLE]);
    }
    if !endpoint.query.is_empty() {
        refusals.extend([UNPROCESSABLE]);
    }
    if matches!(endpoint.session, SessionUse::Sandbox | SessionUse::Required) {
        refusals.extend([ELSEWHERE]);
    }
    for (status, about) in endpoint.refusals {
        refusals.insert(*status, about);
    }
    refusals
}

fn responses(endpoint: &Endpoint) -> Map<String, Value> {
    let error = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
    let mut responses = Map::new();
    for (status, about, content) in endpoint.answers {
        let response = json!({"description": about, "content": types(*content)});
        responses.insert(status.to_string(), response);
    }
    for (status, about) in refusals(endpoint) {
        let mut response = json!({"description": about});
        // These two come from below, where nobody writes JSON.
        if let (false, Some(fields)) = (matches!(status, 414 | 431), response.as_object_mut()) {
            fields.insert("content".to_owned(), error.clone());
        }
        responses.insert(status.to_string(), response);
    }
    responses
}

fn types(content: Content) -> Value {
    match content {
        Content::Json(schema) => json!({"application/json": {"schema": schema()}}),
        Content::JsonOr(schema, other) => {
            json!({"application/json": {"schema": schema()}, other: {"schema": {}}})
        }
        Content::Other(other) => json!({other: {"schema": {}}}),
    }
}
