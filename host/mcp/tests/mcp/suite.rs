//! The conformance suite of the protocol, `@modelcontextprotocol/conformance`.
//!
//! It calls tools and reads resources that a server has for it alone. Here they are those of this server
//! under other names: a proxy in front of it puts `run_code` with a piece of code for `test_simple_text`
//! and lets everything else pass as it is.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pcm_mcp::{HttpConfig, HttpServer, Server, ServerConfig};
use pcm_storage::{ArtifactData, Storage as _};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{NEW, OLD, Puppets, pay};

/// The scenarios that apply, by the version that they are run in.
const APPLY: [(&str, &[&str]); 2] = [
    (
        OLD,
        &[
            "server-initialize",
            "server-session-lifecycle",
            "logging-set-level",
            "ping",
            "completion-complete",
            "tools-list",
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-with-logging",
            "tools-call-error",
            "tools-call-with-progress",
            "tools-call-elicitation",
            "server-sse-multiple-streams",
            "resources-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "prompts-list",
            "prompts-get-simple",
            "prompts-get-with-args",
            "dns-rebinding-protection",
        ],
    ),
    (
        NEW,
        &[
            "completion-complete",
            "tools-list",
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-error",
            "tools-call-with-progress",
            "server-sse-multiple-streams",
            "resources-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "sep-2164-resource-not-found",
            "prompts-list",
            "prompts-get-simple",
            "prompts-get-with-args",
            "dns-rebinding-protection",
            "caching",
            "http-header-validation",
            "input-required-result-request-state",
            "input-required-result-multi-round",
            "input-required-result-missing-input-response",
            "input-required-result-result-type",
            "input-required-result-unsupported-methods",
            "input-required-result-tampered-state",
            "input-required-result-validate-input",
        ],
    ),
];

/// The others, and why they do not.
const DO_NOT_APPLY: [(&str, &str); 19] = [
    ("elicitation-sep1034-defaults", FORM),
    ("elicitation-sep1330-enums", FORM),
    ("http-custom-header-server-validation", "no argument of a tool is repeated in a header"),
    ("input-required-result-basic-elicitation", FORM),
    ("input-required-result-basic-list-roots", SAMPLING),
    ("input-required-result-basic-sampling", SAMPLING),
    ("input-required-result-capability-check", SAMPLING),
    ("input-required-result-ignore-extra-params", "it answers what it was not asked"),
    ("input-required-result-multiple-input-requests", SAMPLING),
    ("input-required-result-non-tool-request", "a prompt runs no code, and so asks nobody"),
    ("json-schema-2020-12", "a tool with a schema of the suite's own"),
    ("prompts-get-embedded-resource", PROMPT),
    ("prompts-get-with-image", PROMPT),
    ("resources-subscribe", SUBSCRIBE),
    ("resources-unsubscribe", SUBSCRIBE),
    ("server-sse-polling", "a tool that breaks its own connection off"),
    ("server-stateless", "some of its checks are of a tool that samples, and of subscriptions"),
    ("tools-call-mixed-content", "no tool gives text, a picture and a resource at once"),
    ("tools-call-sampling", SAMPLING),
];
const FORM: &str = "the one form that users are shown is that of an approval";
const SAMPLING: &str = "this server asks no model, and for no roots";
const PROMPT: &str = "a prompt is the text that calls a workflow";
const SUBSCRIBE: &str = "subscriptions to single resources are not offered";

/// What is called in place of a tool of the suite.
fn tool(name: &str) -> Option<(&'static str, Value)> {
    let code = |code: &str| Some(("run_code", json!({"code": code})));
    match name {
        "test_simple_text" => code("echo \"simple\""),
        "test_image_content" => code("picture"),
        "test_audio_content" => code("sound"),
        "test_embedded_resource" => Some(("load_artifact", json!({"name": "static-binary"}))),
        "test_tool_with_logging" | "test_tool_with_progress" => code("step 1\nstep 2\nstep 3"),
        "test_error_handling" => code("raise"),
        "test_elicitation" | "test_input_required_result_elicitation" => code(&pay(1)),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => {
            code(&format!("{}\nprint state-ok", pay(1)))
        }
        "test_input_required_result_multi_round" => code(&format!("{}\n{}", pay(1), pay(2))),
        _ => None,
    }
}

/// Puts what this server has for what the suite wants; the name is what a header repeats.
fn translated(message: &mut Value) -> Option<String> {
    let params = message.get_mut("params")?.as_object_mut()?;
    if let Some(uri) = params.get("uri").and_then(Value::as_str) {
        let name = uri.strip_prefix("test://").filter(|name| !name.contains("nonexistent"))?;
        let uri = format!("pcm://artifacts/{name}");
        params.insert("uri".to_owned(), uri.clone().into());
        return Some(uri);
    }
    let (name, arguments) = tool(params.get("name")?.as_str()?)?;
    params.insert("name".to_owned(), name.into());
    params.insert("arguments".to_owned(), arguments);
    Some(name.to_owned())
}

/// Passes each request on, translated.
async fn proxy(listener: TcpListener, server: SocketAddr) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        tokio::spawn(async move {
            // Who hangs up is done.
            let _ = pass(stream, server).await;
        });
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let header = |name: &str| {
        let pairs = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    let mut name = header("mcp-name");
    if let Ok(mut message) = serde_json::from_slice::<Value>(&body) {
        let old = message.pointer("/params/name").or(message.pointer("/params/uri")).cloned();
        if let Some(new) = translated(&mut message) {
            if name.as_deref() == old.as_ref().and_then(Value::as_str) {
                name = Some(new);
            }
            body = message.to_string().into_bytes();
        }
    }
    let mut request = String::new();
    for line in head.lines() {
        let field = line.split(':').next().unwrap().to_ascii_lowercase();
        match &*field {
            "connection" | "content-length" => {}
            "mcp-name" => request.extend(["mcp-name: ", name.as_ref().unwrap(), "\r\n"]),
            _ => request.extend([line, "\r\n"]),
        }
    }
    let length = body.len().to_string();
    request.extend(["connection: close\r\ncontent-length: ", &length, "\r\n\r\n"]);
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(request.as_bytes()).await?;
    upstream.write_all(&body).await?;
    tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}

/// A server with what the suite looks for: where it is found through a proxy, and where it is.
async fn serve() -> (SocketAddr, SocketAddr) {
    let config = ServerConfig::default();
    let puppets = Puppets::new(&config);
    let artifacts = [
        ("static-text", ArtifactData::Text("text".to_owned())),
        ("static-binary", ArtifactData::Bytes(vec![0xff, 0, 1])),
        ("template/123/data", ArtifactData::Text("the data of 123".to_owned())),
    ];
    for (name, data) in artifacts {
        let name = name.parse().unwrap();
        puppets.storage.artifacts().save(&name, data, "", Map::new()).await.unwrap();
    }
    for (name, source) in [
        ("test_simple_prompt", "async def run(): pass"),
        ("test_prompt_with_arguments", "async def run(arg1: str, arg2: str): pass"),
    ] {
        puppets.storage.workflows().create(&name.parse().unwrap(), source, "A test").await.unwrap();
    }
    let server = Server::new(config, Arc::new(puppets));
    let server = HttpServer::bind(server, HttpConfig::default()).await.unwrap();
    let behind = server.address();
    tokio::spawn(server.serve(std::future::pending()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(proxy(listener, behind));
    (address, behind)
}

/// What a program says. Where it fails, what it says ends differently.
async fn run<const COUNT: usize>(program: &str, words: [&str; COUNT]) -> String {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let end = if output.status.success() { PASSED } else { "it failed" };
    format!("{}\n{end}", String::from_utf8_lossy(&output.stdout))
}

const PASSED: &str = "it passed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_that_applies_passes() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(suite), Some(node)) = (variable("PCM_MCP_CONFORMANCE"), variable("PCM_MCP_NODE"))
    else {
        println!(
            "skipped: PCM_MCP_CONFORMANCE and PCM_MCP_NODE name no suite; `./x test` sets them"
        );
        return;
    };
    let only = variable("PCM_MCP_SCENARIO");
    for (version, scenarios) in APPLY {
        let known = DO_NOT_APPLY.iter().map(|(name, _)| *name).chain(scenarios.iter().copied());
        let known: Vec<_> = known.collect();
        let listed = run(&node, [&*suite, "list", "--server", "--spec-version", version]).await;
        let listed = listed.lines().filter_map(|line| line.trim().strip_prefix("- "));
        let new: Vec<_> = listed
            .map(|line| line.split(' ').next().unwrap())
            .filter(|name| !known.contains(name))
            .collect();
        assert_eq!(new, [""; 0], "scenarios of {version} about which nothing is said");
    }
    let (proxied, direct) = serve().await;
    let mut failed = Vec::new();
    for (version, scenarios) in APPLY {
        let chosen = scenarios.iter().filter(|name| only.as_ref().is_none_or(|only| only == *name));
        for scenario in chosen {
            // That one is about the port, too.
            let is_direct = *scenario == "dns-rebinding-protection";
            let url = format!("http://{}/mcp", if is_direct { direct } else { proxied });
            let words = [
                &*suite,
                "server",
                "--url",
                &url,
                "--scenario",
                scenario,
                "--spec-version",
                version,
            ];
            let said = run(&node, words).await;
            if !said.contains(PASSED) {
                println!("== {scenario} in {version}\n{said}");
                failed.push(format!("{scenario} in {version}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
