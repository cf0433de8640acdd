//! A server on loopback, a client that writes what it likes, and a Redis.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_middleware::{ApprovalLayer, ApprovalOptions, Approvals, Layer};
use pcm_server::{Access, Server, ServerConfig, ServerError, Sessions};
use pcm_session::{Host, Session, SessionError};
use pcm_storage::{
    FileRecords, FileStorage, MemoryRecords, MemoryStorage, Records, RedisRecords, RedisServer,
    RedisStorage, Storage, StorageError, WorkspaceId,
};
use pcm_tools::{Function, Functions, Parameter, ParameterType, Registry};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::puppet::{Puppet, Stage};

pub(crate) const TOKEN: &str = "correct horse battery staple";

/// Where everything is kept.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Memory(MemoryStorage, MemoryRecords),
    Files(FileStorage, FileRecords),
    Redis(RedisStorage, RedisRecords),
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStorage::new(), MemoryRecords::new())
    }

    pub(crate) fn files(folder: &Path) -> Self {
        Self::Files(FileStorage::open(folder).unwrap(), FileRecords::open(folder).unwrap())
    }

    pub(crate) fn redis(redis: &Redis) -> Self {
        let server = RedisServer::open(&redis.url()).unwrap();
        let prefix = RedisStorage::DEFAULT_PREFIX;
        Self::Redis(RedisStorage::on(&server, prefix).unwrap(), RedisRecords::on(&server, prefix))
    }

    pub(crate) fn storage(&self, workspace: Option<&WorkspaceId>) -> Arc<dyn Storage> {
        match (self, workspace) {
            (Self::Memory(storage, _), None) => Arc::new(storage.clone()),
            (Self::Memory(storage, _), Some(id)) => Arc::new(storage.workspace(id)),
            (Self::Files(storage, _), None) => Arc::new(storage.clone()),
            (Self::Files(storage, _), Some(id)) => Arc::new(storage.workspace(id)),
            (Self::Redis(storage, _), None) => Arc::new(storage.clone()),
            (Self::Redis(storage, _), Some(id)) => Arc::new(storage.workspace(id)),
        }
    }

    fn records(&self) -> Arc<dyn Records> {
        match self {
            Self::Memory(_, records) => Arc::new(records.clone()),
            Self::Files(_, records) => Arc::new(records.clone()),
            Self::Redis(_, records) => Arc::new(records.clone()),
        }
    }
}

/// Puppets, tools and a place.
#[derive(Debug)]
struct Puppets {
    stage: Arc<Stage>,
    place: Place,
    tools: Arc<Registry>,
    approvals: Approvals,
    no_runtime_deps: bool,
}

#[async_trait]
impl Sessions for Puppets {
    async fn start(&self, workspace: Option<&WorkspaceId>) -> Result<Session, SessionError> {
        let layer = ApprovalLayer::new(self.approvals.clone(), vec!["tools.pay".parse().unwrap()]);
        let layers: [Arc<dyn Layer>; 1] = [Arc::new(layer)];
        let mut host = Host::new()
            .tools(Arc::clone(&self.tools))
            .storage(self.place.storage(workspace))
            .layers(layers);
        if self.no_runtime_deps {
            host = host.without_runtime_deps();
        }
        Session::start(Arc::new(Puppet::new(&self.stage)), host).await
    }

    fn storage(&self, workspace: Option<&WorkspaceId>) -> Result<Arc<dyn Storage>, StorageError> {
        Ok(self.place.storage(workspace))
    }

    fn tools(&self) -> Arc<Registry> {
        Arc::clone(&self.tools)
    }
}

fn tools() -> Registry {
    let mut functions = Functions::new();
    let answer = |args: Value| std::future::ready(Ok(args));
    let text = Parameter::new("text", ParameterType::Text).required();
    functions.add(Function::new("echo.say", "Says it", answer).parameter(text)).unwrap();
    functions.add(Function::new("pay", "Pays it", answer)).unwrap();
    let registry = Registry::new();
    registry.add(Arc::new(functions)).unwrap();
    registry
}

/// What a test server shall be like.
pub(crate) struct Setup {
    pub(crate) config: ServerConfig,
    pub(crate) place: Place,
    pub(crate) no_runtime_deps: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self::at(Place::memory())
    }
}

impl Setup {
    pub(crate) fn at(place: Place) -> Self {
        let mut config = ServerConfig::new(Access::token(TOKEN));
        config.address = SocketAddr::from(([127, 0, 0, 1], 0));
        config.records = place.records();
        config.limits.requests_per_second = 100_000;
        Self { config, place, no_runtime_deps: false }
    }

    pub(crate) fn named(mut self, node: &str) -> Self {
        self.config.node = Some(node.to_owned());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) async fn try_start(mut self) -> Result<World, ServerError> {
        let approvals = Approvals::new(ApprovalOptions::default());
        self.config.approvals = Some(approvals.clone());
        let stage = Arc::new(Stage::default());
        let sessions = Puppets {
            stage: Arc::clone(&stage),
            place: self.place,
            tools: Arc::new(tools()),
            approvals,
            no_runtime_deps: self.no_runtime_deps,
        };
        let server = Server::bind(self.config, Arc::new(sessions)).await?;
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(async move {
            // Also when the test drops its end.
            let _ = stopped.await;
        }));
        Ok(World { address, stage, stop: Some(stop), serving })
    }

    pub(crate) async fn start(self) -> World {
        self.try_start().await.unwrap()
    }
}

/// A server that runs.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) stage: Arc<Stage>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ServerError>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    /// Tells it to end.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) {
        self.serving.await.unwrap().unwrap();
    }

    /// Ends it as a crash would: nothing is cleared up.
    pub(crate) async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

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
        let body = serde_json::json!({"workspace_id": workspace});
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
        self.post("/execute", &serde_json::json!({"code": code}))
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

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !is_so() {
        assert!(asked.elapsed() < Duration::from_mins(1), "it never came that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a counter has a value.
pub(crate) async fn until_is(counter: &AtomicUsize, value: usize) {
    until(&format!("a counter is {value}"), || {
        counter.load(std::sync::atomic::Ordering::SeqCst) == value
    })
    .await;
}

/// A Redis server for one test, which stops when it is dropped.
pub(crate) struct Redis {
    child: Child,
    folder: tempfile::TempDir,
}

impl Redis {
    /// A server on a socket; None, and a line that says so, where there is no program for it.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: redis-server is missing; apt-get install redis-server");
                return None;
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        };
        let started = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { child, folder })
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
