//! The transport of old servers: a stream of events, and messages posted beside it.

use std::future::Future;
use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response};
use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use url::Url;

use super::events::{Event, Events};
use crate::http::client::why;

/// Why a message did not go out, or the stream not begin.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SseError(String);

/// An open stream and the place where messages are posted.
pub(crate) struct SseTransport {
    client: Client,
    headers: HeaderMap,
    endpoint: Arc<Url>,
    stream: Stream,
}

struct Stream {
    response: Option<Response>,
    events: Events,
}

impl Stream {
    /// The next event; none when the stream is over. It may be dropped while it waits.
    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.next() {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(_) => self.response = None,
            }
            match self.response.as_mut()?.chunk().await {
                Ok(Some(bytes)) => self.events.push(&bytes),
                _ => self.response = None,
            }
        }
    }
}

impl SseTransport {
    /// Opens the stream, and waits for the server to say where messages go.
    pub(crate) async fn open(
        client: Client,
        url: &Url,
        headers: HeaderMap,
        most: usize,
    ) -> Result<Self, SseError> {
        let request = client.get(url.clone()).headers(headers.clone());
        let request = request.header(ACCEPT, "text/event-stream");
        let response = request.send().await.map_err(|error| SseError(why(&error)))?;
        if !response.status().is_success() {
            return Err(SseError(format!("HTTP {}", response.status().as_u16())));
        }
        let mut stream = Stream { response: Some(response), events: Events::new(most) };
        let endpoint = loop {
            match stream.next().await {
                Some(event) if event.name == "endpoint" => break event.data,
                Some(_) => {}
                None => {
                    let reason = "the stream ended before it said where messages go";
                    return Err(SseError(reason.to_owned()));
                }
            }
        };
        let endpoint = url.join(endpoint.trim()).ok();
        // The headers go there as well: they are meant for this server.
        let endpoint = endpoint.filter(|endpoint| endpoint.origin() == url.origin());
        let endpoint = endpoint
            .ok_or_else(|| SseError("it wants messages to go to another origin".to_owned()))?;
        Ok(Self { client, headers, endpoint: Arc::new(endpoint), stream })
    }
}

impl Transport<RoleClient> for SseTransport {
    type Error = SseError;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SseError>> + Send + 'static {
        let request = self
            .client
            .post(self.endpoint.as_ref().clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json");
        async move {
            let message =
                serde_json::to_vec(&message).map_err(|error| SseError(error.to_string()))?;
            let answer =
                request.body(message).send().await.map_err(|error| SseError(why(&error)))?;
            if answer.status().is_success() {
                return Ok(());
            }
            Err(SseError(format!("HTTP {}", answer.status().as_u16())))
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            let event = self.stream.next().await?;
            if event.name != "message" {
                continue;
            }
            // What is no message is nobody's answer.
            if let Ok(message) = serde_json::from_str(&event.data) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), SseError> {
        self.stream.response = None;
        Ok(())
    }
}
