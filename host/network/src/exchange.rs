//! One request and its answer over a connection.

use std::pin::pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use pcm_runtime_api::{Payload, ValueType};
use serde_json::{Value, json};

use crate::NetworkError;
use crate::connection::{Stream, kind};
use crate::request::{Request, is_of_the_connection};
use crate::target::Target;

/// The most that the first line and the headers of an answer may take.
const MAX_HEAD: usize = 64 << 10;
/// `http.client` takes a hundred lines, the empty one included.
const MAX_HEADERS: usize = 99;
const BAD_HEAD: &str =
    "the head of the answer is not HTTP, or it has more than 64 KiB or 99 headers";
/// What stands around the value in the frame that carries it, roughly.
const FRAME_BYTES: u64 = 256;

/// Sends the request, and gives the answer as the guest reads it. `call_bytes` is the longest reply
/// that crosses the wall.
pub(crate) async fn exchange(
    request: Request,
    stream: Box<dyn Stream>,
    call_bytes: u64,
) -> Result<Payload, NetworkError> {
    let host = request.target.host.to_string();
    let failed = |error: hyper::Error| NetworkError::connection(&host, why(&error));
    let handshake = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    let (target, message) = message(request)?;
    let work = async {
        let answer = sender.send_request(message).await.map_err(failed)?;
        read(answer, &host, &target, call_bytes).await
    };
    // The connection lives in this future: who drops it, closes the connection.
    match select(pin!(work), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, work)) => work.await,
    }
}

fn message(request: Request) -> Result<(Target, hyper::Request<Full<Bytes>>), NetworkError> {
    let Request { target, method, mut headers, body, timeout: _ } = request;
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| NetworkError::BadRequest("bad URL: no usable host".to_owned()))
    };
    headers.insert(header::HOST, value(target.authority())?);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(body) = &body {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, HeaderValue::from_static("pcm-sandbox"));
    }
    let mut message = hyper::Request::new(Full::new(body.unwrap_or_default()));
    *message.method_mut() = method;
    *message.uri_mut() = target
        .path_and_query()
        .parse()
        .map_err(|_| NetworkError::BadRequest("bad URL: no usable path".to_owned()))?;
    *message.headers_mut() = headers;
    Ok((target, message))
}

async fn read(
    answer: Response<Incoming>,
    host: &str,
    target: &Target,
    call_bytes: u64,
) -> Result<Payload, NetworkError> {
    if answer.status().is_informational() {
        return Err(NetworkError::connection(host, "the answer is no answer to this request"));
    }
    let reason = reason_phrase(&answer);
    // The parser's own bound is that of its buffer, which may be larger by what arrives at once.
    let head = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if head.sum::<usize>() + reason.len() > MAX_HEAD {
        return Err(NetworkError::connection(host, BAD_HEAD));
    }
    let mut reply = json!({
        "status": answer.status().as_u16(),
        "reason": reason,
        "headers": named(answer.headers()),
        "url": target.url(),
        "body": "",
    });
    let most = most_body_bytes(&reply, call_bytes);
    let body = read_body(answer.into_body(), host, most).await?;
    if let Some(place) = reply.get_mut("body") {
        *place = STANDARD.encode(body).into();
    }
    Ok(Payload::from(reply).with_type("/body", ValueType::Bytes))
}

/// How long a body may be so that the reply, with this in it already, is not longer than `call_bytes`
/// once the body is base64.
fn most_body_bytes(reply: &Value, call_bytes: u64) -> u64 {
    let taken = reply.to_string().len() as u64 + FRAME_BYTES;
    call_bytes.saturating_sub(taken) / 4 * 3
}

async fn read_body(mut body: Incoming, host: &str, most: u64) -> Result<Vec<u8>, NetworkError> {
    let too_long = || NetworkError::TooLong { host: host.to_owned(), most };
    if body.size_hint().lower() > most {
        return Err(too_long()); // it says so itself
    }
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| NetworkError::connection(host, why(&error)))?;
        let Ok(data) = frame.into_data() else { continue }; // trailers
        if read.len() as u64 + data.len() as u64 > most {
            return Err(too_long());
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

/// The headers in order, one byte as one character, less those about the connection.
fn named(headers: &HeaderMap) -> Value {
    let is_told =
        |name: &&header::HeaderName| *name == header::CONTENT_LENGTH || !is_of_the_connection(name);
    headers
        .iter()
        .filter(|(name, _)| is_told(name))
        .map(|(name, value)| json!([name.as_str(), latin1(value.as_bytes())]))
        .collect()
}

fn reason_phrase(answer: &Response<Incoming>) -> String {
    match answer.extensions().get::<ReasonPhrase>() {
        Some(phrase) => latin1(phrase.as_bytes()),
        None => answer.status().canonical_reason().unwrap_or_default().to_owned(),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// What went wrong, without the texts of the system.
fn why(error: &hyper::Error) -> String {
    use std::error::Error as _;

    if error.is_parse() {
        return BAD_HEAD.to_owned();
    }
    if error.is_incomplete_message() {
        return "the connection was closed before the answer was complete".to_owned();
    }
    let inner = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    inner.map_or_else(|| "the connection broke".to_owned(), kind)
}
