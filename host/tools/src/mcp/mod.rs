//! MCP servers as tools.

mod connection;
mod declaration;
mod events;
mod result;
mod schema;
mod sse;
mod stdio;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::Payload;
use reqwest::header::HeaderMap;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use self::connection::{CallError, Connection};
pub(crate) use self::declaration::declare;
use self::schema::Catalogue;
use crate::error::Names;
use crate::process::Endings;
use crate::program::Program;
use crate::{
    Adapter, Arguments, CallOptions, LoadOptions, Problem, Tool, ToolError, ToolsError, folder,
};

/// The most times that a server is started anew within [`RESTART_WINDOW`].
const MOST_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_mins(1);
/// The wait before the second restart within the window; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// How an MCP server is reached.
#[derive(Debug, Clone)]
pub struct McpServerConfig {
    tool: Tool,
    transport: Transport,
    timeout: Duration,
    connect_timeout: Duration,
    output_bytes: usize,
    proxy_from_environment: bool,
    origin: String,
}

#[derive(Debug, Clone)]
enum Transport {
    Stdio { program: Program, args: Vec<String> },
    Http { url: Url, headers: HeaderMap },
    Sse { url: Url, headers: HeaderMap },
}

impl Transport {
    fn url(&self) -> Option<&Url> {
        match self {
            Self::Stdio { .. } => None,
            Self::Http { url, .. } | Self::Sse { url, .. } => Some(url),
        }
    }
}

impl McpServerConfig {
    /// Reads the text of a declaration. Relative paths in it begin at `folder`.
    pub fn parse(
        yaml: &str,
        folder: Option<&std::path::Path>,
        options: &LoadOptions,
    ) -> Result<Self, Vec<Problem>> {
        folder::parse_as(yaml, folder, options, |declared| match declared {
            folder::Declared::Mcp(config) => Some(config),
            _ => None,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.tool.name
    }
}

/// The tools of an MCP server, all together one: `tools.<name>.<tool>(…)`.
///
/// The connection opens with [`connect`](Self::connect). When it breaks, running calls fail, and the
/// next call opens it again, at most five times in a minute. A tool whose name Python cannot write is
/// called by a word that stands for it: `get-sum` by `get_sum`.
#[derive(Debug)]
pub struct McpServer {
    config: McpServerConfig,
    catalogue: Arc<Catalogue>,
    state: Mutex<State>,
    endings: Endings,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Arc<Connection>>,
    restarts: VecDeque<Instant>,
    closed: bool,
}

impl McpServer {
    /// Connects to the server and lists its tools. Beside it is told which of them cannot be called.
    pub async fn connect(config: McpServerConfig) -> Result<(Self, Vec<String>), ToolsError> {
        let catalogue = Arc::new(Catalogue::new(config.tool.clone()));
        let server =
            Self { config, catalogue, state: Mutex::default(), endings: Endings::default() };
        let opened = server.open().await.map_err(|reason| ToolsError::Connection {
            server: server.config.tool.name.clone(),
            reason,
        });
        let (connection, left_out) = opened?;
        server.state.lock().await.connection = Some(Arc::new(connection));
        Ok((server, left_out))
    }

    async fn open(&self) -> Result<(Connection, Vec<String>), String> {
        let limit = self.config.connect_timeout;
        let opening = Connection::open(&self.config, &self.catalogue, &self.endings);
        tokio::time::timeout(limit, opening)
            .await
            .unwrap_or_else(|_| Err(format!("it did not answer within {} s", limit.as_secs_f64())))
    }

    /// The open connection, or a new one.
    async fn connection(&self) -> Result<Arc<Connection>, String> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err("the connection to the server is closed".to_owned());
        }
        if let Some(connection) = &state.connection
            && connection.is_open()
        {
            return Ok(Arc::clone(connection));
        }
        if let Some(broken) = state.connection.take() {
            broken.close().await;
        }
        let now = Instant::now();
        state.restarts.retain(|at| now.duration_since(*at) < RESTART_WINDOW);
        let recent = state.restarts.len();
        if recent >= MOST_RESTARTS {
            let wait = state.restarts.front().map_or(RESTART_WINDOW, |first| {
                RESTART_WINDOW.saturating_sub(now.duration_since(*first))
            });
            return Err(format!(
                "the server ended {recent} times within a minute; it is started again in {} s",
                wait.as_secs() + 1
            ));
        }
        state.restarts.push_back(now);
        if let Some(times) = recent.checked_sub(1) {
            tokio::time::sleep(FIRST_BACKOFF * (1 << times.min(5))).await;
        }
        let (connection, _) = self.open().await?;
        let connection = Arc::new(connection);
        state.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn perform(
        &self,
        name: &str,
        callable: &str,
        args: Arguments,
    ) -> Result<Payload, ToolError> {
        let failed = |reason: String| ToolError::call(name, reason);
        let connection = self.connection().await.map_err(failed)?;
        let listed = self.catalogue.listed();
        let own = listed.name(callable).unwrap_or(callable);
        match connection.call(own, args.values).await {
            Ok(result) => result::payload(result, self.config.output_bytes).map_err(failed),
            Err(CallError::Unknown) => Err(ToolError::NotFound {
                tool: name.to_owned(),
                available: Names::new(listed.tool.callables.iter().map(|each| each.name.clone())),
            }),
            Err(CallError::Other(reason)) => Err(failed(reason)),
        }
    }
}

#[async_trait]
impl Adapter for McpServer {
    fn kind(&self) -> &'static str {
        "mcp"
    }

    fn origin(&self) -> String {
        self.config.origin.clone()
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        vec![Arc::clone(&self.catalogue.listed().tool)]
    }

    async fn call(
        &self,
        tool: &str,
        callable: Option<&str>,
        args: Arguments,
        options: CallOptions,
    ) -> Result<Payload, ToolError> {
        let listed = self.catalogue.listed();
        let available = || Names::new(listed.tool.callables.iter().map(|each| each.name.clone()));
        let called = callable.or_else(|| Some(listed.tool.default_callable()?.name.as_str()));
        let Some(called) = called else {
            let reason = format!("ValueError: it cannot be called itself; {}", available());
            return Err(ToolError::call(tool, reason));
        };
        if listed.name(called).is_none() {
            return Err(ToolError::UnknownRecipe {
                tool: tool.to_owned(),
                recipe: called.to_owned(),
                available: available(),
            });
        }
        let name = format!("{tool}.{called}");
        let timeout = options.timeout_within(self.config.timeout);
        let result = tokio::time::timeout(timeout, self.perform(&name, called, args)).await;
        let seconds = timeout.as_secs_f64();
        result.unwrap_or(Err(ToolError::Timeout { tool: name, seconds }))
    }

    async fn close(&self) {
        let connection = {
            let mut state = self.state.lock().await;
            state.closed = true;
            state.connection.take()
        };
        if let Some(connection) = connection {
            connection.close().await;
        }
        self.endings.wait().await;
    }
}
