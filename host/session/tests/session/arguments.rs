//! Frames that no guest of ours would send.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use pcm_runtime_api::{HostCall, Namespace, Payload, ValueType};
use pcm_session::Host;
use pcm_storage::{FileStorage, MemoryStorage, Storage};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{TestResult, World, call, kind, tools};

const OPERATIONS: [(Namespace, &[&str]); 5] = [
    (Namespace::Tools, &["call", "list", "stubs", "search", "list_recipes"]),
    (Namespace::Workflows, &["list", "search", "get", "create", "delete"]),
    (Namespace::Artifacts, &["list", "save", "load", "get", "exists", "delete"]),
    (Namespace::Deps, &["list", "sync", "add", "remove"]),
    (Namespace::Network, &["request"]),
];

async fn world(storage: Arc<dyn Storage>) -> Result<World, Box<dyn Error>> {
    let host = Host::new().tools(Arc::new(tools()?.0)).storage(storage);
    World::start(host).await
}

async fn in_memory() -> Result<World, Box<dyn Error>> {
    world(Arc::new(MemoryStorage::new())).await
}

#[tokio::test]
async fn an_argument_that_is_missing_or_of_another_type_is_named() -> TestResult {
    use Namespace::{Artifacts, Deps, Tools, Workflows};
    let world = in_memory().await?;
    for (namespace, op, args, expected) in [
        (Tools, "call", json!({}), "name is missing"),
        (Tools, "call", json!({"name": null, "args": {}}), "name is missing"),
        (Tools, "call", json!({"name": ["echo"], "args": {}}), "name is not a string"),
        (Tools, "call", json!({"name": "anything"}), "args is missing"),
        (Tools, "call", json!({"name": "anything", "args": [1]}), "keyword arguments"),
        (Tools, "call", json!({"name": "anything", "args": null}), "keyword arguments"),
        (Tools, "search", json!({}), "query is missing"),
        (Tools, "search", json!({"query": 5}), "query is not a string"),
        (Tools, "search", json!({"query": "a", "limit": -1}), "limit is not a whole number"),
        (Tools, "search", json!({"query": "a", "limit": 1.5}), "limit is not a whole number"),
        (Tools, "search", json!({"query": "a", "limit": true}), "limit is not a whole number"),
        (Tools, "list_recipes", json!({}), "name is missing"),
        (Workflows, "get", json!({}), "name is missing"),
        (Workflows, "search", json!({"limit": 1}), "query is missing"),
        (Workflows, "create", json!({"name": "a"}), "source is missing"),
        (Workflows, "create", json!({"source": "x"}), "name is missing"),
        (Workflows, "create", json!({"name": "a", "source": {}}), "source is not a string"),
        (Workflows, "delete", json!({"name": 1}), "name is not a string"),
        (Artifacts, "save", json!({"data": 1}), "name is missing"),
        (Artifacts, "save", json!({"name": "a"}), "data is missing"),
        (
            Artifacts,
            "save",
            json!({"name": "a", "data": 1, "description": 2}),
            "description is not a string",
        ),
        (
            Artifacts,
            "save",
            json!({"name": "a", "data": 1, "metadata": []}),
            "metadata is not a dict",
        ),
        (Artifacts, "load", json!({"name": false}), "name is not a string"),
        (Artifacts, "exists", json!({}), "name is missing"),
        (Deps, "add", json!({}), "package is missing"),
        (Deps, "add", json!({"package": ["a"]}), "package is not a string"),
        (Deps, "remove", json!({}), "package is missing"),
    ] {
        let error = world.ask(namespace, op, args.clone()).await.err();
        let error = error.ok_or_else(|| format!("{namespace}.{op}({args}) went well"))?;
        assert!(error.message.contains(expected), "{namespace}.{op}({args}): {error}");
        assert!(matches!(&*error.error_type, "TypeError" | "ValueError"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn arguments_that_are_no_object_are_refused_by_every_operation() -> TestResult {
    let world = in_memory().await?;
    for (namespace, operations) in OPERATIONS {
        for op in operations {
            for args in [json!(null), json!([]), json!("name"), json!(5)] {
                let answer = world.ask(namespace, op, args.clone()).await;
                let takes_none = matches!(*op, "list" | "stubs" | "sync");
                let expected = match namespace {
                    Namespace::Network => "NotConnected",
                    _ if takes_none => "ok",
                    _ => "TypeError",
                };
                assert_eq!(kind(&answer), expected, "{namespace}.{op}({args}) {answer:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn operations_that_do_not_exist_are_named() -> TestResult {
    let world = in_memory().await?;
    for (namespace, _) in OPERATIONS.into_iter().take(4) {
        for op in ["", "Call", "__class__", "call\n", "clear", "hash", "path", "update", "remove_"]
        {
            let answer = world.ask(namespace, op, json!({"name": "a", "package": "a"})).await;
            assert_eq!(kind(&answer), "UnknownOperation", "{namespace}.{op:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_string_that_stands_for_another_type_is_no_string() -> TestResult {
    let world = in_memory().await?;
    for (namespace, op, name) in [
        (Namespace::Tools, "search", "query"),
        (Namespace::Tools, "call", "name"),
        (Namespace::Workflows, "get", "name"),
        (Namespace::Artifacts, "load", "name"),
        (Namespace::Deps, "add", "package"),
    ] {
        for kind in [ValueType::Bytes, ValueType::Path, ValueType::Int] {
            let args = Payload::from(json!({name: "YWJj"})).with_type(format!("/{name}"), kind);
            let error = world.call(call(namespace, op, args)).await.err();
            let expected = format!("{name} is not a string");
            assert_eq!(error.map(|error| error.message), Some(expected), "{namespace}.{op}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn types_that_point_nowhere_change_nothing() -> TestResult {
    let world = in_memory().await?;
    let mut args = Payload::from(json!({"name": "a", "data": {"b": "aGk="}}));
    for pointer in ["", "/", "//", "/data/b/c", "/data/~2", "data", "/dat", "/data/99", "/metadata"]
    {
        args = args.with_type(pointer, ValueType::Bytes);
    }
    world.call(call(Namespace::Artifacts, "save", args)).await?;
    let loaded = world.ask(Namespace::Artifacts, "load", json!({"name": "a"})).await?;
    assert_eq!(loaded, json!({"b": "aGk="}));
    Ok(())
}

#[tokio::test]
async fn bytes_come_back_as_bytes_and_what_is_not_base64_is_refused() -> TestResult {
    let world = in_memory().await?;
    let save = |data: &str| {
        let args = Payload::from(json!({"name": "a", "data": data}));
        call(Namespace::Artifacts, "save", args.with_type("/data", ValueType::Bytes))
    };
    for data in ["a", "aGk", "aGk=\n", "aG k=", "ä", "aGk=aGk="] {
        assert_eq!(kind(&world.call(save(data)).await), "ValueError", "{data}");
    }
    world.call(save("AP8=")).await?;
    let loaded = world.call(call(Namespace::Artifacts, "load", json!({"name": "a"}))).await?;
    assert_eq!(loaded, Payload::from(json!("AP8=")).with_type("", ValueType::Bytes));
    Ok(())
}

#[tokio::test]
async fn what_is_too_long_is_refused_with_a_short_message() -> TestResult {
    let world = in_memory().await?;
    let long = "x".repeat(5 << 20);
    let source = format!("async def run():\n    return '{long}'\n");
    let metadata = json!({"k": long});
    for (namespace, op, args) in [
        (Namespace::Tools, "call", json!({"name": long, "args": {}})),
        (Namespace::Tools, "call", json!({"name": "echo.say", "args": {long.clone(): 1}})),
        (Namespace::Tools, "call", json!({"name": "echo.say", "args": {"text": [long]}})),
        (Namespace::Tools, "list_recipes", json!({"name": long})),
        (Namespace::Workflows, "get", json!({"name": long})),
        (Namespace::Workflows, "create", json!({"name": "a", "source": source})),
        (
            Namespace::Workflows,
            "create",
            json!({"name": "a", "source": "async def run(): pass", "description": long}),
        ),
        (Namespace::Artifacts, "save", json!({"name": long, "data": 1})),
        (Namespace::Artifacts, "save", json!({"name": "a", "data": 1, "description": long})),
        (Namespace::Artifacts, "save", json!({"name": "a", "data": 1, "metadata": metadata})),
        (Namespace::Artifacts, "load", json!({"name": long})),
        (Namespace::Deps, "add", json!({"package": long})),
    ] {
        let error = world.ask(namespace, op, args).await.err();
        let error = error.ok_or_else(|| format!("{namespace}.{op} went well"))?;
        assert!(error.message.len() < 2_000, "{namespace}.{op}: {} bytes", error.message.len());
    }
    assert_eq!(world.ask(Namespace::Artifacts, "list", json!({})).await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_limit_beyond_all_bounds_finds_what_there_is() -> TestResult {
    let world = in_memory().await?;
    for limit in [json!(0), json!(1), json!(u64::MAX), json!(null)] {
        let args = json!({"query": "echo", "limit": limit});
        let found = world.ask(Namespace::Tools, "search", args).await?;
        let expected = usize::from(limit != json!(0));
        assert_eq!(found.as_array().map(Vec::len), Some(expected), "{limit}");
    }
    Ok(())
}

#[tokio::test]
async fn names_that_lead_out_of_a_folder_are_refused() -> TestResult {
    let folder = TempDir::new()?;
    let base = folder.path().join("store");
    std::fs::create_dir(&base)?;
    std::fs::write(folder.path().join("secret.py"), "async def run(): return 'canary'")?;
    let world = world(Arc::new(FileStorage::open(&base)?)).await?;
    for name in [
        "../secret.py",
        "../../secret.py",
        "a/../../secret.py",
        "/etc/passwd",
        "a/./b",
        "..",
        ".",
        "",
        "a\0b",
        "a\nb",
        "..\\secret.py",
        "\u{2025}/secret.py/..",
    ] {
        for op in ["load", "get", "exists", "delete", "save"] {
            let args = json!({"name": name, "data": "x"});
            let answer = world.ask(Namespace::Artifacts, op, args).await;
            assert_eq!(kind(&answer), "ValueError", "{op} {name:?} {answer:?}");
        }
        for op in ["get", "delete", "create"] {
            let args = json!({"name": name, "source": "async def run(): pass"});
            let answer = world.ask(Namespace::Workflows, op, args).await;
            assert_eq!(kind(&answer), "ValueError", "{op} {name:?} {answer:?}");
        }
    }
    assert!(folder.path().join("secret.py").is_file());
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 2, "nothing is beside the storage");
    Ok(())
}

#[test]
fn no_frame_makes_a_host_panic_or_show_its_folder() -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = TempDir::new()?;
    let memory = runtime.block_on(in_memory())?;
    let files = runtime.block_on(world(Arc::new(FileStorage::open(folder.path())?)))?;
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    runner.run(&proptest::collection::vec(frames(), 1..4), |calls| {
        for world in [&memory, &files] {
            let replies = runtime.block_on(world.gather(&calls));
            prop_assert_eq!(replies.len(), calls.len(), "{:?}", replies);
            for reply in replies {
                let said = format!("{reply:?}");
                prop_assert!(!shows(&said, folder.path()), "{}", said);
                if let Err(error) = reply {
                    prop_assert!(
                        !matches!(&*error.error_type, "Internal" | "NoPayload"),
                        "{}",
                        error
                    );
                    prop_assert!(error.message.len() < 4_000, "{}", error);
                    prop_assert!(!error.message.is_empty());
                }
            }
        }
        Ok(())
    })?;
    // Whatever was asked for, the session goes on, and so does its storage.
    for world in [memory, files] {
        assert_eq!(runtime.block_on(world.tool("anything", json!({"a": 1})))?, json!({"a": 1}));
        runtime.block_on(world.ask(Namespace::Artifacts, "list", json!({})))?;
        runtime.block_on(world.ask(Namespace::Workflows, "list", json!({})))?;
    }
    Ok(())
}

fn shows(text: &str, folder: &Path) -> bool {
    folder.to_str().is_some_and(|folder| text.contains(folder))
}

fn frames() -> impl Strategy<Value = HostCall> {
    let operations: Vec<(Namespace, &str)> = OPERATIONS
        .into_iter()
        .flat_map(|(namespace, operations)| operations.iter().map(move |op| (namespace, *op)))
        .collect();
    let known = proptest::sample::select(operations).prop_map(|(space, op)| (space, op.to_owned()));
    let foreign =
        ("[a-z_.]{0,12}", 0..OPERATIONS.len()).prop_map(|(op, at)| (OPERATIONS[at].0, op));
    let keys = "name|args|data|query|limit|source|description|metadata|package|[a-z/~]{0,3}";
    let objects = proptest::collection::btree_map(keys, values(), 0..5)
        .prop_map(|fields| fields.into_iter().collect::<Value>());
    let args = prop_oneof![9 => objects, 1 => values()];
    let pointers = "(/name|/args|/data|/query|/package|/limit)?(/[a-z~0-9]{0,3}){0,2}";
    let types = proptest::collection::btree_map(pointers, value_types(), 0..3);
    (prop_oneof![9 => known, 1 => foreign], args, types).prop_map(
        |((namespace, op), value, types)| HostCall {
            namespace,
            op,
            args: Payload { value, types },
        },
    )
}

fn value_types() -> impl Strategy<Value = ValueType> {
    use ValueType::{Bytes, Decimal, Float, Int, Path, Timedelta};
    proptest::sample::select(vec![Bytes, Decimal, Float, Int, Path, Timedelta])
}

fn values() -> impl Strategy<Value = Value> {
    let sources = proptest::sample::select(vec![
        "async def run(a: int = 1, *, b=[1, {}]): pass",
        "async def run(): return \"\0\"",
        "def run(): pass",
        "async def run(",
        "async def run(a=((((((1)))))), /, *b, **c):\n\t'''doc'''\n",
    ]);
    let names = proptest::sample::select(vec![
        "a",
        "a.json",
        "a/b",
        "../a",
        "a/",
        ".artifacts.json",
        "echo.say",
        "anything",
        "anything.anything",
        "echo",
        "a..b",
        "jinja2",
        "missing",
        "JINJA2[i18n] >= 3",
        "-r/etc/passwd",
        "CON",
        "a\u{202e}b",
        "\u{feff}a",
        "%2e%2e/a",
    ]);
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        names.prop_map(Value::from),
        sources.prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::from("x".repeat(2_000))),
    ];
    leaves.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}
