//! The messages that `pcm_guest` speaks; see its `calls` and `evaluate` modules.

use std::collections::BTreeMap;

use pcm_fences::{Fence, holds};
use pcm_runtime_api::{HostCall, HostError, Limits, Payload, ValueType, json_cost};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many times `host_call_bytes` the values of a frame may take.
const EXPANSION: u64 = 16;
/// The longest name of an operation.
const MAX_OP: usize = 64;

/// How a run is to be evaluated; travels with the source.
#[derive(Debug, Clone)]
pub struct RunOptions {
    repr: bool,
    value_bytes: u64,
    recursion: u32,
    shared: bool,
}

impl RunOptions {
    /// The options of a run under `limits`. `shared` is whether other sessions were in the state
    /// that the run begins with: then its random numbers must be renewed.
    pub fn new(limits: &Limits, repr: bool, shared: bool) -> Self {
        Self {
            repr,
            value_bytes: limits.host_call_bytes / 2,
            recursion: limits.recursion,
            shared: shared && holds(Fence::Renewal),
        }
    }

    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        let Self { repr, value_bytes, recursion, shared } = self;
        format!("{} {value_bytes} {recursion} {}", u8::from(*repr), u8::from(*shared)).into_bytes()
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
    #[error("it has too many parts to cross the wall")]
    TooManyParts,
    #[error("no operation has a name of more than {MAX_OP} bytes")]
    LongOperation,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Namespace(#[from] pcm_runtime_api::UnknownNamespace),
}

impl Outcome {
    pub(crate) fn decode(frame: &[u8], limits: &Limits) -> Result<Self, BadFrame> {
        host_bytes(frame, limits)?;
        Ok(serde_json::from_slice(frame)?)
    }
}

/// Reads a request. Its length was checked by whoever copied it out of the guest.
pub(crate) fn decode_request(frame: &[u8], limits: &Limits) -> Result<HostCall, BadFrame> {
    #[derive(Deserialize)]
    struct Request {
        namespace: String,
        op: String,
        args: Value,
        #[serde(default)]
        types: BTreeMap<String, ValueType>,
    }
    host_bytes(frame, limits)?;
    let request: Request = serde_json::from_slice(frame)?;
    if request.op.len() > MAX_OP {
        return Err(BadFrame::LongOperation);
    }
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

/// What a JSON text will take on the host, before any of it is built. Depth is serde's to bound.
pub(crate) fn host_bytes(text: &[u8], limits: &Limits) -> Result<u64, BadFrame> {
    let bytes = json_cost(text);
    let most = limits.host_call_bytes.saturating_mul(EXPANSION);
    if bytes > most && holds(Fence::Parts) { Err(BadFrame::TooManyParts) } else { Ok(bytes) }
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
            &Limits::default(),
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
            assert!(
                decode_request(frame, &Limits::default()).is_err(),
                "{}",
                String::from_utf8_lossy(frame)
            );
        }
    }

    #[test]
    fn depth_and_parts_are_bounded() {
        let decode = |text: String| Outcome::decode(text.as_bytes(), &Limits::default());
        let deep = format!("{{\"value\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(decode(deep).is_err());
        for part in ["0,", "{},", "[],", "{\"\":0},"] {
            let many = format!("{{\"value\":[{}0]}}", part.repeat((8 << 20) / part.len()));
            assert!(matches!(decode(many), Err(BadFrame::TooManyParts)), "{part}");
        }
        let records = r#"{"id":12345,"name":"a name","tags":["x","y"]},"#.repeat(20_000);
        assert!(decode(format!("{{\"value\":[{records}0]}}")).is_ok());
        let text = format!("{{\"value\":\"{}\"}}", "[,\\\"".repeat(1 << 20));
        assert!(decode(text).is_ok(), "what stands in a string is no part");
    }

    #[test]
    fn an_operation_has_a_short_name() {
        let frame = format!(r#"{{"namespace":"tools","op":"{}","args":{{}}}}"#, "x".repeat(65));
        let refused = decode_request(frame.as_bytes(), &Limits::default());
        assert!(matches!(refused, Err(BadFrame::LongOperation)));
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
