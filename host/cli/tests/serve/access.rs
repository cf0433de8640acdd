//! Who gets in.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::ask::{Ask, TOKEN};
use crate::program::{Log, Place, Program, command};

fn with_header(ask: Ask, value: &str) -> Ask {
    ask.without("Authorization").header("Authorization", value)
}

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let server = Place::folder().serve(&[]);
    let document = server.get("/openapi.json").send().await.json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", "x").replace("{name}", "x").replace("{path}", "x");
            let ask = server.ask(&method.to_uppercase(), &path);
            let expected = if path == "/health" { 200 } else { 401 };
            let bare = ask.clone().without("Authorization").send().await;
            assert_eq!(bare.status, expected, "{method} {path}");
            assert_eq!(with_header(ask, "Bearer wrong").status().await, expected, "{path}");
            asked += 1;
        }
    }
    assert!(asked > 25, "{asked} endpoints");
}

#[tokio::test]
async fn a_header_counts_only_as_it_is_meant() {
    let server = Place::folder().serve(&[]);
    let required = "Authorization required";
    let invalid = "Invalid token";
    for (header, detail) in [
        ("", required),
        ("   ", required),
        ("Basic dG9rZW46dG9rZW4=", required),
        (&format!("bearer {TOKEN}"), required),
        (&format!("BEARER {TOKEN}"), required),
        (&format!("Bearer{TOKEN}"), required),
        ("Bearer", invalid),
        ("Bearer ", invalid),
        ("Bearer wrong", invalid),
        (&format!("Bearer {TOKEN}x"), invalid),
        (&format!("Bearer {}", &TOKEN[1..]), invalid),
    ] {
        let reply = with_header(server.get("/info"), header).send().await;
        assert_eq!((reply.status, &*reply.detail()), (401, detail), "{header:?}");
    }
    assert_eq!(server.get("/info").status().await, 200);
    let health = server.get("/health").without("Authorization").send().await.json();
    let fields: Vec<_> = health.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["status", "uptime_seconds"], "nothing about sessions");
    assert_eq!(server.get("/sessions").status().await, 405, "there is no list of sessions");
}

#[tokio::test]
async fn without_authentication_any_header_is_ignored() {
    let mut disabled = command(&[]);
    disabled.env("CONTAINER_AUTH_DISABLED", "True");
    for command in [command(&["--no-auth"]), disabled] {
        let server = Program::start(command);
        for header in ["", "Basic x", "Bearer wrong", "nonsense"] {
            assert_eq!(with_header(server.get("/info"), header).status().await, 200, "{header:?}");
        }
    }
}

#[test]
fn a_server_for_nobody_in_particular_does_not_start() {
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(arguments);
        let output = command.envs(variables.iter().copied()).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?} {said}");
        said
    };
    for variables in [
        &[][..],
        &[("CONTAINER_AUTH_TOKEN", "  ")],
        &[("CONTAINER_AUTH_DISABLED", "1")],
        &[("CONTAINER_AUTH_DISABLED", "yes"), ("CONTAINER_AUTH_TOKEN", "")],
    ] {
        let said = refused(&[], variables);
        assert!(said.contains("--token-file") && said.contains("--no-auth"), "{said}");
    }
    let open = ("CONTAINER_AUTH_DISABLED", "true");
    let said = refused(&["--listen", "0.0.0.0:0"], &[open]);
    assert!(said.contains("can be reached from other machines"), "{said}");
}

#[tokio::test]
async fn a_file_of_tokens_that_breaks_lets_nobody_in_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.yaml");
    let write = |text: &str| {
        let aside = folder.path().join("aside");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(&aside, &file).unwrap();
    };
    let hash = |token: &str| blake3::hash(token.as_bytes()).to_hex();
    let tokens = format!(
        "version: 1\ntokens:\n  - {{name: agents, hashes: ['blake3:{}'], workspaces: [a]}}\n  \
         - {{name: others, hashes: ['blake3:{}'], workspaces: [b]}}\n",
        hash("of agents"),
        hash("of others"),
    );
    write(&tokens);
    let place = Place::folder();
    let server = place.serve(&["--tokens", file.to_str().unwrap()]);
    let session = |token: &str, workspace: Value| {
        server.post("/sessions", &json!({"workspace_id": workspace})).token(token)
    };
    let agents = session("of agents", json!("a")).send().await.json();
    let agents = agents["session_id"].as_str().unwrap();
    assert_eq!(session("of others", json!("a")).status().await, 403);
    assert_eq!(session("of agents", Value::Null).status().await, 403);
    let stolen = server.execute("1").session(agents).token("of others").send().await;
    assert_eq!((stolen.status, &*stolen.detail()), (400, "Invalid session ID"));
    assert_eq!(server.get("/metrics").token("of agents").status().await, 403);

    write("version: 1\ntokens: [");
    for token in ["of agents", "wrong"] {
        let reply = server.execute("1").session(agents).token(token).send().await;
        assert_eq!((reply.status, &*reply.detail()), (500, "Server misconfigured"));
    }
    write(&tokens.replace(&*hash("of others"), &hash("new")));
    assert_eq!(server.execute("1").session(agents).token("of agents").status().await, 200);
    assert_eq!(session("of others", json!("b")).status().await, 401, "it was taken out");
    assert_eq!(session("new", json!("b")).status().await, 200);
}

#[tokio::test]
async fn the_log_has_neither_tokens_nor_code_nor_whole_session_ids() {
    let place = Place::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut command = place.command(&["--log", "json", "--log-level", "debug"]);
    let log = Log::of(&mut command, folder.path());
    let mut server = Program::start(command);
    let session = server.session(Some("w")).await;
    server.run(&session, "secret_word = 'of the code'; 1/0").await;
    with_header(server.get("/info"), "Bearer of-somebody").send().await;
    server.ask("POST", "/reset").session(&session).send().await;
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended().success());
    let text = log.text();
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    assert!(text.contains("/execute") && text.contains("/reset"), "{text}");
    for hidden in [TOKEN, "of-somebody", "secret_word", "of the code", &session] {
        assert!(!text.contains(hidden), "{hidden} is in the log:\n{text}");
    }
}
