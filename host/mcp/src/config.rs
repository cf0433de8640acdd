//! What a server shall be like.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::{Elicitor, McpError};

/// What a server shall be like, however it is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What clients know it by.
    pub name: String,
    /// Has users of clients decide about calls. The layers of the sessions must ask the same one.
    pub elicitor: Elicitor,
    /// Whether clients may add and remove packages. The sessions must agree.
    pub runtime_deps: bool,
    /// The most sessions at a time.
    pub max_sessions: usize,
    /// How long a session stays that nobody uses, where a client can go without saying so.
    pub idle: Duration,
    /// The longest message of a client, in bytes.
    pub message_bytes: usize,
    /// The longest artifact that is sent in one message, in bytes.
    pub artifact_bytes: usize,
}

impl Default for ServerConfig {
    /// Packages may be added; 16 sessions, half an hour, 16 MiB a message, 8 MiB an artifact.
    fn default() -> Self {
        Self {
            name: "pcm-sandbox".to_owned(),
            elicitor: Elicitor::new(),
            runtime_deps: true,
            max_sessions: 16,
            idle: Duration::from_mins(30),
            message_bytes: 16 << 20,
            artifact_bytes: 8 << 20,
        }
    }
}

/// How a server is reached over HTTP.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// What a request has to have as `Authorization: Bearer …`. Without one, only this machine is
    /// served.
    pub(crate) token: Option<blake3::Hash>,
    /// Names that a request may be meant for, besides those of loopback.
    pub hosts: Vec<String>,
    /// Pages that may send requests, as `https://app.example.org`; others in a browser may not.
    pub origins: Vec<String>,
    /// The most connections at a time.
    pub max_connections: usize,
    /// How long a client may take to send a request, head and body each.
    pub patience: Duration,
}

impl HttpConfig {
    /// The path of the one endpoint.
    pub const PATH: &'static str = "/mcp";
    /// The shortest token that is taken.
    const LEAST_TOKEN: usize = 16;

    /// A server at this address, for everybody on this machine.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, ..Self::default() }
    }

    /// Serves only who knows the token. Blanks around it do not count.
    pub fn token(mut self, token: &str) -> Result<Self, McpError> {
        let (token, least) = (token.trim(), Self::LEAST_TOKEN);
        if token.len() < least {
            return Err(McpError::WeakToken { length: token.len(), least });
        }
        self.token = Some(blake3::hash(token.as_bytes()));
        Ok(self)
    }
}

impl Default for HttpConfig {
    /// Any free port of 127.0.0.1, 256 connections, half a minute.
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            max_connections: 256,
            patience: Duration::from_secs(30),
        }
    }
}

/// The token stays out.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpConfig")
            .field("address", &self.address)
            .field("has_token", &self.token.is_some())
            .field("hosts", &self.hosts)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
