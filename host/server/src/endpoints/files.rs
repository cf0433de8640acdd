//! Files of a session's sandbox.

use axum::http::StatusCode;
use pcm_runtime_api::ExecutorError;
use pcm_session::SessionError;
use serde_json::json;

use super::sessions::named;
use crate::answer::{Answer, Refusal, json, with_type};
use crate::request::Call;

pub(super) async fn get(call: Call) -> Result<Answer, Refusal> {
    let session = named(&call).await?;
    let path = path(&call)?;
    match session.session.get_file(&path, call.state.limits.max_upload_bytes).await {
        Ok(content) => Ok(with_type(StatusCode::OK, "application/octet-stream", content)),
        Err(SessionError::Executor(ExecutorError::File { path, reason })) => {
            Err(Refusal::not_found(format!("{path}: {reason}")))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn put(mut call: Call) -> Result<Answer, Refusal> {
    let session = named(&call).await?;
    let path = path(&call)?;
    let content = std::mem::take(&mut call.body);
    let bytes = content.len();
    session.session.put_file(&path, content).await?;
    Ok(json(&json!({"path": path, "bytes": bytes})))
}

/// The path in the sandbox. It stays below the root whatever the sandbox makes of it.
fn path(call: &Call) -> Result<String, Refusal> {
    let path = call.param("path")?;
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if path.len() > 4096 || path.contains(char::is_control) || !path.split('/').all(is_plain) {
        return Err(Refusal::bad(
            "the path of a file has up to 4096 bytes and neither '.' nor '..'",
        ));
    }
    Ok(format!("/{path}"))
}
