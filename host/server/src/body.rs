//! The body of a request: read within bounds of size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use pcm_runtime_api::json_cost;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Refusal;

/// The unit in which memory is counted.
const UNIT: u64 = 1024;
/// How much of a body that nobody wanted is read, so that its connection can be used on.
const MOST_UNWANTED: u64 = 64 << 10;
/// How long that may take.
const UNWANTED_FOR: Duration = Duration::from_secs(2);

/// The memory that all bodies together may have.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    units: Arc<Semaphore>,
    bytes: u64,
}

/// A part of that memory, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Memory,
    units: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
        // What one permit may hold is bounded by its own type.
        let most = usize::try_from(u32::MAX).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units.clamp(1, most))), bytes }
    }

    pub(crate) fn hold(&self) -> Held {
        Held { memory: self.clone(), units: None }
    }
}

impl Held {
    /// Takes memory before it is used.
    fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        if bytes > self.memory.bytes {
            return Err(Refusal::too_large(
                "the body needs more memory than the server has for bodies",
            ));
        }
        let full = || Refusal::unavailable("the server has no memory for this request now");
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| full())?;
        let memory = Arc::clone(&self.memory.units);
        let taken = memory.try_acquire_many_owned(units).map_err(|_| full())?;
        match &mut self.units {
            Some(units) => units.merge(taken),
            None => self.units = Some(taken),
        }
        Ok(())
    }
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: &mut Body,
    most: u64,
    patience: Duration,
    held: &mut Held,
) -> Result<Bytes, Refusal> {
    let too_long = || Refusal::too_large(format!("the body has more than {most} bytes"));
    if said_length(headers).is_some_and(|length| length > most) {
        return Err(too_long());
    }
    match tokio::time::timeout(patience, collect(body, most, held)).await {
        Ok(Some(read)) => read,
        Ok(None) => Err(too_long()),
        Err(_) => {
            let said = format!("the body took longer than {} s", patience.as_secs_f64());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, said))
        }
    }
}

/// The bytes of a body; None where there are more than `most`.
async fn collect(body: &mut Body, most: u64, held: &mut Held) -> Option<Result<Bytes, Refusal>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Some(Err(Refusal::bad("the body is not understood, or ended too early")));
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() as u64 + data.len() as u64 > most {
            return None;
        }
        if let Err(refusal) = held.take(data.len() as u64) {
            return Some(Err(refusal));
        }
        bytes.extend_from_slice(&data);
    }
    Some(Ok(bytes.into()))
}

/// Reads what is left of a body that nobody wanted, if that is little; whether nothing is left. A
/// connection with something left on it has to be closed, and who sent it may then miss its answer.
pub(crate) async fn is_read_up(headers: &HeaderMap, body: &mut Body) -> bool {
    if body.is_end_stream() {
        return true;
    }
    // Who waits to be asked for the body is not asked for it.
    let is_too_long = said_length(headers).is_some_and(|length| length > MOST_UNWANTED);
    if is_too_long || headers.contains_key(header::EXPECT) {
        return false;
    }
    let read = async {
        let mut left = MOST_UNWANTED;
        while let Some(frame) = body.frame().await {
            let bytes = frame.map(|frame| frame.data_ref().map_or(0, |data| data.len() as u64));
            match bytes.ok().and_then(|bytes| left.checked_sub(bytes)) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    };
    tokio::time::timeout(UNWANTED_FOR, read).await.unwrap_or(false)
}

/// How long the body is, as its head has it.
fn said_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body as JSON of one shape. What its values will take in memory is taken before they are made.
pub(crate) fn parse<T: DeserializeOwned>(
    headers: &HeaderMap,
    bytes: &[u8],
    held: &mut Held,
) -> Result<T, Refusal> {
    if !is_json(headers) {
        return Err(Refusal::unprocessable(
            "the body has to be JSON: Content-Type application/json",
        ));
    }
    // Lists would be taken for objects whose fields they have in order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::unprocessable("the body has to be a JSON object"));
    }
    held.take(json_cost(bytes))?;
    serde_json::from_slice(bytes).map_err(|error| {
        // Its text quotes what was sent, which may be long.
        let text: String = error.to_string().chars().take(300).collect();
        Refusal::unprocessable(format!("the body is not what is expected: {text}"))
    })
}

/// Whether a body is JSON, or at least nobody says that it is something else.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let Ok(kind) = kind.to_str() else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn values_are_paid_for_before_they_are_made() {
        let memory = Memory::new(100 * UNIT);
        let bomb = format!("{{\"a\":[{}[]]}}", "[],".repeat(10_000));
        let refused = parse::<Value>(&HeaderMap::new(), bomb.as_bytes(), &mut memory.hold());
        assert_eq!(refused.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        let mut held = memory.hold();
        held.take(90 * UNIT).unwrap();
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
        let refused = parse::<Value>(&HeaderMap::new(), long.as_bytes(), &mut memory.hold());
        assert_eq!(refused.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(parse::<Value>(&HeaderMap::new(), b" {\"a\": [1, 2]}", &mut held).is_ok());
        drop(held);
        assert_eq!(memory.units.available_permits(), 100);
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        let memory = Memory::new(1 << 30);
        let mut headers = HeaderMap::new();
        let deep = "{\"a\":".repeat(100_000) + &"}".repeat(100_000);
        for text in [&*deep, "", "{", "[]", "\u{feff}{}", "{\"a\":NaN}", "1", "{} {}"] {
            let read = parse::<Value>(&headers, text.as_bytes(), &mut memory.hold());
            assert_eq!(read.unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        for (kind, is_taken) in [
            ("application/json; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            let read = parse::<Value>(&headers, b"{}", &mut memory.hold());
            assert_eq!(read.is_ok(), is_taken, "{kind}");
        }
    }
}
