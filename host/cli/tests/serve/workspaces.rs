//! Who sees what: sessions of the same workspace, of another, and of none.

use serde_json::{Value, json};

use crate::ask::Client;
use crate::program::{Place, Program};

const WORKFLOW: &str = "async def run(): return 'hidden treasure'";

/// Everything that a session sees, once through code and once through the endpoints.
async fn seen(server: &Client, session: &str) -> Value {
    let code = "\
def names(found):
    return sorted(each['name'] if isinstance(each, dict) else each.name for each in found)
[names(artifacts.list()), names(workflows.list()), names(workflows.search('hidden treasure'))]";
    let result = server.run(session, code).await;
    assert_eq!(result["error"], Value::Null);
    let names = async |path: &str| {
        let list = server.get(path).session(session).send().await.json();
        let mut names: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        json!(names)
    };
    let of_endpoints = json!([
        names("/api/artifacts").await,
        names("/api/workflows").await,
        names("/api/workflows/search?query=hidden%20treasure").await,
    ]);
    assert_eq!(result["value"], of_endpoints, "code and endpoints see the same");
    let info = server.get("/info").session(session).send().await.json();
    assert_eq!(
        info["workflows"].as_array().unwrap().len(),
        of_endpoints[1].as_array().unwrap().len()
    );
    of_endpoints
}

#[tokio::test]
async fn a_workspace_is_shared_by_its_sessions_and_by_no_others() {
    for place in Place::each() {
        let server = place.serve(&[]);
        let [one, same] = [server.session(Some("a")).await, server.session(Some("a")).await];
        let [other, none] = [server.session(Some("b")).await, server.session(None).await];
        let sessions = [&one, &same, &other, &none];

        // One thing by code, one by the endpoints, in each of the three spaces.
        for (session, space) in [(&one, "a"), (&other, "b"), (&none, "none")] {
            let code = format!(
                "artifacts.save('by_code_{space}', {{'of': '{space}'}})\n\
                 workflows.create('code_{space}', \"{WORKFLOW}\", 'hidden treasure')\n"
            );
            assert_eq!(server.run(session, &code).await["error"], Value::Null, "{}", place.name());
            let artifact = json!({"name": format!("by_hand_{space}"), "data": space});
            let saved = server.post("/api/artifacts", &artifact).session(session).send().await;
            assert_eq!(saved.status, 200, "{}", saved.text());
            let workflow = json!({
                "name": format!("hand_{space}"), "source": WORKFLOW, "description": "hidden treasure"
            });
            let made = server.post("/api/workflows", &workflow).session(session).send().await;
            assert_eq!(made.status, 200, "{}", made.text());
        }
        let of = |space: &str| {
            let artifacts = [format!("by_code_{space}"), format!("by_hand_{space}")];
            let workflows = [format!("code_{space}"), format!("hand_{space}")];
            json!([artifacts, workflows, workflows])
        };
        for (session, space) in sessions.into_iter().zip(["a", "a", "b", "none"]) {
            assert_eq!(seen(&server, session).await, of(space), "{space} in {}", place.name());
        }
        // Who has no session is where sessions without a workspace are.
        let unscoped = server.get("/api/artifacts/by_code_none").send().await;
        assert_eq!(unscoped.json(), json!({"of": "none"}));
        assert_eq!(server.get("/api/artifacts/by_code_a").status().await, 404);

        // What is of another space can be neither read, nor called, nor removed.
        for session in [&other, &none] {
            let code = "\
def refused(call):
    try:
        call()
    except Exception:
        return True
[refused(lambda: artifacts.load('by_code_a')), refused(lambda: workflows.invoke('code_a')),
 artifacts.exists('by_code_a'), workflows.get('code_a'), workflows.delete('code_a')]";
            let result = server.run(session, code).await;
            assert_eq!(result["value"], json!([true, true, false, null, false]), "{result}");
            let gone = server.ask("DELETE", "/api/artifacts/by_code_a").session(session);
            assert_eq!(gone.status().await, 404);
            let gone = server.ask("DELETE", "/api/workflows/code_a").session(session);
            assert_eq!(gone.send().await.json(), false);
        }
        // What one session of the workspace changes, the other sees at once.
        let code = "workflows.invoke('hand_a'), artifacts.load('by_hand_a')";
        assert_eq!(server.run(&same, code).await["value"], json!(["hidden treasure", "a"]));
        let removed = server.ask("DELETE", "/api/artifacts/by_hand_a").session(&same).send().await;
        assert_eq!(removed.json(), Value::Null);
        assert_eq!(server.run(&one, "artifacts.exists('by_hand_a')").await["value"], false);
        server.run(&one, "workflows.delete('hand_a')").await;
        let gone = server.get("/api/workflows/hand_a").session(&same).send().await;
        assert_eq!(gone.json(), Value::Null);
    }
}

#[tokio::test]
async fn a_workspace_has_a_name_that_is_no_path() {
    for place in Place::each() {
        let server = place.serve(&[]);
        for id in ["", ".", "..", "../x", "a/b", "a:b", "a b", "ä", &"x".repeat(129)] {
            let reply = server.post("/sessions", &json!({"workspace_id": id})).send().await;
            assert_eq!(reply.status, 400, "{id:?} in {}: {}", place.name(), reply.text());
        }
        server.session(Some(&"x".repeat(128))).await;
    }
}

#[tokio::test]
async fn a_workspace_outlives_its_server() {
    for place in Place::each() {
        let server = place.serve(&[]);
        let port = server.address.port().to_string();
        // Named, or by what it is called where nobody names it: then it is the port that has to be the same.
        server.kill();
        for arguments in [&["--node", "n"][..], &[]] {
            let start = || {
                let mut command = place.command(arguments);
                command.env("PORT", &port);
                Program::start(command)
            };
            let server = start();
            let session = server.session(Some("w")).await;
            server.run(&session, "artifacts.save('kept', b'\\x00\\xff')").await;
            server.kill();
            let server = start();
            let reply = server.execute("1").session(&session).send().await;
            assert_eq!((reply.status, &*reply.detail()), (400, "Invalid session ID"));
            let session = server.session(Some("w")).await;
            let loaded = server.run(&session, "list(artifacts.load('kept'))").await;
            assert_eq!(loaded["value"], json!([0, 255]));
            let bytes = server.get("/api/artifacts/kept").session(&session).send().await;
            assert_eq!(bytes.body, [0, 255], "{}", place.name());
        }
    }
}
