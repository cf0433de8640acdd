//! What every kind of tool has in common.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::Payload;

use crate::{Arguments, Tool, ToolError};

/// A source of tools: programs, endpoints, a server, closures.
#[async_trait]
pub trait Adapter: fmt::Debug + Send + Sync {
    /// What kind of tools these are: `cli`, `http`, `mcp`, `functions`.
    fn kind(&self) -> &'static str;

    /// Where they come from, for messages to the people who run the host.
    fn origin(&self) -> String {
        self.kind().to_owned()
    }

    /// The tools. What they consist of may change while the adapter lives, their names may not.
    fn tools(&self) -> Vec<Arc<Tool>>;

    /// Calls a tool, or one of its callables. Whatever the arguments say, the guest may have made
    /// them up; whatever comes back is bounded. Who drops the future, ends the call.
    async fn call(
        &self,
        tool: &str,
        callable: Option<&str>,
        args: Arguments,
        options: CallOptions,
    ) -> Result<Payload, ToolError>;

    /// Gives back what the adapter holds: connections, processes.
    async fn close(&self) {}
}

/// How one call is made.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// The longest that it may take, where the tool's own limit is not shorter.
    pub timeout: Option<Duration>,
    /// Hears what a program writes while it runs.
    pub output: Option<OutputSink>,
}

impl CallOptions {
    /// The limit of a call of a tool whose own limit is `own`.
    pub(crate) fn timeout_within(&self, own: Duration) -> Duration {
        self.timeout.map_or(own, |timeout| timeout.min(own))
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallOptions")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Hears output as it comes. It is called between two reads, so it must not block.
pub type OutputSink = Arc<dyn Fn(OutputStream, &[u8]) + Send + Sync>;

/// Where a program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// The result.
    Stdout,
    /// What it said beside it.
    Stderr,
}
