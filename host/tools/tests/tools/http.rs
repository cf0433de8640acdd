//! Endpoints of a server on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcm_runtime_api::{HostError, Payload, ValueType};
use pcm_tools::{CallOptions, Endpoint, HttpTools, Parameter, ParameterType, Registry, ToolError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{TestResult, call, call_with, load_with, object};

/// A server that writes down what it is sent, and answers by the path.
#[derive(Clone, Default)]
struct Server {
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Result<(Self, String), std::io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = Self::default();
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        Ok((server, url))
    }

    async fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let request = loop {
            let length = stream.read(&mut chunk).await?;
            bytes.extend_from_slice(&chunk[..length]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let wanted = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= wanted.unwrap_or(0) {
                break text;
            }
        };
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        if let Ok(mut requests) = self.requests.lock() {
            requests.push(request);
        }
        let answer = |status: &str, headers: &str, body: &[u8]| {
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let answer = match path.split('?').next().unwrap_or_default() {
            "/v1/json" => answer("200 OK", "content-type: application/json\r\n", b"{\"a\": [1]}"),
            "/v1/text" => answer("200 OK", "content-type: text/plain\r\n", b"plain"),
            "/v1/bytes" => answer("200 OK", "content-type: image/png\r\n", b"\xff\x00"),
            "/v1/empty" => answer("204 No Content", "", b""),
            "/v1/error" => {
                answer("404 Not Found", "", &[&b"no such thing"[..], &vec![b'x'; 1 << 20]].concat())
            }
            "/v1/long" => b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec(),
            "/v1/endless" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 4096]).await?;
                }
            }
            "/v1/away" => answer("302 Found", "location: http://127.0.0.2:1/v1/json\r\n", b""),
            "/v1/near" => answer("302 Found", "location: /v1/json\r\n", b""),
            "/v1/round" => answer("302 Found", "location: /v1/round\r\n", b""),
            "/v1/slow" => {
                tokio::time::sleep(Duration::from_mins(10)).await;
                Vec::new()
            }
            "/v1/broken" => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec(),
            _ => answer("200 OK", "", b""),
        };
        stream.write_all(&answer).await?;
        stream.shutdown().await
    }

    fn last(&self) -> String {
        self.requests.lock().ok().and_then(|requests| requests.last().cloned()).unwrap_or_default()
    }

    fn first_line(&self) -> String {
        self.last().lines().next().unwrap_or_default().to_owned()
    }

    fn body(&self) -> String {
        self.last().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

fn declaration(url: &str) -> String {
    format!(
        "
name: api
type: http
description: A server
tags: [net]
base_url: {url}/v1/
headers: {{Authorization: \"Bearer ${{TOKEN}}\"}}
output_bytes: 10000
endpoints:
  get:
    path: /{{what}}
    parameters:
      page: {{type: integer, required: false}}
      tags: {{type: array, required: false}}
      full: {{type: boolean, default: true}}
  make:
    method: post
    path: /things/{{kind}}
    headers: {{X-Own: 'yes'}}
    query: [dry]
    parameters:
      name: {{type: string, description: Its name}}
      size: {{type: integer, required: false}}
      dry: {{type: boolean, required: false}}
  replace:
    method: PUT
    path: /things
    body: thing
    parameters:
      thing: {{type: any}}
      note: {{required: false}}
"
    )
}

async fn api() -> Result<(Server, Registry), Box<dyn std::error::Error>> {
    let (server, url) = Server::start().await?;
    let mut options = pcm_tools::LoadOptions::default();
    let token = [("TOKEN".to_owned(), "s3cret".to_owned())];
    options.variables = pcm_tools::Variables::Only(token.into());
    let (registry, problems) = load_with(&[&declaration(&url)], options).await?;
    assert!(problems.is_empty(), "{problems:?}");
    Ok((server, registry))
}

#[tokio::test]
async fn arguments_go_where_they_belong() -> TestResult {
    let (server, registry) = api().await?;
    let signature = registry.tool("api").ok_or("there")?.callables[1].signature();
    assert_eq!(
        signature,
        "make(kind: str, name: str, size: int | None = None, dry: bool | None = None)"
    );

    let args = json!({"what": "json", "page": "2", "tags": ["a b", "c&d"]});
    assert_eq!(call(&registry, "api.get", args).await?, json!({"a": [1]}).into());
    assert_eq!(server.first_line(), "GET /v1/json?page=2&tags=a+b&tags=c%26d&full=true HTTP/1.1");
    assert!(server.last().contains("authorization: Bearer s3cret\r\n"), "{}", server.last());

    let args = json!({"kind": "a/b?c", "name": "n", "size": 3, "dry": true});
    call(&registry, "api.make", args).await?;
    assert_eq!(server.first_line(), "POST /v1/things/a%2Fb%3Fc?dry=true HTTP/1.1");
    assert_eq!(serde_json::from_str::<Value>(&server.body())?, json!({"name": "n", "size": 3}));
    assert!(server.last().contains("x-own: yes\r\n") && server.last().contains("application/json"));

    call(&registry, "api.replace", json!({"thing": [1, null], "note": "n"})).await?;
    assert_eq!(server.first_line(), "PUT /v1/things?note=n HTTP/1.1");
    assert_eq!(server.body(), "[1,null]");
    Ok(())
}

#[tokio::test]
async fn bytes_can_be_a_body() -> TestResult {
    let (server, registry) = api().await?;
    let args = pcm_tools::Arguments {
        values: object(json!({"thing": "YWJj"})),
        types: [("/thing".to_owned(), ValueType::Bytes)].into(),
    };
    registry.call(&"api.replace".parse()?, args, CallOptions::default()).await?;
    assert_eq!(server.body(), "abc");
    assert!(server.last().contains("application/octet-stream"));
    Ok(())
}

#[tokio::test]
async fn answers_are_what_they_are() -> TestResult {
    let (_server, registry) = api().await?;
    for (what, expected) in [
        ("json", Payload::from(json!({"a": [1]}))),
        ("near", Payload::from(json!({"a": [1]}))),
        ("text", Payload::from(json!("plain"))),
        ("bytes", Payload::from(json!("/wA=")).with_type("", ValueType::Bytes)),
        ("empty", Payload::default()),
    ] {
        assert_eq!(call(&registry, "api.get", json!({ "what": what })).await?, expected, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn failures_are_errors_without_secrets() -> TestResult {
    let (_server, registry) = api().await?;
    for (what, expected) in [
        ("error", "api.get: HTTP 404"),
        ("long", "api.get: the answer is longer than 10000 bytes"),
        ("endless", "api.get: the answer is longer than 10000 bytes"),
        ("away", "api.get: HTTP 302: it redirects to where it is not followed"),
        ("round", "api.get: HTTP 302"),
        ("broken", "api.get: "),
        ("..", "api.get: ValueError: \".\" and \"..\" are no values"),
        (".", "api.get: ValueError"),
        ("", "api.get: ValueError: \"what\""),
    ] {
        let error = call(&registry, "api.get", json!({ "what": what })).await.err();
        let error = HostError::from(error.ok_or(what)?);
        assert_eq!(error.error_type, "ToolCallError");
        assert!(error.message.starts_with(expected), "{what}: {}", error.message);
        assert!(error.message.len() < 9000 && !error.message.contains("s3cret"));
        assert!(!error.message.contains("127.0.0"), "{}", error.message);
    }
    for args in [
        json!({}),
        json!({"what": "x", "pages": 1}),
        json!({"what": "x", "page": "x"}),
        json!({"what": ["x"]}),
    ] {
        let error = call(&registry, "api.get", args.clone()).await.err();
        assert!(matches!(error, Some(ToolError::Arguments { .. })), "{args} {error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_takes_too_long_times_out() -> TestResult {
    let (_server, registry) = api().await?;
    let options =
        CallOptions { timeout: Some(Duration::from_millis(300)), ..CallOptions::default() };
    let error = call_with(&registry, "api.get", json!({"what": "slow"}), options).await.err();
    assert_eq!(error, Some(ToolError::Timeout { tool: "api.get".to_owned(), seconds: 0.3 }));
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_without_its_address() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    drop(listener);
    let tools = HttpTools::new(&url)?.endpoint(Endpoint::new("gone", "GET", "/")?)?;
    let registry = Registry::new();
    registry.add(Arc::new(tools))?;
    let error = call(&registry, "gone", json!({})).await.err().ok_or("it answered")?;
    assert_eq!(error.to_string(), "gone: no connection: connection refused");
    Ok(())
}

#[tokio::test]
async fn endpoints_in_code_are_tools_of_their_own() -> TestResult {
    let (server, url) = Server::start().await?;
    let tools = HttpTools::new(&format!("{url}/v1"))?
        .endpoint(Endpoint::new("get_json", "GET", "/json")?.about("Gets JSON"))?
        .endpoint(
            Endpoint::new("add", "POST", "/add")?
                .parameter(Parameter::new("a", ParameterType::Integer).required()),
        )?;
    let registry = Registry::new();
    registry.add(Arc::new(tools))?;
    let names: Vec<_> = registry.list().iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(names, ["add", "get_json"]);
    for name in ["get_json", "get_json.get_json"] {
        assert_eq!(call(&registry, name, json!({})).await?, json!({"a": [1]}).into());
    }
    assert!(call(&registry, "get_json.add", json!({})).await.is_err());
    call(&registry, "add", json!({"a": 1})).await?;
    assert_eq!(server.body(), "{\"a\":1}");
    Ok(())
}

#[test]
fn what_is_no_endpoint_is_refused() {
    for (name, method, path) in [
        ("a-b", "GET", "/"),
        ("a", "TRACE", "/"),
        ("a", "GET", "x"),
        ("a", "GET", "/../x"),
        ("a", "GET", "/{a"),
        ("a", "GET", "/{a b}"),
        ("a", "GET", "/}"),
        ("a", "GET", "/?x=1"),
        ("a", "GET", "/ x"),
    ] {
        assert!(Endpoint::new(name, method, path).is_err(), "{name} {method} {path}");
    }
    for url in ["", "example.org", "file:///x", "http://x/?q", "http://x/#f"] {
        assert!(HttpTools::new(url).is_err(), "{url}");
    }
}
