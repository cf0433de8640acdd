//! What all requests of one server share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pcm_middleware::Approvals;
use pcm_storage::Records;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::ServerError;
use crate::auth::Authenticator;
use crate::body::Memory;
use crate::config::{ServerConfig, ServerLimits};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::nodes::Node;
use crate::origin::Origins;
use crate::sessions::Sessions;

/// What all requests of one server share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) live: Live,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) approvals: Option<Approvals>,
    pub(crate) authenticator: Authenticator,
    pub(crate) origins: Origins,
    pub(crate) limits: ServerLimits,
    pub(crate) node: Node,
    pub(crate) metrics: Metrics,
    pub(crate) memory: Memory,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) started: Instant,
    pub(crate) background: Background,
    is_ending: AtomicBool,
}

impl State {
    /// The state of a server that listens on loopback, or does not.
    pub(crate) fn new(
        config: &ServerConfig,
        sessions: Arc<dyn Sessions>,
        is_loopback: bool,
    ) -> Result<Self, ServerError> {
        let limits = config.limits.clone();
        let node = Node::new(config.node.as_deref())?;
        let most = limits.max_requests.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            sessions,
            live: Live::new(node.clone(), Arc::clone(&config.records), &limits),
            records: Arc::clone(&config.records),
            approvals: config.approvals.clone(),
            authenticator: Authenticator::new(&config.access, &limits)?,
            origins: Origins::new(&config.hosts, &config.origins, is_loopback),
            node,
            metrics: Metrics::default(),
            memory: Memory::new(limits.max_body_memory),
            requests: Arc::new(Semaphore::new(most)),
            started: Instant::now(),
            background: Background::default(),
            is_ending: AtomicBool::new(false),
            limits,
        })
    }

    /// From here on no request is taken up.
    pub(crate) fn begin_to_end(&self) {
        self.is_ending.store(true, Ordering::Release);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }
}

/// The most tasks that go on without a request.
const MOST_TASKS: u32 = 1 << 16;

/// Work that goes on when nobody waits for it any more, until the server ends.
#[derive(Debug)]
pub(crate) struct Background(Arc<Semaphore>);

impl Default for Background {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_TASKS as usize)))
    }
}

impl Background {
    /// Begins work that is done to its end.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        // Where there is no permit the server is ending, or busy beyond measure: then nobody waits for it.
        let permit = Arc::clone(&self.0).try_acquire_owned().ok();
        tokio::spawn(async move {
            let _permit = permit;
            work.await
        })
    }

    /// Waits until nothing goes on any more, at most for so long; whether it is so.
    pub(crate) async fn is_done_within(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.0.acquire_many(MOST_TASKS)).await.is_ok()
    }
}
