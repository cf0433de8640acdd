//! A connection to a server, from the handshake to its end.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientConfig, Implementation,
    JsonObject, PaginatedRequestParams, ProtocolVersion,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, NotificationContext, Peer,
    RunningService, ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransportConfig, StreamableHttpError,
};
use rmcp::{ClientHandler, RoleClient};
use tokio::sync::{Mutex, Notify};
use url::Url;

use super::schema::Catalogue;
use super::sse::SseTransport;
use super::stdio::Process;
use super::{McpServerConfig, Transport};
use crate::http::client::{Connections, why};
use crate::process::Endings;
use crate::text::{head, tail};

/// The most tools of one server.
const MOST_TOOLS: usize = 1_000;
const MOST_PAGES: usize = 100;
/// The shortest bound on a message: a list of tools has to fit in.
const LEAST_MESSAGE_BYTES: usize = 4 << 20;
/// How long is waited between two looks at a list that a server says has changed.
const BETWEEN_LISTS: Duration = Duration::from_secs(1);
const CLOSED: &str = "no handshake: the connection closed";
const CLOSING: Duration = Duration::from_secs(2);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: Peer<RoleClient>,
    service: Mutex<Option<RunningService<RoleClient, Listener>>>,
    process: Mutex<Option<Process>>,
    refreshing: tokio::task::JoinHandle<()>,
    url: Option<Url>,
}

/// Why a call has no result.
pub(crate) enum CallError {
    /// The server answered that there is no such tool.
    Unknown,
    Other(String),
}

/// What we are to the server.
#[derive(Debug)]
pub(crate) struct Listener {
    changed: Arc<Notify>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.client_info = Implementation::new("pcm-sandbox", env!("CARGO_PKG_VERSION"));
        info
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

impl Connection {
    /// Connects, shakes hands, and lists the tools. Beside it is told what of them cannot be called.
    pub(crate) async fn open(
        config: &McpServerConfig,
        catalogue: &Arc<Catalogue>,
        endings: &Endings,
    ) -> Result<(Self, Vec<String>), String> {
        let first = ClientLifecycleMode::Initialize;
        let opened = match Self::start(config, endings, first).await {
            // Servers that only speak the protocol of 2026-07-28 know no handshake.
            Err(Started::Refused(refused)) => {
                let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
                let second = ClientLifecycleMode::Discover { preferred_versions };
                Self::start(config, endings, second).await.map_err(|_| refused)
            }
            opened => opened.map_err(|failed| match failed {
                Started::Refused(reason) | Started::Failed(reason) => reason,
            }),
        };
        let (service, changed, process) = opened?;
        let peer = service.peer().clone();
        let tools = match list(&peer).await {
            Ok(tools) => tools,
            Err(error) => {
                let reason = call_reason(error, None);
                return Err(explained(process, reason).await);
            }
        };
        let left_out = catalogue.update(&tools);
        let refreshing = tokio::spawn(refresh(peer.clone(), changed, Arc::downgrade(catalogue)));
        let url = config.transport.url().cloned();
        let (service, process) = (Mutex::new(Some(service)), Mutex::new(process));
        Ok((Self { peer, service, process, refreshing, url }, left_out))
    }

    async fn start(
        config: &McpServerConfig,
        endings: &Endings,
        mode: ClientLifecycleMode,
    ) -> Result<(RunningService<RoleClient, Listener>, Arc<Notify>, Option<Process>), Started> {
        let most = config.output_bytes.max(LEAST_MESSAGE_BYTES);
        let changed = Arc::new(Notify::new());
        let listener = Listener { changed: Arc::clone(&changed) };
        let mut process = None;
        let started = match &config.transport {
            Transport::Stdio { program, args } => {
                let (child, (stdout, stdin)) =
                    Process::start(program, args, most, endings).map_err(Started::Failed)?;
                process = Some(child);
                let transport = AsyncRwTransport::new_client(stdout, stdin);
                let transport = transport.with_max_line_length(usize::MAX);
                listener.serve_with_lifecycle(transport, mode).await
            }
            Transport::Http { url, headers } => {
                let client = client(config).await?;
                let mut settings = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                settings.custom_headers = pairs(headers);
                settings.max_sse_event_size = most;
                let transport = StreamableHttpClientTransport::with_client(client, settings);
                listener.serve_with_lifecycle(transport, mode).await
            }
            Transport::Sse { url, headers } => {
                let client = client(config).await?;
                let transport = SseTransport::open(client, url, headers.clone(), most).await;
                let transport = transport.map_err(|error| Started::Failed(error.to_string()))?;
                listener.serve_with_lifecycle(transport, mode).await
            }
        };
        match started {
            Ok(service) => Ok((service, changed, process)),
            Err(ClientInitializeError::JsonRpcError(error)) => Err(Started::Refused(format!(
                "it refused the handshake: {}",
                head(&error.message, 512)
            ))),
            Err(error) => {
                let reason = match (&process, &error) {
                    // Which end noticed first is chance.
                    (Some(_), ClientInitializeError::TransportError { .. }) => CLOSED.to_owned(),
                    _ => without(config.transport.url(), &start_reason(&error)),
                };
                Err(Started::Failed(explained(process, reason).await))
            }
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.peer.is_transport_closed()
    }

    pub(crate) async fn call(
        &self,
        name: &str,
        args: JsonObject,
    ) -> Result<CallToolResult, CallError> {
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(args);
        match self.peer.call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) => Ok(result),
            Ok(CallToolResponse::InputRequired(_)) => {
                Err(CallError::Other("the server asks back, which code cannot answer".to_owned()))
            }
            Ok(_) => {
                let reason = "the server made a task of the call, which is not supported";
                Err(CallError::Other(reason.to_owned()))
            }
            Err(ServiceError::McpError(error)) if is_unknown_tool(&error.message) => {
                Err(CallError::Unknown)
            }
            Err(error) => {
                let gone = !self.is_open()
                    || matches!(
                        error,
                        ServiceError::TransportClosed | ServiceError::TransportSend(_)
                    );
                let reason = call_reason(error, self.url.as_ref());
                let mut process = self.process.lock().await;
                Err(CallError::Other(match process.as_mut() {
                    Some(process) if gone => process.reason().await,
                    _ => reason,
                }))
            }
        }
    }

    /// Ends it, and the server with it if that is a child.
    pub(crate) async fn close(&self) {
        self.refreshing.abort();
        if let Some(mut service) = self.service.lock().await.take() {
            let _ = service.close_with_timeout(CLOSING).await;
        }
        if let Some(process) = self.process.lock().await.take() {
            process.end().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.refreshing.abort();
    }
}

enum Started {
    /// The server answered, and does not know the handshake.
    Refused(String),
    Failed(String),
}

async fn client(config: &McpServerConfig) -> Result<reqwest::Client, Started> {
    let connections =
        Connections { proxy_from_environment: config.proxy_from_environment, ..Default::default() };
    connections.client().await.map_err(Started::Failed)
}

fn pairs(headers: &HeaderMap) -> HashMap<HeaderName, HeaderValue> {
    headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Looks at the list again whenever the server says that it has changed.
async fn refresh(peer: Peer<RoleClient>, changed: Arc<Notify>, catalogue: Weak<Catalogue>) {
    loop {
        changed.notified().await;
        let Ok(tools) = list(&peer).await else { continue };
        let Some(catalogue) = catalogue.upgrade() else { return };
        catalogue.update(&tools);
        drop(catalogue);
        tokio::time::sleep(BETWEEN_LISTS).await;
    }
}

async fn list(peer: &Peer<RoleClient>) -> Result<Vec<rmcp::model::Tool>, ServiceError> {
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let page = peer.list_tools(Some(params)).await?;
        tools.extend(page.tools);
        tools.truncate(MOST_TOOLS);
        cursor = page.next_cursor;
        if cursor.is_none() || tools.len() == MOST_TOOLS {
            break;
        }
    }
    Ok(tools)
}

/// The reason, and of a child what it said last.
async fn explained(process: Option<Process>, reason: String) -> String {
    match process {
        None => reason,
        Some(mut process) => {
            let said = process.reason().await;
            process.end().await;
            format!("{reason}; {said}")
        }
    }
}

fn is_unknown_tool(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("unknown tool") || message.contains("tool") && message.contains("not found")
}

fn start_reason(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => {
            transport_reason(error.error.as_ref())
        }
        ClientInitializeError::ConnectionClosed(_) => CLOSED.to_owned(),
        error => format!("no handshake: {}", head(&error.to_string(), 512)),
    }
}

fn call_reason(error: ServiceError, url: Option<&Url>) -> String {
    let reason = match error {
        ServiceError::McpError(error) => tail(&error.message),
        ServiceError::TransportSend(error) => transport_reason(error.error.as_ref()),
        ServiceError::TransportClosed => "the connection to the server is gone".to_owned(),
        ServiceError::UnexpectedResponse => "the answer is no result of a tool".to_owned(),
        error => head(&error.to_string(), 512),
    };
    without(url, &reason)
}

fn transport_reason(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
        Some(StreamableHttpError::Client(error)) => why(error),
        _ => head(&error.to_string(), 512),
    }
}

/// The text without the URL, in which there may be a secret.
fn without(url: Option<&Url>, text: &str) -> String {
    url.map_or_else(|| text.to_owned(), |url| text.replace(url.as_str(), "the server"))
}
