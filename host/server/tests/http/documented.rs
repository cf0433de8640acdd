//! The document says everything that can happen.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::ask::{Ask, Reply};
use crate::support::{Setup, World};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];

async fn document(world: &World) -> Value {
    world.get("/openapi.json").send().await.json()
}

/// Path, method and operation of everything in the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    found
}

/// A path with something in place of its parameters.
fn filled(path: &str, with: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { with.to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_documented_and_nothing_else_is() {
    let world = World::start().await;
    let document = document(&world).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].to_string()), "{operation}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')));
        methods.entry(path).or_default().insert(method);
    }
    assert_eq!(ids.len(), 32);
    for (path, documented) in &methods {
        for method in METHODS {
            let reply = world.ask(method, &filled(path, "x")).send().await;
            let is_route =
                documented.contains(method) || (method == "HEAD" && documented.contains("GET"));
            assert_eq!(reply.status != 405, is_route, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_operation_says_how_it_refuses() {
    let world = World::start().await;
    for (path, method, operation) in operations(&document(&world).await) {
        let responses = operation["responses"].as_object().unwrap();
        for status in ["200", "400", "403"] {
            assert!(responses.contains_key(status), "{method} {path} {status}");
        }
        let is_open = path == "/health";
        assert_eq!(responses.contains_key("401"), !is_open, "{method} {path}");
        assert_eq!(operation.get("security").is_none(), is_open, "{method} {path}");
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = name.trim_end_matches('}');
            let parameters = operation["parameters"].as_array().unwrap();
            let found = parameters.iter().any(|each| each["name"] == name && each["in"] == "path");
            assert!(found, "{method} {path} {name}");
        }
    }
}

/// Whether an answer is one that the document has.
fn check(operation: &Value, method: &str, path: &str, reply: &Reply) -> Result<(), TestCaseError> {
    if reply.status == 400 && reply.body.is_empty() {
        // What is no HTTP is refused by the layer below.
        return Ok(());
    }
    let response = &operation["responses"][reply.status.to_string()];
    prop_assert!(response.is_object(), "{method} {path}: {} {}", reply.status, reply.text());
    prop_assert!(reply.status < 500, "{method} {path}: {} {}", reply.status, reply.text());
    let kind = reply.header("content-type").unwrap_or_default();
    let content = response["content"].as_object();
    let is_known = content.is_none_or(|content| content.contains_key(kind));
    prop_assert!(is_known, "{method} {path}: {} is {kind}", reply.status);
    if reply.status >= 400 && kind == "application/json" {
        prop_assert!(reply.json()["detail"].is_string(), "{}", reply.text());
    }
    Ok(())
}

/// JSON that looks a little like what is expected.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "code",
        "timeout",
        "workspace_id",
        "name",
        "data",
        "source",
        "description",
        "package",
        "packages",
        "args",
        "value",
        "reason",
        "metadata",
        "encoding",
        "echo 1",
        "a",
        "../x",
        "",
        "async def run(): pass",
        "base64",
        "print x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(words.clone(), inner, 0..5).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        value.prop_map(|value| value.to_string().into_bytes()),
    ]
}

/// A part of a path as a client could write it.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z%./_-]{1,12}",
        prop::collection::vec(any::<u8>().prop_map(|byte| format!("%{byte:02x}")), 1..8)
            .prop_map(|parts| parts.concat()),
    ]
}

#[derive(Debug, Clone)]
struct Attempt {
    operation: prop::sample::Index,
    part: String,
    query: String,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let name = prop::sample::select(vec![
        "X-Session-ID",
        "Idempotency-Key",
        "Content-Type",
        "Accept",
        "Origin",
        "Expect",
        "X-Other",
    ]);
    let value = prop_oneof![
        "[ -~]{0,40}",
        Just("application/json".to_owned()),
        Just("text/event-stream".to_owned()),
        Just("session".to_owned()),
    ];
    let headers = prop::collection::vec((name, value), 0..3);
    let query = prop_oneof![
        Just(String::new()),
        "query=[a-z%]{0,6}&limit=[0-9-]{0,4}",
        "[!-~&&[^#]]{0,20}"
    ];
    (any::<prop::sample::Index>(), part(), query, body(), headers).prop_map(
        |(operation, part, query, body, headers)| Attempt { operation, part, query, body, headers },
    )
}

#[test]
fn whatever_comes_is_answered_as_documented_and_is_no_error_of_the_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, document, session) = runtime.block_on(async {
        let setup = Setup::default().with(|config| {
            config.limits.max_timeout = std::time::Duration::from_millis(50);
            config.limits.max_sessions = 100_000;
            config.limits.max_sessions_per_token = 100_000;
        });
        let world = setup.start().await;
        let document = document(&world).await;
        let session = world.session(Some("w")).await;
        (world, document, session)
    });
    let operations = operations(&document);
    let mut runner =
        TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&attempt(), |attempt| {
        let (path, method, operation) = attempt.operation.get(&operations);
        let ask = of(&world, method, path, &attempt, &session);
        let reply = runtime.block_on(ask.send());
        // What leads to another path is that path's to answer.
        if matches!(reply.status, 404 | 405) && path.contains('{') {
            prop_assert!(reply.json()["detail"].is_string());
            return Ok(());
        }
        check(operation, method, path, &reply)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn of(world: &World, method: &str, path: &str, attempt: &Attempt, session: &str) -> Ask {
    let mut path = filled(path, &attempt.part);
    if !attempt.query.is_empty() {
        path = format!("{path}?{}", attempt.query);
    }
    let mut ask = world.ask(method, &path).body(attempt.body.clone());
    for (name, value) in &attempt.headers {
        let value = if value == "session" { session } else { value };
        ask = ask.header(name, value);
    }
    ask
}
