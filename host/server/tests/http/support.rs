//! A server on loopback.

use std::net::SocketAddr;
use std::path::Path;
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
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::ask::{Client, TOKEN};
use crate::puppet::{Puppet, Stage};
use crate::redis::Redis;

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

    pub(crate) fn records(&self) -> Arc<dyn Records> {
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
        Ok(World { client: Client { address }, stage, stop: Some(stop), serving })
    }

    pub(crate) async fn start(self) -> World {
        self.try_start().await.unwrap()
    }
}

/// A server that runs.
pub(crate) struct World {
    client: Client,
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
}

impl std::ops::Deref for World {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
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
