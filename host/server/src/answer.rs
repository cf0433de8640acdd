//! What a client is told: JSON, and for whatever went wrong one shape of it.
//!
//! An error says what the client can do about it. What only the host should know is logged where it
//! happened, and is not here.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use pcm_runtime_api::{ExecutorError, HostError};
use pcm_session::SessionError;
use pcm_storage::StorageError;
use serde::Serialize;
use serde_json::json;

/// The name of the server that a session lives on, where that is another one.
pub(crate) const NODE_HEADER: &str = "x-session-node";

pub(crate) type Answer = Response<Body>;

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    /// How long to wait before trying again.
    wait: Option<Duration>,
    node: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), wait: None, node: None }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let wait = Some(Duration::from_secs(1));
        Self { wait, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    pub(crate) fn too_many(detail: impl Into<String>, wait: Duration) -> Self {
        Self { wait: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    pub(crate) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Authorization required")
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid token")
    }

    pub(crate) fn misconfigured() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server misconfigured")
    }

    /// The session never was, has expired, was lost with its server, or is somebody else's. Clients
    /// make a new one when they read this.
    pub(crate) fn no_session() -> Self {
        Self::bad("Invalid session ID")
    }

    /// The session lives on another server.
    pub(crate) fn elsewhere(node: &str) -> Self {
        let detail = format!("The session lives on the node {node:?}");
        let node = Some(node.to_owned());
        Self { node, ..Self::new(StatusCode::MISDIRECTED_REQUEST, detail) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn into_answer(self) -> Answer {
        let mut body = json!({"detail": self.detail});
        if let (Some(node), Some(fields)) = (&self.node, body.as_object_mut()) {
            fields.insert("node".to_owned(), node.as_str().into());
        }
        let mut answer = json_answer(self.status, &body);
        let headers = answer.headers_mut();
        if let Some(wait) = self.wait {
            let seconds = wait.as_secs_f64().ceil().clamp(1.0, 3600.0);
            let seconds = HeaderValue::from_str(&format!("{seconds:.0}"));
            headers.extend(seconds.ok().map(|seconds| (header::RETRY_AFTER, seconds)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(node) = self.node.as_deref().and_then(|node| HeaderValue::from_str(node).ok()) {
            headers.insert(NODE_HEADER, node);
        }
        answer
    }
}

/// What is wrong with what the client gave is the client's to read; what is wrong with the store is not.
impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::ArtifactNotFound { name } => {
                Self::not_found(format!("Artifact '{name}' not found"))
            }
            StorageError::TooLarge { .. } => Self::too_large(error.to_string()),
            StorageError::Read { .. } | StorageError::Write { .. } => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the storage failed");
                Self::unavailable(error.to_string())
            }
            StorageError::Configuration { .. } => {
                tracing::error!(%error, "the storage is not usable");
                Self::unavailable("Storage not configured")
            }
            _ => Self::bad(error.to_string()),
        }
    }
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        match &*error.error_type {
            "RuntimeDepsDisabledError" => {
                Self::forbidden("Runtime dependencies are disabled on this server")
            }
            "StorageReadError" | "StorageWriteError" => Self::unavailable(error.message),
            "ClosedError" => Self::no_session(),
            "InstallError" => {
                tracing::warn!(%error, "packages could not be installed");
                Self::unavailable("the packages could not be installed; the server's log says why")
            }
            _ => Self::bad(error.message),
        }
    }
}

impl From<ExecutorError> for Refusal {
    fn from(error: ExecutorError) -> Self {
        match error {
            ExecutorError::Closed => Self::no_session(),
            ExecutorError::Unsupported { .. } => Self::conflict(error.to_string()),
            ExecutorError::File { path, reason } => Self::bad(format!("{path}: {reason}")),
            _ => {
                tracing::error!(%error, "a sandbox failed");
                Self::unavailable("the sandbox is not available; the server's log says why")
            }
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Storage(error) => error.into(),
            SessionError::Host(error) => error.into(),
            SessionError::Executor(error) => error.into(),
            _ => {
                tracing::error!(%error, "a session could not be started");
                Self::unavailable("the session could not be started; the server's log says why")
            }
        }
    }
}

/// An answer of 200 with JSON.
pub(crate) fn json(value: &impl Serialize) -> Answer {
    json_answer(StatusCode::OK, value)
}

pub(crate) fn json_answer(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => with_type(status, "application/json", bytes),
        Err(error) => {
            tracing::error!(%error, "an answer is no JSON");
            let text = br#"{"detail":"the answer cannot be written as JSON"}"#.to_vec();
            with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/json", text)
        }
    }
}

/// An answer with a body of one type.
pub(crate) fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
