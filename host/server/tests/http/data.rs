//! Workflows, artifacts, packages, files and tools, and the workspaces that keep them apart.

use serde_json::{Value, json};

use crate::ask::Reply;
use crate::redis::Redis;
use crate::support::{Place, Setup, World};

const TRIPLE: &str =
    "async def run(n: int) -> int:\n    \"\"\"Triples it\"\"\"\n    return n * 3\n";

fn triple() -> Value {
    json!({"name": "triple", "source": TRIPLE, "description": "times three"})
}

#[tokio::test]
async fn workspaces_are_kept_apart_in_memory() {
    workspaces_are_kept_apart(Place::memory()).await;
}

#[tokio::test]
async fn workspaces_are_kept_apart_in_files() {
    let folder = tempfile::tempdir().unwrap();
    workspaces_are_kept_apart(Place::files(folder.path())).await;
    let path = folder.path().join("workspaces/client_a/workflows/triple.py");
    assert_eq!(std::fs::read_to_string(path).unwrap(), TRIPLE);
    assert!(!folder.path().join("workflows/triple.py").exists());
}

#[tokio::test]
async fn workspaces_are_kept_apart_in_redis() {
    let Some(redis) = Redis::start() else { return };
    workspaces_are_kept_apart(Place::redis(&redis)).await;
}

/// The names in an answer.
fn names(reply: &Reply) -> Vec<String> {
    let list = reply.json();
    let list = list.as_array().unwrap();
    list.iter().map(|each| each["name"].as_str().unwrap().to_owned()).collect()
}

async fn workspaces_are_kept_apart(place: Place) {
    let world = Setup::at(place).start().await;
    let (one, two) = (world.session(Some("client_a")).await, world.session(Some("client_a")).await);
    let other = world.session(Some("client_b")).await;
    let none = world.session(None).await;
    assert_eq!(world.post("/api/workflows", &triple()).session(&one).status().await, 200);
    let artifact = json!({"name": "scans/nmap.json", "data": {"open": [22]}, "description": "d"});
    assert_eq!(world.post("/api/artifacts", &artifact).session(&one).status().await, 200);

    let lists = ["/api/workflows", "/api/workflows/search?query=three", "/api/artifacts"];
    for session in [&one, &two] {
        for (path, name) in lists.into_iter().zip(["triple", "triple", "scans/nmap.json"]) {
            let reply = world.get(path).session(session).send().await;
            assert_eq!(names(&reply), [name], "{path}");
        }
        let info = world.get("/info").session(session).send().await.json();
        assert_eq!(info["workflows"][0]["name"], "triple");
        let loaded = world.get("/api/artifacts/scans/nmap.json").session(session).send().await;
        assert_eq!(loaded.json(), json!({"open": [22]}));
    }
    for session in [Some(&other), Some(&none), None] {
        let scoped = |path: &str| match session {
            Some(id) => world.get(path).session(id),
            None => world.get(path),
        };
        for path in lists {
            assert_eq!(scoped(path).send().await.json(), json!([]), "{path} {session:?}");
        }
        assert_eq!(scoped("/info").send().await.json()["workflows"], json!([]));
        assert_eq!(scoped("/api/workflows/triple").send().await.json(), Value::Null);
        assert_eq!(scoped("/api/artifacts/scans/nmap.json").status().await, 404);
    }
    // What a sandbox stores is what the endpoints show.
    let frame =
        json!({"namespace": "artifacts", "op": "save", "args": {"name": "of-code", "data": "x"}});
    world.run(&other, &format!("call {frame}")).await;
    let reply = world.get("/api/artifacts").session(&other).send().await;
    assert_eq!(names(&reply), ["of-code"]);
    assert_eq!(world.get("/api/artifacts/of-code").session(&one).status().await, 404);
}

#[tokio::test]
async fn a_workspace_has_a_name_of_letters() {
    let world = World::start().await;
    for id in ["", ".", "..", "../escape", "bad/name", "bad:name", "a\u{e9}", &"w".repeat(129)] {
        let reply = world.post("/sessions", &json!({"workspace_id": id})).send().await;
        assert_eq!(reply.status, 400, "{id:?}");
    }
    for body in [json!({"workspace_id": 1}), json!([]), json!("a")] {
        assert_eq!(world.post("/sessions", &body).status().await, 422, "{body}");
    }
    for body in [json!({}), json!({"workspace_id": null}), json!({"workspace_id": "a", "x": 1})] {
        assert_eq!(world.post("/sessions", &body).status().await, 200, "{body}");
    }
    assert_eq!(world.ask("POST", "/sessions").status().await, 200, "without a body");
}

#[tokio::test]
async fn a_workflow_lives_and_dies() {
    let world = World::start().await;
    let created = world.post("/api/workflows", &triple()).send().await;
    assert_eq!(created.status, 200, "{}", created.text());
    let expected = json!({
        "name": "triple", "description": "times three", "params": {"n": "integer"},
        "parameters": [
            {"name": "n", "type": "integer", "description": "", "required": true, "default": null}
        ],
        "source": TRIPLE,
    });
    assert_eq!(created.json(), expected);
    assert_eq!(world.get("/api/workflows/triple").send().await.json(), expected);
    let listed = world.get("/api/workflows").send().await.json();
    assert_eq!((&listed[0]["name"], &listed[0]["source"]), (&json!("triple"), &Value::Null));
    let delete = || world.ask("DELETE", "/api/workflows/triple");
    assert_eq!(delete().send().await.json(), json!(true));
    assert_eq!(delete().send().await.json(), json!(false));
    let gone = world.get("/api/workflows/triple").send().await;
    assert_eq!((gone.status, gone.json()), (200, Value::Null));
    for name in ["a-b", "..", "%2e%2e", "list"] {
        let reply = world.get(&format!("/api/workflows/{name}")).send().await;
        assert_eq!((reply.status, reply.json()), (200, Value::Null), "{name}");
    }
}

#[tokio::test]
async fn a_workflow_that_is_none_is_refused() {
    let world = World::start().await;
    for (name, source, status) in [
        ("a-b", TRIPLE, 400),
        ("../x", TRIPLE, 400),
        ("list", TRIPLE, 400),
        ("a", "def run(): pass", 400),
        ("a", "x = 1", 400),
        ("a", "async def run(", 400),
        ("a", &*"(".repeat(100_000), 400),
    ] {
        let body = json!({"name": name, "source": source, "description": ""});
        let reply = world.post("/api/workflows", &body).send().await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
    }
    for body in [json!({"name": "a", "source": TRIPLE}), json!({"name": 1}), json!(null)] {
        assert_eq!(world.post("/api/workflows", &body).status().await, 422);
    }
    for path in ["/api/workflows/search", "/api/workflows/search?query=a&limit=-1"] {
        assert_eq!(world.get(path).status().await, 422, "{path}");
    }
}

#[tokio::test]
async fn an_artifact_lives_and_dies() {
    let world = World::start().await;
    let body = json!({"name": "a/b c.json", "data": [1, 2.5, {"x": null}], "metadata": {"k": 1}});
    let saved = world.post("/api/artifacts", &body).send().await.json();
    assert_eq!((&saved["name"], &saved["metadata"]), (&json!("a/b c.json"), &json!({"k": 1})));
    for key in ["path", "description", "created_at"] {
        assert!(saved[key].is_string(), "{saved}");
    }
    for path in ["/api/artifacts/a/b%20c.json", "/api/artifacts/a%2Fb%20c.json"] {
        assert_eq!(world.get(path).send().await.json(), json!([1, 2.5, {"x": null}]), "{path}");
    }
    assert_eq!(world.get("/api/artifacts").send().await.json(), json!([saved]));
    let delete = || world.ask("DELETE", "/api/artifacts/a/b%20c.json");
    assert_eq!(delete().send().await.json(), Value::Null);
    for reply in [delete().send().await, world.get("/api/artifacts/a/b%20c.json").send().await] {
        assert_eq!(
            (reply.status, reply.detail()),
            (404, "Artifact 'a/b c.json' not found".to_owned())
        );
    }
}

#[tokio::test]
async fn artifacts_of_bytes_come_back_as_they_went() {
    let world = World::start().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let put = world.ask("PUT", "/api/artifacts/raw.bin").body(bytes.clone()).send().await;
    assert_eq!((put.status, &put.json()["name"]), (200, &json!("raw.bin")));
    let got = world.get("/api/artifacts/raw.bin").send().await;
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert!(got.body == bytes);
    let body = json!({"name": "b", "data": "AP8=", "encoding": "base64"});
    assert_eq!(world.post("/api/artifacts", &body).status().await, 200);
    assert_eq!(world.get("/api/artifacts/b").send().await.body, [0, 255]);
    for data in [json!("=no="), json!([1])] {
        let body = json!({"name": "b", "data": data, "encoding": "base64"});
        assert_eq!(world.post("/api/artifacts", &body).status().await, 422);
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let world = World::start().await;
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..\\x",
        "a\0b",
        "",
        ".",
        "__index__",
        ".artifacts.json",
    ] {
        let reply = world.post("/api/artifacts", &json!({"name": name, "data": "x"})).send().await;
        assert_eq!(reply.status, 400, "{name:?}");
    }
    for path in ["..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a/../../x", "%00", "..", "%ff", "a//b"] {
        for method in ["GET", "PUT", "DELETE"] {
            let reply = world.ask(method, &format!("/api/artifacts/{path}")).send().await;
            assert_eq!(reply.status, 400, "{method} {path}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn tools_are_listed_and_found() {
    let world = World::start().await;
    let tools = world.get("/api/tools").send().await.json();
    assert_eq!((&tools[0]["name"], &tools[1]["name"]), (&json!("echo.say"), &json!("pay")));
    let parameter = &tools[0]["callables"][0]["parameters"][0];
    assert_eq!((&parameter["name"], &parameter["type"]), (&json!("text"), &json!("str")));
    let found = world.get("/api/tools/search?query=says&limit=1").send().await;
    assert_eq!(names(&found), ["echo.say"]);
    assert_eq!(world.get("/api/tools/search").status().await, 422);
    assert_eq!(world.get("/api/tools/search?query=a&limit=x").status().await, 422);
    let info = world.get("/info").send().await.json();
    assert_eq!(info["tools"][0], json!({"name": "echo.say", "description": "Says it"}));
    assert_eq!(info["artifacts_path"], "artifacts");
}

#[tokio::test]
async fn packages_are_added_to_the_session_and_stored() {
    let world = World::start().await;
    let session = world.session(None).await;
    let post = |path: &str, body: Value| world.post(path, &body).session(&session);
    let added = post("/api/deps/add", json!({"package": "My_Pkg>=1"})).send().await.json();
    assert_eq!(added["installed"], json!(["my-pkg>=1"]));
    assert_eq!(world.get("/api/deps").send().await.json(), json!(["my-pkg>=1"]));
    assert_eq!(world.get("/api/deps").session(&session).send().await.json(), json!(["my-pkg>=1"]));
    let synced = post("/api/deps/sync", json!({})).send().await.json();
    assert_eq!((&synced["installed"], &synced["failed"]), (&json!([]), &json!([])));
    assert_eq!(synced["already_present"], json!(["my-pkg>=1"]));
    let removed = post("/api/deps/remove", json!({"package": "my-pkg"})).send().await.json();
    assert_eq!(removed["removed_from_config"], true);
    let removed = post("/api/deps/remove", json!({"package": "my-pkg"})).send().await.json();
    assert_eq!(
        (&removed["removed_from_config"], &removed["not_found"]),
        (&json!(false), &json!(["my-pkg"]))
    );
    let failed = post("/api/deps/add", json!({"package": "missing"})).send().await.json();
    assert_eq!(failed["failed"], json!(["missing"]));
    for package in
        ["", "a; rm -rf /", "$(whoami)", "-r x", "a @ https://x", &"a".repeat(257), "a\nb"]
    {
        let reply = post("/api/deps/add", json!({"package": package})).send().await;
        assert_eq!(reply.status, 400, "{package:?}");
    }
}

#[tokio::test]
async fn a_program_installs_what_code_may_not() {
    let world = Setup { no_runtime_deps: true, ..Setup::default() }.start().await;
    for path in ["/api/deps/add", "/api/deps/remove"] {
        assert_eq!(world.post(path, &json!({"package": "six"})).status().await, 403, "{path}");
    }
    let body = json!({"packages": ["six", "missing", "--index-url=http://evil", "six"]});
    let installed = world.post("/install_deps", &body).send().await.json();
    assert_eq!(installed["installed"], json!(["six"]));
    assert_eq!(installed["already_present"], json!(["six"]));
    assert_eq!(installed["failed"], json!(["--index-url=http://evil", "missing"]));
    assert_eq!(world.get("/api/deps").send().await.json(), json!([]), "nothing is stored");
    let body = json!({"packages": ["six>=1", "other", "-x"]});
    let removed = world.post("/uninstall_deps", &body).send().await.json();
    assert_eq!((&removed["removed"], &removed["not_found"]), (&json!(["six"]), &json!(["other"])));
    assert_eq!(removed["failed"], json!(["-x"]));
    assert_eq!(world.ask("POST", "/api/deps/sync").status().await, 200);
    let many = json!({"packages": vec!["a"; 101]});
    assert_eq!(world.post("/install_deps", &many).status().await, 422);
}

#[tokio::test]
async fn packages_before_the_first_session_are_in_the_first_session() {
    let world = World::start().await;
    world.post("/install_deps", &json!({"packages": ["six"]})).send().await;
    world.post("/install_deps", &json!({"packages": ["attrs"]})).send().await;
    let ran = world.execute("echo 1").send().await.json();
    let session = ran["session_id"].as_str().unwrap();
    let body = json!({"packages": ["six", "attrs"]});
    let again = world.post("/install_deps", &body).session(session).send().await.json();
    assert_eq!(again["already_present"], json!(["six", "attrs"]));
    let other = world.execute("echo 1").send().await.json();
    assert_ne!(other["session_id"], ran["session_id"], "it was handed over once");
}

#[tokio::test]
async fn files_go_into_a_session_and_come_out() {
    let world = World::start().await;
    let session = world.session(None).await;
    let path = format!("/sessions/{session}/files/data/in%20put.bin");
    let put = world.ask("PUT", &path).body(vec![0, 255, 10]).send().await;
    assert_eq!(put.json(), json!({"path": "/data/in put.bin", "bytes": 3}));
    let got = world.get(&path).send().await;
    assert_eq!((got.status, got.body.as_slice()), (200, &[0, 255, 10][..]));
    assert_eq!(world.get(&format!("/sessions/{session}/files/none")).status().await, 404);
    let other = world.session(None).await;
    assert_eq!(world.get(&path.replace(&session, &other)).status().await, 404);
    for path in ["a/../../etc/passwd", "%2e%2e/x", "a//b", "a%00b", "./a"] {
        let path = format!("/sessions/{session}/files/{path}");
        assert_eq!(world.ask("PUT", &path).body("x").status().await, 400, "{path}");
        assert_eq!(world.get(&path).status().await, 400, "{path}");
    }
    assert_eq!(world.get("/sessions/none/files/a").status().await, 400);
}

#[tokio::test]
async fn figures_are_there_to_be_read() {
    let world = World::start().await;
    let session = world.session(None).await;
    world.run(&session, "echo 1").await;
    world.run(&session, "crash").await;
    let reply = world.get("/metrics").send().await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    let text = reply.text();
    for line in [
        "pcm_sessions 1",
        "pcm_sessions_started_total 1",
        "pcm_runs_total{outcome=\"ok\"} 1",
        "pcm_runs_total{outcome=\"crashed\"} 1",
        "pcm_requests_total{method=\"POST\",path=\"/execute\",status=\"200\"} 2",
        "pcm_request_duration_seconds_count{path=\"/sessions\"} 1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(!text.contains(&session));
}
