//! What no client would send.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::ask::{Reply, TOKEN};
use crate::support::World;

async fn raw(world: &World, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    // The server may have heard enough before it has all of it.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    Reply::read(&mut stream).await
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_422() {
    let world = World::start().await;
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "{\"code\": 1}",
        "{\"code\": \"a\", \"code\": \"b\"}",
        "{\"code\": \"a\", \"timeout\": NaN}",
        "{\"code\": \"\\ud800\"}",
        "\u{feff}{\"code\": \"a\"}",
        "{\"code\": \"a\"} x",
        &format!("{{\"code\": \"a\", \"x\": {deep}}}"),
    ] {
        let reply = world.ask("POST", "/execute").body(body).send().await;
        let start: String = body.chars().take(40).collect();
        assert_eq!(reply.status, 422, "{start}: {}", reply.text());
        assert!(reply.detail().len() < 1000);
    }
    let not_utf8 = world.ask("POST", "/execute").body(b"{\"code\": \"\xff\"}".to_vec());
    assert_eq!(not_utf8.status().await, 422);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "\u{e9}", "application/xml"] {
        let body = json!({"code": "echo 1"}).to_string();
        let ask = world.ask("POST", "/execute").header("Content-Type", kind).body(body);
        assert_eq!(ask.status().await, 422, "{kind}");
    }
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn heads_that_are_too_long_or_no_heads_end_their_connection_alone() {
    let world = World::start().await;
    let session = world.session(None).await;
    let long = "x".repeat(300_000);
    let many = "a: b\r\n".repeat(1000);
    for head in [
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "GET /health HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let reply = raw(&world, head.as_bytes()).await;
        let start: String = head.chars().take(40).collect();
        assert!(matches!(reply.status, 0 | 400..=499), "{start}: {}", reply.status);
    }
    assert_eq!(world.run(&session, "echo 1").await["value"], "1");
}

#[tokio::test]
async fn a_request_inside_a_request_is_none() {
    let world = World::start().await;
    let inner = format!(
        "POST /sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    // Two lengths that differ, or a length beside chunks: where the body ends is nobody's guess.
    for length in [
        format!("Content-Length: 2\r\nContent-Length: {}\r\n", inner.len()),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Content-Length: +2\r\n".to_owned(),
    ] {
        let request =
            format!("POST /execute HTTP/1.1\r\nHost: localhost\r\n{length}\r\n0\r\n\r\n{inner}");
        let reply = raw(&world, request.as_bytes()).await;
        assert_eq!(reply.status, 400, "{length:?}");
    }
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_path_that_is_encoded_is_no_way_around() {
    let world = World::start().await;
    for path in [
        "/health/../info",
        "/%2e%2e/info",
        "/health%2f..%2finfo",
        "//info",
        "/info/",
        "/INFO",
        "/info%00",
        "/info;x=1",
    ] {
        let status = world.get(path).without("Authorization").status().await;
        assert!(matches!(status, 400 | 401 | 404), "{path}: {status}");
    }
}

#[tokio::test]
async fn no_answer_has_a_path_of_the_host_or_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let place = crate::support::Place::files(folder.path());
    let world = crate::support::Setup::at(place).start().await;
    let host = folder.path().to_str().unwrap().to_owned();
    // Something in the way of everything.
    std::fs::write(folder.path().join("workflows"), "").unwrap();
    std::fs::write(folder.path().join("artifacts"), "").unwrap();
    for (method, path, body) in [
        ("GET", "/info", Value::Null),
        ("GET", "/api/artifacts/a", Value::Null),
        ("POST", "/api/artifacts", json!({"name": "a/b", "data": 1})),
        (
            "POST",
            "/api/workflows",
            json!({
                "name": "a", "source": "async def run(): pass", "description": ""
            }),
        ),
        ("GET", "/api/workflows", Value::Null),
        ("POST", "/execute", json!({"code": "nonsense"})),
        ("GET", "/metrics", Value::Null),
        ("GET", "/openapi.json", Value::Null),
    ] {
        let text = world.ask(method, path).json(&body).send().await.text();
        assert!(!text.contains(&host) && !text.contains(TOKEN), "{method} {path}: {text}");
    }
}
