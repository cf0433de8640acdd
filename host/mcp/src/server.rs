//! The server, over a pair of streams.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use rmcp::service::{ServerInitializeError, serve_server};
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::handler::{Handler, Shared};
use crate::{McpError, ServerConfig, Sessions};

/// A server, which serves one client over streams, or many over HTTP.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use pcm_mcp::{McpError, Server, ServerConfig, Sessions};
///
/// async fn serve(sessions: Arc<dyn Sessions>) -> Result<(), McpError> {
///     let server = Server::new(ServerConfig::default(), sessions);
///     server.serve_stdio(std::future::pending()).await
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
}

impl Server {
    /// A server of these sessions. None is started before somebody asks for something.
    pub fn new(config: ServerConfig, sessions: Arc<dyn Sessions>) -> Self {
        Self { shared: Arc::new(Shared::new(config, sessions)) }
    }

    /// What answers one connection, for other transports than those here.
    pub fn handler(&self) -> Handler {
        Handler::new(&self.shared)
    }

    /// Serves one client on standard input and output, until it goes or `shutdown` is done. Nothing else
    /// in the process may write to standard output.
    pub async fn serve_stdio(self, shutdown: impl Future<Output = ()>) -> Result<(), McpError> {
        let (reads, writes) = rmcp::transport::io::stdio_pipes();
        self.serve(reads, writes, shutdown).await
    }

    /// Serves one client, a message in each line, until it goes or `shutdown` is done.
    pub async fn serve(
        self,
        reads: impl AsyncRead + Send + Unpin + 'static,
        writes: impl AsyncWrite + Send + Unpin + 'static,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), McpError> {
        let most = self.shared.config.message_bytes;
        let transport = AsyncRwTransport::new_server(reads, writes).with_max_line_length(most);
        let mut shutdown = pin!(shutdown);
        let served = tokio::select! {
            biased;
            () = &mut shutdown => None,
            served = serve_server(self.handler(), transport) => Some(served),
        };
        let ended = match served {
            // A client that goes before it has said anything is one that looked whether we are there.
            None | Some(Err(ServerInitializeError::ConnectionClosed(_))) => Ok(()),
            Some(Err(error)) => Err(McpError::Handshake(error.to_string())),
            Some(Ok(service)) => {
                let stop = service.cancellation_token();
                let mut ends = pin!(service.waiting());
                tokio::select! {
                    biased;
                    () = &mut shutdown => {
                        stop.cancel();
                        ends.await.map(drop)
                    }
                    ended = &mut ends => ended.map(drop),
                }
                .map_err(|error| McpError::Handshake(error.to_string()))
            }
        };
        self.shared.close().await;
        ended
    }
}
