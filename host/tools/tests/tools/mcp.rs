//! A small MCP server that misbehaves on request.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pcm_runtime_api::{HostError, Payload, ValueType};
use pcm_tools::{CallOptions, LoadOptions, Problem, Registry, ToolError, Variables};
use serde_json::json;

use crate::{TestResult, call, call_with, fixture, folder, load, until};

fn declaration(folder: &Path, more: &str) -> String {
    format!(
        "
name: math
type: mcp
command: python3
args: [\"{}\", \"{}\"]
output_bytes: 5000000
timeout: 30
{more}",
        fixture("mcp_server.py"),
        folder.display(),
    )
}

async fn server(
    more: &str,
) -> Result<(tempfile::TempDir, Registry, Vec<Problem>), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (registry, problems) = load(&[&declaration(folder.path(), more)]).await?;
    Ok((folder, registry, problems))
}

fn starts(folder: &tempfile::TempDir) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join("starts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn failure(registry: &Registry, name: &str) -> Result<HostError, Box<dyn std::error::Error>> {
    Ok(call(registry, name, json!({})).await.err().ok_or("it did not fail")?.into())
}

#[tokio::test]
async fn the_tools_of_a_server_are_one_tool() -> TestResult {
    let (_folder, registry, problems) = server("tags: [numbers]").await?;
    let tool = registry.tool("math").ok_or("there")?;
    assert_eq!(tool.tags, ["numbers"]);
    assert!(
        tool.description.starts_with("add: Adds two numbers; add_up: "),
        "{}",
        tool.description
    );
    let add = tool.callable("add").ok_or("listed")?;
    assert_eq!(add.signature(), "add(a: float, b: float)");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected =
        "0.yaml: warning: its tool \"get-sum\" is left out: \"get_sum\" is called get_sum already";
    assert_eq!(problems, [expected]);
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn calls_give_back_what_the_server_says() -> TestResult {
    let (_folder, registry, _) = server("").await?;
    assert_eq!(call(&registry, "math.add", json!({"a": 2, "b": 3})).await?, json!("5").into());
    assert_eq!(call(&registry, "math.list_", json!({})).await?, json!("listed").into());
    let sum = call(&registry, "math.add_up", json!({"a": 2, "b": 3})).await?;
    assert_eq!(sum, json!({"sum": 5}).into());
    let mixed = call(&registry, "math.mixed", json!({})).await?;
    let expected = Payload::from(json!([
        {"type": "text", "text": "see"},
        {"type": "image", "mime_type": "image/png", "data": "aGk="},
    ]));
    assert_eq!(mixed, expected.with_type("/1/data", ValueType::Bytes));

    let failed = failure(&registry, "math.fail").await?;
    assert_eq!(failed, HostError::new("ToolCallError", "math.fail: no such key"));
    let refused = failure(&registry, "math.refuse").await?;
    assert_eq!(refused.message, "math.refuse: bad arguments, says the server");
    assert!(failure(&registry, "math").await?.message.contains("there are: add, add_up, big"));
    let gone = call(&registry, "math.get_sum", json!({"a": 1})).await.err();
    assert!(matches!(gone, Some(ToolError::NotFound { .. })), "{gone:?}");
    let unknown = failure(&registry, "math.sub").await?;
    assert!(unknown.message.contains("Recipe \"sub\" not found"), "{}", unknown.message);
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_crashes_is_started_again() -> TestResult {
    let (folder, registry, _) = server("").await?;
    let crashed = failure(&registry, "math.crash").await?;
    let expected = "math.crash: the server ended; it said: last words";
    assert_eq!(crashed, HostError::new("ToolCallError", expected));
    assert_eq!(call(&registry, "math.add", json!({"a": 1, "b": 1})).await?, json!("2").into());
    assert_eq!(starts(&folder).len(), 2);
    // Five times a minute, and not more.
    for _ in 0..5 {
        let _ = failure(&registry, "math.crash").await?;
    }
    let tired = failure(&registry, "math.add").await?;
    assert!(tired.message.contains("ended 5 times within a minute"), "{}", tired.message);
    assert_eq!(starts(&folder).len(), 6);
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn a_slow_call_times_out_and_the_server_stays() -> TestResult {
    let (folder, registry, _) = server("").await?;
    let options =
        CallOptions { timeout: Some(Duration::from_millis(300)), ..CallOptions::default() };
    let error = call_with(&registry, "math.sleep", json!({}), options).await.err();
    assert_eq!(error, Some(ToolError::Timeout { tool: "math.sleep".to_owned(), seconds: 0.3 }));
    assert_eq!(call(&registry, "math.add", json!({"a": 1, "b": 1})).await?, json!("2").into());
    assert_eq!(starts(&folder).len(), 1);
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_too_long_is_an_error() -> TestResult {
    let (_folder, registry, _) = server("").await?;
    let fits = call(&registry, "math.big", json!({"size": 2_000_000})).await?;
    assert_eq!(fits.value.as_str().map(str::len), Some(2_000_000));
    // Beyond the bound on a message the connection breaks, with a reason.
    let error = call(&registry, "math.big", json!({"size": 6_000_000})).await.err();
    let error = error.ok_or("it did not fail")?.to_string();
    assert!(error.contains("more than 5000000 bytes; raise `output_bytes`"), "{error}");
    assert_eq!(call(&registry, "math.add", json!({"a": 1, "b": 1})).await?, json!("2").into());
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn a_list_that_changes_is_read_again() -> TestResult {
    let (_folder, registry, _) = server("").await?;
    call(&registry, "math.grow", json!({})).await?;
    let has_grown = || registry.tool("math").is_some_and(|tool| tool.callable("grown13").is_some());
    assert!(until(has_grown).await);
    assert_eq!(registry.search("grown13", 3).len(), 1);
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn the_server_ends_with_the_registry() -> TestResult {
    let (folder, registry, _) = server("").await?;
    let started = starts(&folder);
    assert_eq!(started.len(), 1);
    registry.close().await;
    assert!(!Path::new("/proc").join(&started[0]).exists());
    assert!(call(&registry, "math.add", json!({"a": 1, "b": 1})).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_server_gets_the_environment_of_its_declaration() -> TestResult {
    let folder = tempfile::tempdir()?;
    let declaration = declaration(folder.path(), "env: {GIVEN: \"${A}-${B:-b}\"}");
    let mut options = LoadOptions::default();
    let variables =
        [("PATH", std::env::var("PATH")?), ("A", "a".to_owned()), ("HIDDEN", "h".to_owned())];
    options.variables =
        Variables::Only(variables.map(|(name, value)| (name.to_owned(), value)).into());
    let (registry, _) = crate::load_with(&[&declaration], options).await?;
    for (name, expected) in [("GIVEN", "a-b"), ("HIDDEN", "not set")] {
        let value = call(&registry, "math.environment", json!({ "name": name })).await?;
        assert_eq!(value, json!(expected).into());
    }
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_start_hides_no_other_tool() -> TestResult {
    let echo = "{name: echo, schema: {positional: [{name: text}]}, recipes: {say: {}}}";
    let gone = "{name: a, type: mcp, command: no-such-program-here}";
    let silent = "{name: b, type: mcp, command: sleep, args: ['600'], connect_timeout: 0.5}";
    let ended = "{name: c, type: mcp, command: sh, args: [-c, 'echo sorry >&2; exit 1']}";
    let folder = folder(&[gone, silent, ended, echo])?;
    let (registry, problems) = Registry::load(folder.path(), LoadOptions::default()).await?;
    assert!(call(&registry, "echo.say", json!({"text": "x"})).await.is_ok());
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, expected) in problems.iter().zip([
        "0.yaml: error: the MCP server \"a\": the program \"no-such-program-here\" is not on this host",
        "1.yaml: error: the MCP server \"b\": it did not answer within 0.5 s",
        "2.yaml: error: the MCP server \"c\": no handshake: the connection closed; the server ended; it said: sorry",
    ]) {
        assert!(problem.starts_with(expected), "{problem}");
    }
    Ok(())
}

struct OldServer(std::process::Child, String);

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn old_server(folder: &Path) -> Result<OldServer, Box<dyn std::error::Error>> {
    let file = folder.join("port");
    let child = std::process::Command::new("python3")
        .args([fixture("mcp_server.py"), "--sse".to_owned(), file.display().to_string()])
        .spawn()?;
    let mut server = OldServer(child, String::new());
    assert!(until(|| file.exists()).await);
    server.1 = format!("http://127.0.0.1:{}/sse", fs::read_to_string(file)?);
    Ok(server)
}

#[tokio::test]
async fn old_servers_speak_over_events() -> TestResult {
    let folder = tempfile::tempdir()?;
    let server = old_server(folder.path()).await?;
    let yaml = format!(
        "{{name: old, type: mcp, transport: sse, url: '{}', headers: {{Authorization: 'Bearer s3cret'}}}}",
        server.1
    );
    let (registry, _) = load(&[&yaml]).await?;
    assert_eq!(call(&registry, "old.add", json!({"a": 2, "b": 3})).await?, json!("5").into());
    call(&registry, "old.grow", json!({})).await?;
    let has_grown = || registry.tool("old").is_some_and(|tool| tool.callable("grown13").is_some());
    assert!(until(has_grown).await);
    // The stream ends: the call fails, the next one opens another.
    let gone = failure(&registry, "old.crash").await?;
    assert!(gone.message.contains("gone"), "{}", gone.message);
    assert_eq!(call(&registry, "old.add", json!({"a": 2, "b": 4})).await?, json!("6").into());
    registry.close().await;

    let refused = yaml.replace("s3cret", "wrong");
    let (registry, problems) = load(&[&refused]).await?;
    assert!(registry.list().is_empty());
    let problem = problems[0].to_string();
    assert!(problem.ends_with("the MCP server \"old\": HTTP 401"), "{problem}");
    Ok(())
}
