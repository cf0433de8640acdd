//! A client that writes what it likes.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "correct horse battery staple";

/// Whoever asks a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
}

impl Client {
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Ask {
        self.ask("POST", path).json(body)
    }

    /// A new session of a workspace, or of none.
    pub(crate) async fn session(&self, workspace: Option<&str>) -> String {
        let body = json!({"workspace_id": workspace});
        let reply = self.post("/sessions", &body).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["session_id"].as_str().unwrap().to_owned()
    }

    /// Runs code in a session.
    pub(crate) async fn run(&self, session: &str, code: &str) -> Value {
        let reply = self.execute(code).session(session).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    pub(crate) fn execute(&self, code: &str) -> Ask {
        self.post("/execute", &json!({"code": code}))
    }
}

/// A request as it will be written.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let headers = vec![
            ("Host".to_owned(), address.to_string()),
            ("Authorization".to_owned(), format!("Bearer {TOKEN}")),
        ];
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { address, method, path, headers, body: Vec::new() }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.without("Authorization").header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn session(self, id: &str) -> Self {
        self.header("X-Session-ID", id)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { method, path, headers, body, .. } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() || method == "POST" || method == "PUT" {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Writes it, and leaves the answer to be read.
    pub(crate) async fn open(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may refuse it before it has all of it.
        let _ = stream.write_all(&self.bytes()).await;
        stream
    }

    pub(crate) async fn send(&self) -> Reply {
        Reply::read(&mut self.open().await).await
    }

    /// The same, where the server may be gone before it has answered.
    pub(crate) async fn try_send(&self) -> Option<Reply> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        stream.write_all(&self.bytes()).await.ok()?;
        let reply = Reply::read(&mut stream).await;
        (reply.status != 0).then_some(reply)
    }

    pub(crate) async fn status(&self) -> u16 {
        self.send().await.status
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads until the server closes the connection.
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A connection that is reset has said what it had to say.
        let _ = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut bytes)).await;
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            let head = String::from_utf8_lossy(bytes).into_owned();
            return Self { status: 0, head, body: Vec::new() };
        };
        let (head, rest) = bytes.split_at(end);
        let head = String::from_utf8(head.to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = rest[4..].to_vec();
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        Self { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs
            .into_iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("no detail: {self:?}")).to_owned()
    }

    /// The events of a stream: kind and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let text = self.text();
        let event = |block: &str| {
            let (kind, data) = block.split_once('\n')?;
            let data = serde_json::from_str(data.strip_prefix("data: ")?).ok()?;
            Some((kind.strip_prefix("event: ")?.to_owned(), data))
        };
        text.split("\n\n").filter_map(event).collect()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &bytes[end + 2..];
        if size == 0 || chunk.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        bytes = &chunk[size + 2..];
    }
    body
}
