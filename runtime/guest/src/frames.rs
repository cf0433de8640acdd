//! The messages that `pcm_guest` speaks; see its `calls` and `evaluate` modules.

use std::collections::BTreeMap;

use pcm_runtime_api::{HostCall, HostError, Limits, Payload, ValueType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most values that one frame may hold; a value takes 32 bytes on the host where it can take
/// two in the frame.
const MAX_VALUES: usize = 2_000_000;

/// How a run is to be evaluated; travels with the source.
#[derive(Debug, Clone)]
pub struct RunOptions {
    repr: bool,
    value_bytes: u64,
    recursion: u32,
}

impl RunOptions {
    /// The options of a run under `limits`.
    pub fn new(limits: &Limits, repr: bool) -> Self {
        Self { repr, value_bytes: limits.host_call_bytes / 2, recursion: limits.recursion }
    }

    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        let Self { repr, value_bytes, recursion } = self;
        format!("{} {value_bytes} {recursion}", u8::from(*repr)).into_bytes()
    }
}

/// What the guest says of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) value: Value,
    #[serde(default)]
    pub(crate) types: BTreeMap<String, ValueType>,
    #[serde(default)]
    pub(crate) repr: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<GuestError>,
    #[serde(default)]
    pub(crate) exhausted: bool,
}

/// A failure as the guest tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct GuestError {
    pub(crate) kind: GuestErrorKind,
    #[serde(rename = "type")]
    pub(crate) error_type: String,
    pub(crate) message: String,
    pub(crate) traceback: String,
}

/// The kinds of failure that the guest can know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GuestErrorKind {
    Exception,
    Syntax,
    Memory,
    Output,
}

/// Why a frame of the guest cannot be used. The text goes back to the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("more than {MAX_VALUES} values do not cross the wall")]
    TooManyValues,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Namespace(#[from] pcm_runtime_api::UnknownNamespace),
}

impl Outcome {
    pub(crate) fn decode(frame: &[u8]) -> Result<Self, BadFrame> {
        bound_values(frame)?;
        Ok(serde_json::from_slice(frame)?)
    }
}

/// Reads a request. Its length was checked by whoever copied it out of the guest.
pub(crate) fn decode_request(frame: &[u8]) -> Result<HostCall, BadFrame> {
    #[derive(Deserialize)]
    struct Request {
        namespace: String,
        op: String,
        args: Value,
        #[serde(default)]
        types: BTreeMap<String, ValueType>,
    }
    bound_values(frame)?;
    let request: Request = serde_json::from_slice(frame)?;
    Ok(HostCall {
        namespace: request.namespace.parse()?,
        op: request.op,
        args: Payload { value: request.args, types: request.types },
    })
}

/// The reply to a request.
pub(crate) fn encode_reply(answer: &Result<Payload, HostError>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reply<'a> {
        ok: bool,
        #[serde(flatten)]
        payload: &'a Payload,
    }
    match answer {
        Ok(payload) => serde_json::to_vec(&Reply { ok: true, payload })
            .unwrap_or_else(|error| refusal("EncodingError", &error.to_string())),
        Err(error) => refusal(&error.error_type, &error.message),
    }
}

/// A reply that says no.
pub fn refusal(error_type: &str, message: &str) -> Vec<u8> {
    let reply = serde_json::json!({"ok": false, "type": error_type, "message": message});
    reply.to_string().into_bytes()
}

/// Counts the values of a JSON text before any of them is built. Depth is serde's to bound.
fn bound_values(text: &[u8]) -> Result<(), BadFrame> {
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_string = true,
                b',' | b'[' | b'{' => values += 1,
                _ => {}
            }
        }
    }
    if values > MAX_VALUES { Err(BadFrame::TooManyValues) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcm_runtime_api::Namespace;

    type TestResult = Result<(), BadFrame>;

    #[test]
    fn a_request_is_read() -> TestResult {
        let call = decode_request(
            br#"{"namespace":"artifacts","op":"save","args":{"data":"aGk="},"types":{"/data":"bytes"}}"#,
        )?;
        assert_eq!(call.namespace, Namespace::Artifacts);
        assert_eq!(call.args.types["/data"], ValueType::Bytes);
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() {
        for frame in [
            &b""[..],
            b"[]",
            b"{\"namespace\":\"os\",\"op\":\"x\",\"args\":{}}",
            b"{\"namespace\":\"tools\",\"op\":\"x\"}",
            b"{\"namespace\":\"tools\",\"op\":\"x\",\"args\":NaN}",
            b"{\"namespace\":\"tools\",\"op\":\"\xff\",\"args\":{}}",
            b"{\"namespace\":\"tools\",\"op\":\"x\",\"args\":{},\"types\":{\"\":\"pickle\"}}",
        ] {
            assert!(decode_request(frame).is_err(), "{}", String::from_utf8_lossy(frame));
        }
    }

    #[test]
    fn depth_and_count_are_bounded() {
        let deep = format!("{{\"value\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Outcome::decode(deep.as_bytes()).is_err());
        let many = format!("{{\"value\":[{}0]}}", "0,".repeat(MAX_VALUES));
        assert!(matches!(Outcome::decode(many.as_bytes()), Err(BadFrame::TooManyValues)));
        let text = format!("{{\"value\":\"{}\"}}", "[,\\\"".repeat(MAX_VALUES));
        assert!(Outcome::decode(text.as_bytes()).is_ok(), "what stands in a string is no value");
    }

    #[test]
    fn a_reply_keeps_types_beside_the_value() -> TestResult {
        let payload = Payload::from(Value::from("1.5")).with_type("", ValueType::Decimal);
        let reply: Value = serde_json::from_slice(&encode_reply(&Ok(payload)))?;
        assert_eq!(
            reply,
            serde_json::json!({"ok": true, "value": "1.5", "types": {"": "decimal"}})
        );
        Ok(())
    }
}
