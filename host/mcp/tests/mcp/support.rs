//! Servers over puppets, and a client that sends what it likes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_mcp::{Elicitor, McpError, Server, ServerConfig, Sessions};
use pcm_middleware::{ApprovalLayer, ApprovalOptions, Approvals, CallContext, Layer, Next};
use pcm_runtime_api::{HostError, Payload};
use pcm_session::{Host, Session, SessionError};
use pcm_storage::{MemoryStorage, Storage};
use pcm_tools::{Function, Functions, Parameter, ParameterType, Registry};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, split};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::puppet::{Puppet, Stage};

/// Long enough for whatever has to happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sessions of puppets, which ask before `tools.pay` is called, or a package is added.
#[derive(Debug, Clone)]
pub(crate) struct Puppets {
    pub(crate) stage: Arc<Stage>,
    pub(crate) storage: MemoryStorage,
    tools: Arc<Registry>,
    approvals: Approvals,
    runtime_deps: bool,
}

impl Puppets {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let asked = Arc::new(Elicitor::clone(&config.elicitor));
        Self {
            stage: Arc::default(),
            storage: MemoryStorage::new(),
            tools: Arc::new(tools()),
            approvals: Approvals::new(ApprovalOptions::default().approver(asked)),
            runtime_deps: config.runtime_deps,
        }
    }
}

#[async_trait]
impl Sessions for Puppets {
    async fn start(&self) -> Result<Session, SessionError> {
        let names = ["tools.pay", "deps.add"].map(|name| name.parse().unwrap());
        let layer = ApprovalLayer::new(self.approvals.clone(), names.to_vec());
        let layers: [Arc<dyn Layer>; 2] = [Arc::new(Denies), Arc::new(layer)];
        let storage: Arc<dyn Storage> = Arc::new(self.storage.clone());
        let mut host = Host::new().tools(Arc::clone(&self.tools)).storage(storage).layers(layers);
        if !self.runtime_deps {
            host = host.without_runtime_deps();
        }
        Session::start(Arc::new(Puppet::new(&self.stage)), host).await
    }
}

/// Refuses whatever is about something of the name `kept`.
#[derive(Debug)]
struct Denies;

#[async_trait]
impl Layer for Denies {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        if context.args.value["name"] == "kept" || context.args.value["package"] == "kept" {
            let message = format!("{} from {}", context.name(), context.caller().origin);
            return Err(HostError::new("Denied", message));
        }
        next.run(context).await
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

/// The version that begins with a handshake, and the one that has none.
pub(crate) const OLD: &str = "2025-11-25";
pub(crate) const NEW: &str = "2026-07-28";

/// A client, and the server at the other end of its pipe.
pub(crate) struct Client {
    pub(crate) puppets: Puppets,
    reads: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writes: Option<WriteHalf<DuplexStream>>,
    next: u64,
    /// What every request says of itself.
    meta: Option<Value>,
    /// What was told.
    pub(crate) told: Vec<Value>,
    /// What its user was asked.
    pub(crate) asked: Vec<Value>,
    /// What the user will answer.
    pub(crate) answers: VecDeque<Value>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), McpError>>,
}

impl Client {
    /// One that has said nothing.
    pub(crate) fn connect(config: ServerConfig) -> Self {
        let (here, there) = tokio::io::duplex(1 << 16);
        let puppets = Puppets::new(&config);
        let server = Server::new(config, Arc::new(puppets.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (reads, writes) = split(there);
        let serving = tokio::spawn(server.serve(reads, writes, async move {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        let (reads, writes) = split(here);
        Self {
            puppets,
            reads: BufReader::new(reads).lines(),
            writes: Some(writes),
            next: 0,
            meta: None,
            told: Vec::new(),
            asked: Vec::new(),
            answers: VecDeque::new(),
            stop: Some(stop),
            serving,
        }
    }

    /// One that has shaken hands, and whose user can be asked.
    pub(crate) async fn start() -> Self {
        Self::start_as(ServerConfig::default(), json!({"elicitation": {}})).await
    }

    pub(crate) async fn start_as(config: ServerConfig, capabilities: Value) -> Self {
        let mut client = Self::connect(config);
        let about = json!({"name": "test", "version": "1"});
        let params =
            json!({"protocolVersion": OLD, "capabilities": capabilities, "clientInfo": about});
        let answer = client.ask("initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], OLD, "{answer}");
        client.notify("notifications/initialized", json!({})).await;
        client
    }

    /// One of the newest version, whose user can be asked by answers.
    pub(crate) fn newest(capabilities: &Value) -> Self {
        let mut client = Self::connect(ServerConfig::default());
        client.meta = Some(meta(capabilities));
        client
    }

    /// Sends a message.
    pub(crate) async fn write(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.writes.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request, and gives its id.
    pub(crate) async fn send(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if let Some(meta) = &self.meta {
            let given = params["_meta"].take();
            params["_meta"] = meta.clone();
            for (key, value) in given.as_object().into_iter().flatten() {
                params["_meta"][key] = value.clone();
            }
        }
        let id = self.next;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// The next message of the server.
    pub(crate) async fn read(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.reads.next_line()).await.unwrap();
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    }

    /// Waits for an answer. Notes what is told before it, and answers what the user is asked.
    pub(crate) async fn wait(&mut self, id: u64) -> Value {
        loop {
            let message = self.read().await;
            match (message.get("method"), message.get("id")) {
                (Some(_), None) => self.told.push(message),
                (Some(_), Some(asked)) => {
                    let asked = asked.clone();
                    self.asked.push(message);
                    let answer = self.answers.pop_front().unwrap();
                    self.write(&json!({"jsonrpc": "2.0", "id": asked, "result": answer})).await;
                }
                (None, _) if message["id"] == id => return message,
                (None, _) => panic!("an answer to nothing: {message}"),
            }
        }
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.wait(id).await
    }

    /// Calls a tool, and gives the result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        answer.get("result").cloned().unwrap_or_else(|| panic!("no result: {answer}"))
    }

    pub(crate) async fn run(&mut self, code: &str) -> Value {
        self.call("run_code", json!({"code": code})).await
    }

    /// What was told by a method.
    pub(crate) fn told(&self, method: &str) -> Vec<&Value> {
        self.told.iter().filter(|one| one["method"] == method).map(|one| &one["params"]).collect()
    }

    /// Goes, and waits until the server has noticed.
    pub(crate) async fn leave(mut self) -> Result<(), McpError> {
        self.writes.take();
        let Self { serving, reads, stop, .. } = self;
        drop(reads);
        let ended = tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
        drop(stop);
        ended
    }

    /// Tells the server to end.
    pub(crate) async fn stop(self) -> Result<(), McpError> {
        self.stop.unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.serving).await.unwrap().unwrap()
    }
}

/// What a request of the newest version says of itself.
pub(crate) fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

/// The code that calls `tools.pay`.
pub(crate) fn pay(amount: u64) -> String {
    format!("call {}", paying(amount))
}

pub(crate) fn paying(amount: u64) -> Value {
    let args = json!({"name": "pay", "args": {"amount": amount}});
    json!({"namespace": "tools", "op": "call", "args": args})
}

/// The texts of a result.
pub(crate) fn texts(result: &Value) -> Vec<&str> {
    let blocks = result["content"].as_array().unwrap();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect()
}

/// Waits until a counter has a value.
pub(crate) async fn until_is(counter: &AtomicUsize, value: usize) {
    let asked = Instant::now();
    while counter.load(Ordering::SeqCst) != value {
        assert!(asked.elapsed() < PATIENCE, "a counter never was {value}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
