//! The server over real HTTP on loopback.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pcm_mcp::{HttpConfig, HttpServer, McpError, Server, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{NEW, OLD, Puppets, meta, pay, texts, until_is};

const TOKEN: &str = "correct horse battery staple";

struct World {
    address: SocketAddr,
    puppets: Puppets,
    token: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    async fn start() -> Self {
        Self::start_with(ServerConfig::default(), HttpConfig::default()).await
    }

    async fn start_with(config: ServerConfig, http: HttpConfig) -> Self {
        let puppets = Puppets::new(&config);
        let server = Server::new(config, Arc::new(puppets.clone()));
        let server = HttpServer::bind(server, http).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(async move {
            // Also when the test drops its end.
            let _ = stopped.await;
        }));
        Self { address, puppets, token: None, stop: Some(stop), serving }
    }

    /// Sends a request as it is, and gives the status and the whole answer.
    async fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may refuse it before it has all of it.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_mins(1), read).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_default(), answer)
    }

    fn request(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut head = format!("{method} /mcp HTTP/1.1\r\nConnection: close\r\n");
        let host = self.address.to_string();
        let mut all = vec![
            ("Host", host.as_str()),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
        ];
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        all.extend(bearer.iter().map(|bearer| ("Authorization", &**bearer)));
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
        all.extend(headers);
        for (name, value) in all {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        head.into_bytes()
    }

    async fn post(&self, headers: &[(&str, &str)], message: &Value) -> (u16, String) {
        self.raw(&self.request("POST", headers, &message.to_string())).await
    }

    /// Shakes hands, and gives the id of the connection.
    async fn connect(&self) -> String {
        let about = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": OLD, "capabilities": {}, "clientInfo": about});
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let (status, answer) = self.post(&[], &hello).await;
        assert_eq!(status, 200, "{answer}");
        let id = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("mcp-session-id").then(|| value.to_owned())
        });
        id.unwrap_or_else(|| panic!("no id: {answer}"))
    }

    /// Runs code in a connection.
    async fn run(&self, connection: &str, code: &str) -> Value {
        let headers = [("Mcp-Session-Id", connection), ("MCP-Protocol-Version", OLD)];
        result(&self.post(&headers, &call("run_code", &json!({"code": code}))).await.1)
    }

    /// Calls a tool without any connection.
    async fn alone(&self, tool: &str, arguments: &Value) -> Value {
        let mut call = call(tool, arguments);
        call["params"]["_meta"] = meta(&json!({"elicitation": {}}));
        let headers =
            [("MCP-Protocol-Version", NEW), ("Mcp-Method", "tools/call"), ("Mcp-Name", tool)];
        result(&self.post(&headers, &call).await.1)
    }

    async fn end(mut self) {
        self.stop.take();
        tokio::time::timeout(Duration::from_mins(1), self.serving).await.unwrap().unwrap();
    }
}

fn call(tool: &str, arguments: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
}

/// The result in an answer, which is JSON or a stream of events.
fn result(answer: &str) -> Value {
    let lines = answer.lines().map(|line| line.strip_prefix("data:").unwrap_or(line).trim());
    let messages = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = messages.into_iter().find_map(|message| message.get("result").cloned());
    found.unwrap_or_else(|| panic!("no result: {answer}"))
}

#[tokio::test]
async fn each_connection_has_a_session() {
    let world = World::start().await;
    let (one, other) = (world.connect().await, world.connect().await);
    world.run(&one, "set x 5").await;
    assert_eq!(texts(&world.run(&one, "get x").await), ["5"]);
    assert_eq!(texts(&world.run(&other, "get x").await), ["(no output)"]);
    let (status, _) = world.raw(&world.request("DELETE", &[("Mcp-Session-Id", &one)], "")).await;
    assert!((200..300).contains(&status), "{status}");
    until_is(&world.puppets.stage.closed, 1).await;
    let headers = [("Mcp-Session-Id", one.as_str())];
    let gone = world.post(&headers, &call("run_code", &json!({"code": ""}))).await;
    assert_eq!(gone.0, 404);
    world.end().await;
}

#[tokio::test]
async fn without_a_connection_a_session_is_known_by_its_id() {
    let world = World::start().await;
    let first = world.alone("run_code", &json!({"code": "set x 5"})).await;
    let id = first["structuredContent"]["session_id"].as_str().unwrap().to_owned();
    assert!(texts(&first)[1].contains(&id), "{first}");
    let second = world.alone("run_code", &json!({"code": "get x", "session_id": id})).await;
    assert_eq!(texts(&second)[0], "5");
    let other = world.alone("run_code", &json!({"code": "get x"})).await;
    assert_eq!(texts(&other)[0], "(no output)");
    assert_ne!(other["structuredContent"]["session_id"], id.as_str());
    let forged = world.alone("run_code", &json!({"code": "", "session_id": "0".repeat(32)})).await;
    assert_eq!(forged["isError"], true);
    for tool in ["interrupt", "reset_session"] {
        let nameless = world.alone(tool, &json!({})).await;
        assert!(texts(&nameless)[0].contains("session_id is missing"), "{nameless}");
        assert_eq!(world.alone(tool, &json!({"session_id": id})).await["isError"], false);
    }
    assert_eq!(world.alone("list_tools", &json!({})).await["isError"], false);
    world.end().await;
}

#[tokio::test]
async fn a_question_waits_for_the_next_request() {
    let world = World::start().await;
    let code = pay(5);
    let asked = world.alone("run_code", &json!({"code": code})).await;
    assert_eq!(asked["resultType"], "input_required");
    let mut again = call("run_code", &json!({"code": code}));
    again["params"]["_meta"] = meta(&json!({"elicitation": {}}));
    again["params"]["requestState"] = asked["requestState"].clone();
    let names = asked["inputRequests"].as_object().unwrap().keys();
    let yes = json!({"action": "accept", "content": {"decision": "approve"}});
    again["params"]["inputResponses"] = names.map(|name| (name.clone(), yes.clone())).collect();
    let headers =
        [("MCP-Protocol-Version", NEW), ("Mcp-Method", "tools/call"), ("Mcp-Name", "run_code")];
    let result = result(&world.post(&headers, &again).await.1);
    assert_eq!(result["structuredContent"]["value"], json!({"amount": 5}));
    world.end().await;
}

#[tokio::test]
async fn who_hangs_up_cancels_the_run() {
    let world = World::start().await;
    let mut sleep = call("run_code", &json!({"code": "sleep"}));
    sleep["params"]["_meta"] = meta(&json!({}));
    let headers =
        [("MCP-Protocol-Version", NEW), ("Mcp-Method", "tools/call"), ("Mcp-Name", "run_code")];
    let request = world.request("POST", &headers, &sleep.to_string());
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    until_is(&world.puppets.stage.sleeping, 1).await;
    drop(stream);
    until_is(&world.puppets.stage.dropped, 1).await;
    world.end().await;
}

#[tokio::test]
async fn who_has_no_token_gets_nothing() {
    let http = HttpConfig::default().token(TOKEN).unwrap();
    let mut world = World::start_with(ServerConfig::default(), http).await;
    let hello = call("list_tools", &json!({}));
    let twice = format!("Bearer {TOKEN}");
    for headers in [
        &[][..],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", "Bearer ")],
        &[("Authorization", TOKEN)],
        &[("Authorization", "Basic correct horse battery staple")],
        &[("Authorization", &twice), ("Authorization", &twice)],
    ] {
        let (status, answer) = world.post(headers, &hello).await;
        assert_eq!(status, 401, "{headers:?}");
        assert!(answer.to_ascii_lowercase().contains("www-authenticate: bearer"), "{answer}");
    }
    for method in ["GET", "DELETE", "PUT", "OPTIONS"] {
        assert_eq!(world.raw(&world.request(method, &[], "")).await.0, 401, "{method}");
    }
    world.token = Some(TOKEN.to_owned());
    assert_eq!(world.alone("list_tools", &json!({})).await["isError"], false);
    world.end().await;
}

#[tokio::test]
async fn pages_of_a_browser_and_other_names_are_refused() {
    let mut http = HttpConfig::default();
    http.hosts.push("box.example".to_owned());
    http.origins.push("https://app.example:443".to_owned());
    let world = World::start_with(ServerConfig::default(), http).await;
    let hello = call("list_tools", &json!({}));
    for (header, value) in [
        ("Host", "evil.example"),
        ("Host", "localhost.evil.example"),
        ("Host", "127.0.0.1.evil.example:80"),
        ("Origin", "http://evil.example"),
        ("Origin", "http://localhost:1"),
        ("Origin", "https://app.example.evil.example"),
        ("Origin", "null"),
    ] {
        let (status, _) = world.post(&[(header, value)], &hello).await;
        assert_eq!(status, 403, "{header}: {value}");
    }
    for (header, value) in [
        ("Host", "localhost:1"),
        ("Host", "[::1]:80"),
        ("Host", "box.example"),
        ("Origin", "https://app.example"),
    ] {
        let (status, _) = world.post(&[(header, value)], &hello).await;
        assert_ne!(status, 403, "{header}: {value}");
    }
    let own = format!("http://localhost:{}", world.address.port());
    assert_ne!(world.post(&[("Origin", &own)], &hello).await.0, 403);
    world.end().await;
}

#[tokio::test]
async fn requests_have_bounds() {
    let mut config = ServerConfig::default();
    config.message_bytes = 1000;
    let mut http = HttpConfig::default();
    http.patience = Duration::from_millis(200);
    let world = World::start_with(config, http).await;
    let long = call("run_code", &json!({"code": "x".repeat(2000)}));
    assert_eq!(world.post(&[], &long).await.0, 413);
    assert_eq!(world.raw(b"GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n").await.0, 404);
    // Who does not finish is not waited for.
    let slow = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{";
    assert_eq!(world.raw(slow).await.0, 408);
    assert_eq!(world.raw(b"POST /mcp HTTP/1.1\r\nHost").await, (0, String::new()));
    let broken = world.request("POST", &[], "{\"jsonrpc\":");
    assert!((400..500).contains(&world.raw(&broken).await.0));
    world.end().await;
}

#[tokio::test]
async fn there_are_no_more_sessions_than_allowed() {
    let mut config = ServerConfig::default();
    config.max_sessions = 1;
    config.idle = Duration::from_millis(100);
    let world = World::start_with(config, HttpConfig::default()).await;
    let first = world.alone("run_code", &json!({"code": "echo 1"})).await;
    assert_eq!(first["isError"], false);
    let second = world.alone("run_code", &json!({"code": "echo 1"})).await;
    assert!(texts(&second)[0].contains("no more may be open at a time"), "{second}");
    // One that nobody uses makes place.
    until_is(&world.puppets.stage.closed, 1).await;
    let mut third = second;
    while third["isError"] == true {
        third = world.alone("run_code", &json!({"code": "echo 1"})).await;
    }
    assert_eq!(world.puppets.stage.started.load(Ordering::SeqCst), 2);
    world.end().await;
}

#[tokio::test]
async fn the_server_ends_with_all_its_sessions() {
    let world = World::start().await;
    let connection = world.connect().await;
    world.run(&connection, "set x 1").await;
    world.alone("run_code", &json!({"code": "echo 1"})).await;
    let stage = Arc::clone(&world.puppets.stage);
    world.end().await;
    assert_eq!(stage.closed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn others_are_served_only_with_a_token() {
    let server = || {
        let config = ServerConfig::default();
        let puppets = Puppets::new(&config);
        Server::new(config, Arc::new(puppets))
    };
    let everywhere = HttpConfig::at(([0, 0, 0, 0], 0).into());
    let refused = HttpServer::bind(server(), everywhere.clone()).await;
    assert!(matches!(refused, Err(McpError::Exposed { .. })));
    assert!(HttpServer::bind(server(), everywhere.token(TOKEN).unwrap()).await.is_ok());
    assert!(matches!(HttpConfig::default().token("short"), Err(McpError::WeakToken { .. })));
    assert!(!format!("{:?}", HttpConfig::default().token(TOKEN)).contains("horse"));
}
