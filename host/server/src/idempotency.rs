//! Requests that may be repeated: with an `Idempotency-Key` a request is done once, whoever waits for
//! its answer, and the answer is kept.
//!
//! The key is its token's own. It is claimed in the records before anything is done, so that it holds
//! for all servers that share them, and across a restart.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt as _;
use pcm_storage::{MAX_RECORD_BYTES, RecordKey, RecordKind, StorageError};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Refusal};
use crate::endpoints::Handler;
use crate::request::Call;
use crate::state::State;
use crate::{events, ids};

/// The header with the key.
pub(crate) const KEY_HEADER: &str = "idempotency-key";
/// Says that an answer is one that was given before.
const REPLAYED_HEADER: &str = "idempotency-replayed";
/// How much longer than its run a claim holds.
const MARGIN: Duration = Duration::from_mins(2);

/// What the records have under a key.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// What was asked.
    print: String,
    /// None as long as it is being done.
    answer: Option<KeptAnswer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptAnswer {
    status: u16,
    content_type: String,
    /// Base64. None where it is too long to be kept.
    body: Option<String>,
}

/// Does what is asked, or gives the answer that it had.
pub(crate) async fn answer(call: Call, handler: Handler) -> Result<Answer, Refusal> {
    if call.method != Method::POST || !call.headers.contains_key(KEY_HEADER) {
        return handler(call).await;
    }
    let is_plain = |key: &&str| key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let key = call.header(KEY_HEADER).filter(|key| (1..=255).contains(&key.len()));
    let key = key.filter(is_plain);
    let Some(key) = key.filter(|_| call.headers.get_all(KEY_HEADER).iter().count() == 1) else {
        return Err(Refusal::unprocessable(
            "an Idempotency-Key has 1 to 255 characters from the space to the tilde",
        ));
    };
    if events::are_wanted(&call) {
        return Err(Refusal::unprocessable(
            "events cannot be given a second time: leave out the Idempotency-Key, or ask for JSON",
        ));
    }
    let id = ids::digest(&[call.principal.name.as_bytes(), key.as_bytes()]);
    let record = RecordKey::new(RecordKind::Answer, &id)?;
    let print = ids::digest(&[
        call.path.as_bytes(),
        call.query.as_deref().unwrap_or_default().as_bytes(),
        call.session.as_deref().unwrap_or_default().as_bytes(),
        &call.body,
    ]);
    let state = Arc::clone(&call.state);
    // Whoever asks may be gone before it is done, or before it has begun.
    let done = state.background.spawn(done_once(call, handler, record, print));
    done.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request with a key was not done");
        Err(Refusal::unavailable("the request was not done"))
    })
}

async fn done_once(
    call: Call,
    handler: Handler,
    record: RecordKey,
    print: String,
) -> Result<Answer, Refusal> {
    let state = Arc::clone(&call.state);
    let holds = state.limits.max_timeout.saturating_mul(2).saturating_add(MARGIN);
    let claim = Kept { print: print.clone(), answer: None };
    if !state.records.claim(&record, json(&claim), holds).await? {
        return replay(&state, &record, &print).await;
    }
    let answer = handler(call).await.unwrap_or_else(Refusal::into_answer);
    Ok(keep(&state, &record, print, answer).await)
}

async fn replay(state: &State, record: &RecordKey, print: &str) -> Result<Answer, Refusal> {
    let kept = state.records.get(record).await?;
    let Some(kept) = kept.and_then(|kept| serde_json::from_slice::<Kept>(&kept).ok()) else {
        return Err(Refusal::conflict(
            "the request with this Idempotency-Key was not done; repeat it",
        ));
    };
    if kept.print != print {
        return Err(Refusal::unprocessable("another request had this Idempotency-Key"));
    }
    let Some(answer) = kept.answer else {
        return Err(Refusal::conflict("the request with this Idempotency-Key is being done"));
    };
    let body = answer.body.and_then(|body| BASE64_STANDARD.decode(body).ok());
    let Some(body) = body else {
        return Err(Refusal::conflict(
            "the request with this Idempotency-Key was done, and its answer was too long to be kept",
        ));
    };
    let mut given = Answer::new(body.into());
    *given.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = given.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    Ok(given)
}

/// Keeps an answer, unless it says that nothing was done and that the client may try again.
async fn keep(state: &State, record: &RecordKey, print: String, answer: Answer) -> Answer {
    let (parts, body) = answer.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "an answer with a key could not be read");
            return Refusal::unavailable("the request was not done").into_answer();
        }
    };
    let kept = if may_try_again(parts.status) {
        state.records.remove(record).await
    } else {
        // Base64 and what is around it.
        let is_short = bytes.len() / 3 * 4 + 1024 <= MAX_RECORD_BYTES;
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        let answer = KeptAnswer {
            status: parts.status.as_u16(),
            content_type: content_type
                .and_then(|kind| kind.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            body: is_short.then(|| BASE64_STANDARD.encode(&bytes)),
        };
        let kept = Kept { print, answer: Some(answer) };
        put(state, record, &kept).await
    };
    if let Err(error) = kept {
        tracing::error!(%error, "an answer with a key could not be kept");
    }
    Answer::from_parts(parts, bytes.into())
}

async fn put(state: &State, record: &RecordKey, kept: &Kept) -> Result<(), StorageError> {
    state.records.put(record, json(kept), state.limits.answers_kept).await
}

fn may_try_again(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::MISDIRECTED_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::REQUEST_TIMEOUT
        )
}

fn json(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(kept).unwrap_or_default()
}
