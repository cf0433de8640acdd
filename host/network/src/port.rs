//! The port that answers the namespace `network`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Limits, Namespace, NoHost, Payload};
use tokio::sync::Semaphore;

use crate::connection::{checked_addresses, connect};
use crate::exchange::exchange;
use crate::request::Request;
use crate::{NetworkError, NetworkProfile, Resolver, SystemResolver, Trust};

/// The requests of one port that are made at a time; further ones wait. Each may hold one answer.
const CONCURRENT_REQUESTS: usize = 16;

/// How long a request may take, whatever the guest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkTimes {
    /// For a connection to one address, TLS included.
    pub connect: Duration,
    /// For everything: waiting for a turn, the name, the connection, the answer. The guest's own
    /// timeout counts where it is shorter.
    pub total: Duration,
}

impl Default for NetworkTimes {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_mins(1) }
    }
}

/// Makes HTTP requests for sandboxed code, where the profile allows them.
///
/// Answers `request {method, url, headers, body, timeout}` with `{status, reason, headers, body,
/// url}`: headers are pairs in order, bodies are bytes, `timeout` is in seconds or null. Redirects
/// are answers like others. Headers about the connection (`Host`, `Content-Length`, `Connection`,
/// `Proxy-…` and their like) are the host's: the guest's are left out. Nothing is kept from request
/// to request, nothing is decompressed, no proxy is used.
///
/// Failures are of the type `PermissionError`, `ConnectionError`, `TimeoutError`, `ValueError`, or
/// `LimitExceeded` for an answer that is too long.
///
/// Clones share the bound on concurrent requests.
#[derive(Debug, Clone)]
pub struct NetworkPort {
    pub(crate) profile: NetworkProfile,
    call_bytes: u64,
    pub(crate) times: NetworkTimes,
    pub(crate) resolver: Arc<dyn Resolver>,
    trust: Trust,
    places: Arc<Semaphore>,
}

impl NetworkPort {
    /// A port with the bounds of [`Limits::default`] that resolves and trusts as this machine does.
    pub fn new(profile: NetworkProfile) -> Self {
        Self {
            profile,
            call_bytes: Limits::default().host_call_bytes,
            times: NetworkTimes::default(),
            resolver: Arc::new(SystemResolver),
            trust: Trust::system(),
            places: Arc::new(Semaphore::new(CONCURRENT_REQUESTS)),
        }
    }

    /// Bounds requests and answers by what crosses the wall: [`Limits::host_call_bytes`]. A body is
    /// base64 there, so it may have three quarters of it.
    #[must_use]
    pub fn call_bytes(mut self, most: u64) -> Self {
        self.call_bytes = most;
        self
    }

    /// Bounds the time.
    #[must_use]
    pub fn times(mut self, times: NetworkTimes) -> Self {
        self.times = times;
        self
    }

    /// Resolves names otherwise.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Trusts others.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    async fn request(&self, args: Payload) -> Result<Payload, NetworkError> {
        let request = Request::parse(args, self.call_bytes)?;
        let timeout = request.timeout.map_or(self.times.total, |own| own.min(self.times.total));
        let host = request.target.host.to_string();
        match tokio::time::timeout(timeout, self.perform(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(NetworkError::TimedOut { host, seconds: timeout.as_secs_f64() }),
        }
    }

    async fn perform(&self, request: Request) -> Result<Payload, NetworkError> {
        // Before the wait for a turn: a refusal needs none.
        self.profile.check_target(&request.target)?;
        let _place = self.places.acquire().await.ok();
        let addresses =
            checked_addresses(&self.profile, self.resolver.as_ref(), &request.target).await?;
        let stream = connect(&request.target, &addresses, &self.trust, self.times.connect).await?;
        exchange(request, stream, self.call_bytes).await
    }
}

#[async_trait]
impl HostPort for NetworkPort {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        match (call.namespace, call.op.as_str()) {
            (Namespace::Network, "request") => Ok(self.request(call.args).await?),
            (Namespace::Network, _) => Err(HostError::unknown_operation(&call)),
            _ => NoHost.call(call).await,
        }
    }
}

/// A port that leaves the network to a [`NetworkPort`] and everything else to another.
#[derive(Debug)]
pub struct WithNetwork<Port: ?Sized> {
    network: NetworkPort,
    inner: Arc<Port>,
}

impl<Port: HostPort + ?Sized> WithNetwork<Port> {
    /// Puts `network` in front of `inner`.
    pub fn new(network: NetworkPort, inner: Arc<Port>) -> Self {
        Self { network, inner }
    }
}

#[async_trait]
impl<Port: HostPort + ?Sized> HostPort for WithNetwork<Port> {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        match call.namespace {
            Namespace::Network => self.network.call(call).await,
            _ => self.inner.call(call).await,
        }
    }
}
