//! The bytes that other programs read, and those that they wrote.

use pcm_storage::{
    ArtifactData, FileStorage, RedisServer, RedisStorage, Storage, StoredTool, StoredTools,
};
use serde_json::{Map, Value, json};

use crate::place::{artifact, folder, names_in, workflow};
use crate::server::Server;

const ADD: &str = "async def run(a: int, note='é'):\n    '''Adds.'''\n";

fn metadata() -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("by".to_owned(), "é".into());
    metadata
}

#[tokio::test]
async fn files_are_where_the_layout_has_them() {
    let (folder, storage) = folder();
    storage.workflows().create(&workflow("add"), ADD, "").await.unwrap();
    let data = ArtifactData::Json(json!({"a": [1.0, "é"]}));
    let name = artifact("scans/nmap.json");
    let info = storage.artifacts().save(&name, data, "é \"", metadata()).await.unwrap();
    storage
        .artifacts()
        .save(&artifact("b"), ArtifactData::Bytes(vec![0]), "", Map::new())
        .await
        .unwrap();
    for spec in ["requests>=2", "My_Pkg"] {
        storage.deps().add(&spec.parse().unwrap()).await.unwrap();
    }

    let read = |path| std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(names_in(folder.path()), ["artifacts", "deps", "workflows"]);
    assert_eq!(read("workflows/add.py"), ADD);
    let expected = "{\n  \"a\": [\n    1.0,\n    \"\\u00e9\"\n  ]\n}";
    assert_eq!(read("artifacts/scans/nmap.json"), expected);
    assert_eq!(read("deps/requirements.txt"), "my-pkg\nrequests>=2\n");
    assert_eq!(info.path, "artifacts/scans/nmap.json");

    let index = read("artifacts/.artifacts.json");
    let second: Value = serde_json::from_str(&index).unwrap();
    let second = second["b"]["created_at"].as_str().unwrap();
    let expected = format!(
        "{{\n  \"scans/nmap.json\": {{\n    \"description\": \"\\u00e9 \\\"\",\n    \
         \"created_at\": \"{}\",\n    \"metadata\": {{\n      \"by\": \"\\u00e9\",\n      \
         \"_data_type\": \"json\"\n    }}\n  }},\n  \"b\": {{\n    \"description\": \"\",\n    \
         \"created_at\": \"{second}\",\n    \"metadata\": {{\n      \"_data_type\": \"bytes\"\n    \
         }}\n  }}\n}}",
        info.created_at
    );
    assert_eq!(index, expected);
}

#[tokio::test]
async fn files_of_another_program_are_read() {
    let (folder, storage) = folder();
    let write = |path: &str, content: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("workflows/add.py", ADD.as_bytes());
    write("workflows/_private.py", b"async def run(): pass");
    write("workflows/notes.txt", b"");
    write("workflows/broken.py", b"def (");
    write("workflows/list.py", b"async def run(): pass");
    write("artifacts/by/hand.txt", "é".as_bytes());
    write("artifacts/by/hand.json", b"[1]");
    write("artifacts/old", b"\x00\xff");
    let index = r#"{"old": {"description": "o", "created_at": "2026-01-02T03:04:05.000006+00:00",
        "metadata": {"_data_type": "bytes", "k": 1}, "later": true},
        "gone": {"description": "", "created_at": "", "metadata": {}}, "odd": 5}"#;
    write("artifacts/.artifacts.json", index.as_bytes());
    write("deps/requirements.txt", b"# by hand\n\nMy_Pkg >=1\nrequests\nnumpy==1\n");

    let workflows = storage.workflows().list().await.unwrap();
    assert_eq!(workflows.len(), 1);
    assert_eq!(workflows[0].description, "Adds.");
    let problems = storage.workflows().problems().await.unwrap();
    let names: Vec<_> = problems.iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["broken", "list"]);
    let error = storage.workflows().get(&workflow("broken")).await.unwrap_err();
    assert_eq!(error.error_type(), "StorageReadError");
    assert!(error.to_string().contains("line 1, column"), "{error}");

    let infos = storage.artifacts().list().await.unwrap();
    let names: Vec<_> = infos.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names, ["by/hand.json", "by/hand.txt", "old"]);
    assert!(infos[0].created_at.starts_with("20"), "the time of the file: {:?}", infos[0]);
    assert_eq!(infos[2].created_at, "2026-01-02T03:04:05.000006+00:00");
    assert_eq!(infos[2].metadata, json!({"k": 1}).as_object().unwrap().clone());
    let storage = &storage;
    let load = |name| async move { storage.artifacts().load(&artifact(name)).await.unwrap() };
    assert_eq!(load("by/hand.txt").await, ArtifactData::Text("é".to_owned()));
    assert_eq!(load("by/hand.json").await, ArtifactData::Json(json!([1])));
    assert_eq!(load("old").await, ArtifactData::Bytes(vec![0, 0xff]));

    let specs = storage.deps().list().await.unwrap();
    assert_eq!(specs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["numpy==1", "requests"]);
    storage.deps().add(&"my_pkg".parse().unwrap()).await.unwrap();
    let lines = std::fs::read_to_string(folder.path().join("deps/requirements.txt")).unwrap();
    assert_eq!(lines, "my-pkg\nnumpy==1\nrequests\n");
}

#[tokio::test]
async fn entries_of_another_program_stay_in_the_index() {
    let (folder, storage) = folder();
    let artifacts = folder.path().join("artifacts");
    std::fs::create_dir_all(&artifacts).unwrap();
    std::fs::write(artifacts.join("old"), "x").unwrap();
    std::fs::write(artifacts.join(".artifacts.json"), r#"{"old": {"later": [1]}}"#).unwrap();
    let data = || ArtifactData::Text("x".to_owned());
    storage.artifacts().save(&artifact("new"), data(), "", Map::new()).await.unwrap();
    let read = || -> Value {
        let text = std::fs::read_to_string(artifacts.join(".artifacts.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(read()["old"], json!({"later": [1]}));

    // Another program adds one in the meantime, writing in place as it does.
    let mut index = read();
    index["theirs"] = json!({"description": "theirs", "created_at": "", "metadata": {}});
    std::fs::write(artifacts.join("theirs"), "x").unwrap();
    std::fs::write(artifacts.join(".artifacts.json"), index.to_string()).unwrap();
    storage.artifacts().save(&artifact("newer"), data(), "", Map::new()).await.unwrap();
    assert_eq!(read().as_object().unwrap().len(), 4);
    assert_eq!(storage.artifacts().list().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_description_beside_a_source_counts_for_that_source_only() {
    let (folder, storage) = folder();
    storage.workflows().create(&workflow("add"), ADD, "given").await.unwrap();
    let file = folder.path().join("workflows/add.py");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ADD, "the source stays as it was given");
    std::fs::write(&file, ADD.replace("Adds", "Sums")).unwrap();
    assert_eq!(storage.workflows().list().await.unwrap()[0].description, "Sums.");
}

#[tokio::test]
async fn keys_are_what_the_layout_has() {
    let server = Server::start();
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    storage.workflows().create(&workflow("add"), ADD, "given é").await.unwrap();
    let data = ArtifactData::Json(json!({"a": [1.0, "é"], "b": {}}));
    let name = artifact("scans/nmap.json");
    let info = storage.artifacts().save(&name, data, "é", metadata()).await.unwrap();
    storage.deps().add(&"My_Pkg>=1".parse().unwrap()).await.unwrap();
    assert_eq!(info.path, "app:artifacts:scans/nmap.json");

    let mut raw = server.raw();
    let mut get = |command: &[&str]| -> String {
        let mut request = redis::cmd(command[0]);
        command[1..].iter().for_each(|argument| _ = request.arg(*argument));
        request.query(&mut raw).unwrap()
    };
    let expected = concat!(
        r#"{"name": "add", "description": "given \u00e9", "#,
        r#""source": "async def run(a: int, note='\u00e9'):\n    '''Adds.'''\n", "parameters": ["#,
        r#"{"name": "a", "type": "integer", "description": "", "required": true, "default": null}, "#,
        r#"{"name": "note", "type": "string", "description": "", "required": false, "default": "\u00e9"}]}"#
    );
    assert_eq!(get(&["HGET", "app:workflows:__workflows__", "add"]), expected);
    let expected = r#"{"a": [1.0, "\u00e9"], "b": {}}"#;
    assert_eq!(get(&["GET", "app:artifacts:scans/nmap.json"]), expected);
    let expected = format!(
        r#"{{"description": "\u00e9", "created_at": "{}", "metadata": {{"by": "\u00e9", "_data_type": "json"}}}}"#,
        info.created_at
    );
    assert_eq!(get(&["HGET", "app:artifacts:__index__", "scans/nmap.json"]), expected);
    assert_eq!(get(&["SRANDMEMBER", "app:deps"]), "my-pkg>=1");
}

#[tokio::test]
async fn keys_of_another_program_are_read() {
    let server = Server::start();
    let storage = RedisStorage::connect(&server.url(), "app").unwrap();
    let mut raw = server.raw();
    let mut set = |command: &str, key: &str, arguments: &[&str]| {
        redis::cmd(command).arg(key).arg(arguments).exec(&mut raw).unwrap();
    };
    let record = json!({"name": "other", "description": "", "source": ADD, "parameters": "any"});
    let workflows = "app:workflows:__workflows__";
    set("HSET", workflows, &["add", &record.to_string()]);
    set("HSET", workflows, &["broken", r#"{"source": "def ("}"#]);
    set("HSET", workflows, &["nothing", "no JSON"]);
    set("HSET", workflows, &["../x", &record.to_string()]);
    set("SET", "app:artifacts:unknown", &["[1]"]);
    set("HSET", "app:artifacts:__index__", &["gone", "{}"]);
    set("HSET", "app:artifacts:__index__", &["odd", "no JSON"]);
    set("SET", "app:artifacts:odd", &["text"]);
    set("RPUSH", "app:artifacts:list", &["1"]);
    set("SADD", "app:deps", &["My_Pkg", "requests", "a; b"]);

    let workflows = storage.workflows().list().await.unwrap();
    assert_eq!(workflows.len(), 1);
    assert_eq!((workflows[0].name.as_str(), workflows[0].description.as_str()), ("add", "Adds."));
    assert_eq!(workflows[0].parameters.len(), 2);
    assert_eq!(storage.workflows().problems().await.unwrap().len(), 3);
    for name in ["broken", "nothing"] {
        let error = storage.workflows().get(&workflow(name)).await.unwrap_err();
        assert_eq!(error.error_type(), "StorageReadError");
    }

    let infos = storage.artifacts().list().await.unwrap();
    assert_eq!(infos.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["odd"]);
    let unknown = storage.artifacts().load(&artifact("unknown")).await.unwrap();
    assert_eq!(unknown, ArtifactData::Text("[1]".to_owned()));
    let error = storage.artifacts().load(&artifact("list")).await.unwrap_err();
    assert_eq!(error.error_type(), "StorageReadError");
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");

    assert_eq!(storage.deps().list().await.unwrap().len(), 2);
    storage.deps().add(&"my_pkg>=2".parse().unwrap()).await.unwrap();
    let specs = storage.deps().list().await.unwrap();
    assert_eq!(
        specs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["my-pkg>=2", "requests"]
    );
}

#[tokio::test]
async fn tools_are_data_in_a_hash() {
    let server = Server::start();
    let tools = StoredTools::in_redis(&server.open(), "app:tools");
    let definition = json!({"name": "curl", "description": "é", "recipes": {"get": {}}});
    let tool = StoredTool { name: "curl".to_owned(), definition };
    tools.put(&tool).await.unwrap();
    let mut raw = server.raw();
    let text: String =
        redis::cmd("HGET").arg("app:tools:__tools__").arg("curl").query(&mut raw).unwrap();
    assert_eq!(text, r#"{"name": "curl", "description": "\u00e9", "recipes": {"get": {}}}"#);
    redis::cmd("HSET").arg("app:tools:__tools__").arg(&["bad", "{"]).exec(&mut raw).unwrap();
    assert_eq!(tools.list().await.unwrap(), [tool]);
    assert_eq!(tools.problems().await.unwrap().len(), 1);
    assert!(tools.remove("curl").await.unwrap());
    assert!(!tools.remove("curl").await.unwrap());
}

#[tokio::test]
async fn a_password_and_tcp_work_and_the_password_is_in_no_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let options = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", "hush"];
    let _server = Server::start_in(folder.path(), &options);
    let storage = RedisStorage::connect(&format!("redis://:hush@127.0.0.1:{port}/1"), "app");
    let storage = storage.unwrap();
    storage.workflows().create(&workflow("add"), ADD, "").await.unwrap();

    let wrong = RedisStorage::connect(&format!("redis://me:hushhush@127.0.0.1:{port}"), "app");
    let error = wrong.unwrap().workflows().list().await.unwrap_err();
    assert_eq!(error.error_type(), "StorageReadError");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[test]
fn a_storage_that_cannot_be_used_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(FileStorage::open(file.path()).unwrap_err().error_type(), "ValueError");
    let server = RedisServer::open("redis://localhost").unwrap();
    for prefix in ["", "a\nb"] {
        assert_eq!(RedisStorage::on(&server, prefix).unwrap_err().error_type(), "ValueError");
    }
}
