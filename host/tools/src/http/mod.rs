//! Endpoints of HTTP servers as tools.

pub(crate) mod client;
mod declaration;
mod endpoint;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_runtime_api::{Payload, ValueType};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use url::Url;

use self::client::{Connections, Failure, body, why};
pub(crate) use self::declaration::declare;
pub use self::endpoint::Endpoint;
pub(crate) use self::endpoint::insert_header;
use crate::declaration::{OUTPUT_BYTES, TIMEOUT};
use crate::error::Names;
use crate::name::full_name;
use crate::text::{MOST_QUOTED, head};
use crate::{Adapter, Arguments, CallOptions, Tool, ToolError, ToolsError};

/// The requests of one adapter at a time; further calls wait. Each may hold one answer.
const CONCURRENT_REQUESTS: usize = 32;

/// Endpoints of one HTTP server, each a tool, or all together one.
///
/// What is part of the path or of the query is escaped there; other arguments of POST, PUT and PATCH
/// are the fields of a JSON body. Answers are JSON, text, or bytes. Redirects are followed within the
/// origin of the server only.
#[derive(Debug)]
pub struct HttpTools {
    base: Url,
    headers: HeaderMap,
    endpoints: Vec<Endpoint>,
    /// The tool that has all endpoints; otherwise each is a tool.
    whole: Option<Tool>,
    tools: Vec<Arc<Tool>>,
    timeout: Duration,
    output_bytes: usize,
    connections: Connections,
    origin: String,
    client: OnceCell<Client>,
    places: Semaphore,
}

impl HttpTools {
    /// A server by the URL that all paths begin with.
    pub fn new(base_url: &str) -> Result<Self, ToolsError> {
        let refused = |reason| ToolsError::declaration("base_url", reason);
        let base = Url::parse(base_url).map_err(|_| refused("this is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(refused("expected http:// or https://"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(refused("a query or a fragment cannot be followed by a path"));
        }
        Ok(Self {
            base,
            headers: HeaderMap::new(),
            endpoints: Vec::new(),
            whole: None,
            tools: Vec::new(),
            timeout: TIMEOUT,
            output_bytes: usize::try_from(OUTPUT_BYTES).unwrap_or(usize::MAX),
            connections: Connections::default(),
            origin: "http".to_owned(),
            client: OnceCell::new(),
            places: Semaphore::new(CONCURRENT_REQUESTS),
        })
    }

    /// Adds a header to all requests.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ToolsError> {
        insert_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// Adds an endpoint.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Result<Self, ToolsError> {
        let refused =
            |reason| ToolsError::declaration(format!("endpoint {:?}", endpoint.name()), reason);
        if self.endpoints.iter().any(|other| other.name() == endpoint.name()) {
            return Err(refused("there is one of this name already".to_owned()));
        }
        if let Some(name) = endpoint.undeclared() {
            return Err(refused(format!("{name:?} is not declared as a parameter")));
        }
        self.endpoints.push(endpoint);
        self.update();
        Ok(self)
    }

    /// Makes all endpoints callables of one tool: `tools.github.get_repo(…)`.
    pub fn as_one_tool(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
    ) -> Result<Self, ToolsError> {
        let (name, description) = (name.into(), description.into());
        crate::name::check(&name)?;
        self.whole = Some(Tool { name, description, ..Tool::default() });
        self.update();
        Ok(self)
    }

    /// Bounds the time of a call. It is a minute otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Bounds the length of an answer. It is 16 MiB otherwise.
    #[must_use]
    pub fn output_bytes(mut self, most: usize) -> Self {
        self.output_bytes = most;
        self
    }

    /// The name of the tool that has all endpoints.
    pub(crate) fn name(&self) -> &str {
        self.whole.as_ref().map_or("", |tool| &tool.name)
    }

    fn update(&mut self) {
        let callables = self.endpoints.iter().map(Endpoint::callable);
        self.tools = match &self.whole {
            Some(whole) => {
                vec![Arc::new(Tool { callables: callables.collect(), ..whole.clone() })]
            }
            None => callables
                .map(|callable| {
                    Arc::new(Tool {
                        name: callable.name.clone(),
                        description: callable.description.clone(),
                        tags: Vec::new(),
                        callables: vec![callable],
                    })
                })
                .collect(),
        };
    }

    fn find(&self, tool: &str, callable: Option<&str>) -> Result<&Endpoint, ToolError> {
        let names = || self.endpoints.iter().map(Endpoint::name);
        let last = tool.rsplit('.').next().unwrap_or_default();
        let name = callable.unwrap_or(last);
        let reachable = self.whole.is_some() || callable.is_none_or(|callable| callable == tool);
        let found = self.endpoints.iter().find(|endpoint| endpoint.name() == name && reachable);
        found.ok_or_else(|| match callable {
            Some(callable) => ToolError::UnknownRecipe {
                tool: tool.to_owned(),
                recipe: callable.to_owned(),
                available: Names::new(names()),
            },
            None => ToolError::call(
                tool,
                format!("ValueError: it cannot be called itself; {}", Names::new(names())),
            ),
        })
    }

    async fn perform(
        &self,
        name: &str,
        mut request: reqwest::Request,
    ) -> Result<Payload, ToolError> {
        for (header, value) in &self.headers {
            request.headers_mut().entry(header).or_insert_with(|| value.clone());
        }
        let failed = |reason: String| ToolError::call(name, reason);
        let client = self.client.get_or_try_init(|| self.connections.client()).await;
        let response = client.map_err(failed)?.execute(request).await;
        let response = response.map_err(|error| failed(why(&error)))?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if status.is_redirection() {
            let reason =
                "it redirects to where it is not followed: to another origin, or too often";
            return Err(failed(format!("HTTP {}: {reason}", status.as_u16())));
        }
        let read = body(response, self.output_bytes).await;
        let body = match (read, status.as_u16()) {
            (Ok(body), _) => body,
            (Err(_), status @ 400..) => return Err(failed(format!("HTTP {status}"))),
            (Err(Failure::Other(reason)), _) => return Err(failed(reason)),
            (Err(Failure::TooLong), _) => {
                return Err(failed(format!(
                    "the answer is longer than {} bytes; ask for less, or raise `output_bytes` in \
                     its declaration",
                    self.output_bytes
                )));
            }
        };
        if status.as_u16() >= 400 {
            let said = head(String::from_utf8_lossy(&body).trim(), MOST_QUOTED);
            return Err(failed(format!("HTTP {}: {said}", status.as_u16())));
        }
        Ok(payload(&kind, body))
    }
}

#[async_trait]
impl Adapter for HttpTools {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn tools(&self) -> Vec<Arc<Tool>> {
        self.tools.clone()
    }

    async fn call(
        &self,
        tool: &str,
        callable: Option<&str>,
        args: Arguments,
        options: CallOptions,
    ) -> Result<Payload, ToolError> {
        let endpoint = self.find(tool, callable)?;
        let name = full_name(tool, callable.filter(|callable| *callable != tool));
        let request = endpoint.request(&name, &self.base, args)?;
        let _place = self.places.acquire().await.ok();
        let timeout = options.timeout_within(self.timeout);
        let answer = tokio::time::timeout(timeout, self.perform(&name, request)).await;
        let seconds = timeout.as_secs_f64();
        answer.unwrap_or(Err(ToolError::Timeout { tool: name, seconds }))
    }
}

/// The body as what it says it is, or as what it can be read as.
fn payload(kind: &str, body: Vec<u8>) -> Payload {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if body.is_empty() {
        return Payload::from(Value::Null);
    }
    let is_json = kind.is_empty() || kind.ends_with("/json") || kind.ends_with("+json");
    if is_json && let Ok(value) = serde_json::from_slice::<Value>(&body) {
        return Payload::from(value);
    }
    match String::from_utf8(body) {
        Ok(text) => Payload::from(Value::from(text)),
        Err(error) => Payload::from(Value::from(STANDARD.encode(error.as_bytes())))
            .with_type("", ValueType::Bytes),
    }
}
