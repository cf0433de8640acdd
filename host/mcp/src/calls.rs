//! What a client asks for, as calls of its session.
//!
//! The model at the other end may do by a tool what its code may do, and no more: every call passes the
//! layers of the session, and its log says `mcp`.

use pcm_runtime_api::{HostCall, HostError, Namespace, Payload};
use pcm_session::{Session, SessionError};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Makes a call.
pub(crate) async fn call(
    session: &Session,
    namespace: Namespace,
    op: &str,
    args: impl Into<Payload>,
) -> Result<Payload, HostError> {
    let call = HostCall { namespace, op: op.to_owned(), args: args.into() };
    session.call("mcp", call).await.map_err(|error| match error {
        SessionError::Host(error) => error,
        error => HostError::new("SessionError", error.to_string()),
    })
}

/// The same, where nothing but JSON comes back.
pub(crate) async fn value(
    session: &Session,
    namespace: Namespace,
    op: &str,
    args: Value,
) -> Result<Value, HostError> {
    Ok(call(session, namespace, op, args).await?.value)
}

/// The same, where it is known what comes back.
pub(crate) async fn typed<Reply: DeserializeOwned>(
    session: &Session,
    namespace: Namespace,
    op: &str,
    args: Value,
) -> Result<Reply, HostError> {
    let value = value(session, namespace, op, args).await?;
    serde_json::from_value(value).map_err(|error| {
        HostError::new(
            "TypeError",
            format!("a layer has made something else of the answer: {error}"),
        )
    })
}
