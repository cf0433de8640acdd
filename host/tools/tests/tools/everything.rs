//! The reference server of the protocol, over all transports that it has.

use std::process::{Child, Command, Stdio};

use pcm_tools::Registry;
use serde_json::json;

use crate::{TestResult, call, load, until};

/// The path of the server's `dist/index.js`.
fn script() -> Result<String, String> {
    std::env::var("PCM_MCP_EVERYTHING").map_err(|_| {
        "PCM_MCP_EVERYTHING is not set. It is the path of dist/index.js of the npm package \
         @modelcontextprotocol/server-everything: `npm install --ignore-scripts --prefix DIR \
         @modelcontextprotocol/server-everything`, then \
         DIR/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
            .to_owned()
    })
}

async fn is_whole(registry: &Registry) -> TestResult {
    let echo = call(registry, "everything.echo", json!({"message": "hi"})).await?;
    assert_eq!(echo, json!("Echo: hi").into());
    let sum = call(registry, "everything.get_sum", json!({"a": 2, "b": 3})).await?;
    assert_eq!(sum, json!("The sum of 2 and 3 is 5.").into());
    let weather = json!({"location": "New York"});
    let weather = call(registry, "everything.get_structured_content", weather).await?;
    assert!(weather.value["temperature"].is_number(), "{weather:?}");
    let image = call(registry, "everything.get_tiny_image", json!({})).await?;
    assert!(image.types.values().count() == 1, "{image:?}");
    assert!(call(registry, "everything.echo", json!({"message": [1]})).await.is_err());
    registry.close().await;
    Ok(())
}

#[tokio::test]
async fn the_reference_server_answers_on_stdio() -> TestResult {
    let yaml =
        format!("{{name: everything, type: mcp, command: node, args: ['{}', stdio]}}", script()?);
    let (registry, problems) = load(&[&yaml]).await?;
    assert!(problems.is_empty(), "{problems:?}");
    is_whole(&registry).await
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(kind: &str) -> Result<(Running, u16), Box<dyn std::error::Error>> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let child = Command::new("node")
        .args([&script()?, kind])
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((Running(child), port))
}

async fn over(kind: &str, transport: &str, path: &str) -> TestResult {
    let (_running, port) = serve(kind)?;
    assert!(until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await);
    let yaml = format!(
        "{{name: everything, type: mcp, transport: {transport}, url: 'http://127.0.0.1:{port}{path}'}}"
    );
    let (registry, problems) = load(&[&yaml]).await?;
    assert!(problems.is_empty(), "{problems:?}");
    is_whole(&registry).await
}

#[tokio::test]
async fn the_reference_server_answers_over_http() -> TestResult {
    over("streamableHttp", "http", "/mcp").await
}

#[tokio::test]
async fn the_reference_server_answers_over_events() -> TestResult {
    over("sse", "sse", "/sse").await
}
