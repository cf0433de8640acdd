//! The one way out of the sandbox.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Payload;

/// Everything that sandboxed code may ask of its host.
///
/// One port serves all calls of a session; calls that the code gathers arrive concurrently. Policy,
/// approvals and audit are layers around a port, so that no backend can be reached past them.
///
/// ```
/// use async_trait::async_trait;
/// use pcm_runtime_api::{HostCall, HostError, HostPort, Payload};
///
/// #[derive(Debug)]
/// struct Echo;
///
/// #[async_trait]
/// impl HostPort for Echo {
///     async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
///         Ok(call.args)
///     }
/// }
/// ```
#[async_trait]
pub trait HostPort: fmt::Debug + Send + Sync {
    /// Answers one call. Whatever the arguments say, the guest may have made them up.
    async fn call(&self, call: HostCall) -> Result<Payload, HostError>;
}

/// One thing that code in the sandbox asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct HostCall {
    /// What was used.
    pub namespace: Namespace,
    /// The operation, as `call` or `load`.
    pub op: String,
    /// Its arguments by name.
    pub args: Payload,
}

/// What code in the sandbox uses: one of the four objects that it finds as globals, or the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// Tools of the host.
    Tools,
    /// Stored coroutines.
    Workflows,
    /// Stored data.
    Artifacts,
    /// Packages.
    Deps,
    /// Requests to other machines, as `urllib` makes them.
    Network,
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl FromStr for Namespace {
    type Err = UnknownNamespace;

    fn from_str(name: &str) -> Result<Self, UnknownNamespace> {
        match name {
            "tools" => Ok(Self::Tools),
            "workflows" => Ok(Self::Workflows),
            "artifacts" => Ok(Self::Artifacts),
            "deps" => Ok(Self::Deps),
            "network" => Ok(Self::Network),
            _ => Err(UnknownNamespace),
        }
    }
}

/// A name that is no namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such namespace; there are tools, workflows, artifacts, deps and network")]
pub struct UnknownNamespace;

/// Why a call failed. In the sandbox it is raised as the namespace's error class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{error_type}] {message}")]
pub struct HostError {
    /// The kind of failure, as code in the sandbox reads it in `.original_type`.
    pub error_type: String,
    /// What happened. It is shown to the guest: no host path, no secret.
    pub message: String,
}

impl HostError {
    /// A failure of the given kind.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), message: message.into() }
    }

    /// The failure of an operation that the port does not know.
    pub fn unknown_operation(call: &HostCall) -> Self {
        let message = format!("{} has no operation {:?}", call.namespace, call.op);
        Self::new("UnknownOperation", message)
    }
}

/// The port of a sandbox that has no host: every call fails, plain code works.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

#[async_trait]
impl HostPort for NoHost {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let message = format!("{} is not connected: this session has no host", call.namespace);
        Err(HostError::new("NotConnected", message))
    }
}
