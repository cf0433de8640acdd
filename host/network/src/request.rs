//! One request, as the guest asks for it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use pcm_runtime_api::{Payload, ValueType};
use serde::Deserialize;

use crate::NetworkError;
use crate::target::Target;

const MAX_METHOD: usize = 32;
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 64 << 10;
const BODY: &str = "/body";

/// A request with nothing in it that could be read in two ways.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    timeout: Option<f64>,
}

impl Request {
    /// Reads the arguments of a call. The guest may have made up all of them.
    pub(crate) fn parse(args: Payload, most_body_bytes: u64) -> Result<Self, NetworkError> {
        let Payload { value, types } = args;
        let arguments: Arguments =
            serde_json::from_value(value).map_err(|error| bad(format!("bad request: {error}")))?;
        let typed_alike = types.iter().all(|(at, kind)| at == BODY && *kind == ValueType::Bytes);
        if !typed_alike || arguments.body.is_some() != types.contains_key(BODY) {
            return Err(bad("bad request: the body, and nothing else, is bytes"));
        }
        Ok(Self {
            target: Target::parse(&arguments.url)?,
            method: parse_method(&arguments.method)?,
            headers: parse_headers(&arguments.headers)?,
            body: arguments.body.map(|text| parse_body(&text, most_body_bytes)).transpose()?,
            timeout: arguments.timeout.map(parse_timeout).transpose()?,
        })
    }
}

fn parse_method(name: &str) -> Result<Method, NetworkError> {
    let method = (name.len() <= MAX_METHOD).then(|| Method::from_bytes(name.as_bytes()).ok());
    match method.flatten() {
        // They are for proxies, and for looking at what a proxy adds.
        Some(Method::CONNECT | Method::TRACE) => Err(bad(format!("{name} is not possible"))),
        Some(method) => Ok(method),
        None => Err(bad("bad request: the method is no token")),
    }
}

fn parse_headers(headers: &[(String, String)]) -> Result<HeaderMap, NetworkError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(bad(format!(
            "at most {MAX_HEADERS} headers and {MAX_HEADER_BYTES} bytes of them can be sent"
        )));
    }
    let mut parsed = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| bad(format!("{name:?} cannot be the name of a header")))?;
        if is_of_the_connection(&name) {
            continue;
        }
        // One character is one byte, as in `http.client`.
        let value = value.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>();
        let value = value.ok().and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        let value =
            value.ok_or_else(|| bad(format!("{name} has a value that no header can have")))?;
        parsed.append(name, value);
    }
    Ok(parsed)
}

/// Whether a header is about the connection, or about where it leads: both are the host's business.
/// Libraries send some of them always, so they are left out and not refused.
pub(crate) fn is_of_the_connection(name: &HeaderName) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

fn parse_body(text: &str, most: u64) -> Result<Bytes, NetworkError> {
    let body = STANDARD.decode(text).map_err(|_| bad("bad request: the body is no base64"))?;
    if body.len() as u64 > most {
        return Err(bad(format!("a body of {} bytes is too long; {most} can be sent", body.len())));
    }
    Ok(body.into())
}

fn parse_timeout(seconds: f64) -> Result<Duration, NetworkError> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ if seconds > 0.0 => Ok(Duration::MAX),
        _ => Err(bad("a timeout is a number of seconds greater than 0")),
    }
}

fn bad(reason: impl Into<String>) -> NetworkError {
    NetworkError::BadRequest(reason.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MOST: u64 = 1000;

    fn parse(value: Value) -> Result<Request, NetworkError> {
        let typed = value["body"].is_string();
        let payload = Payload::from(value);
        let payload = if typed { payload.with_type(BODY, ValueType::Bytes) } else { payload };
        Request::parse(payload, MOST)
    }

    fn with_headers(headers: &Value) -> Result<Request, NetworkError> {
        parse(json!({"method": "GET", "url": "http://example.org/", "headers": headers}))
    }

    #[test]
    fn a_request_is_read() -> Result<(), NetworkError> {
        let request = parse(json!({
            "method": "POST",
            "url": "https://example.org/x",
            "headers": [["Accept", "a"], ["accept", "b"], ["X-Name", "Andr\u{e9}"]],
            "body": "aGk=",
            "timeout": 2.5,
        }))?;
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.target.url(), "https://example.org/x");
        assert_eq!(request.headers.get_all("accept").iter().count(), 2);
        assert_eq!(request.headers["x-name"].as_bytes(), b"Andr\xe9");
        assert_eq!(request.body.as_deref(), Some(&b"hi"[..]));
        assert_eq!(request.timeout, Some(Duration::from_millis(2500)));
        Ok(())
    }

    #[test]
    fn headers_of_the_connection_are_left_out() -> Result<(), NetworkError> {
        let request = with_headers(&json!([
            ["Host", "internal.example"],
            ["hOsT", "again.example"],
            ["Content-Length", "5"],
            ["Transfer-Encoding", "chunked"],
            ["Connection", "keep-alive, x-secret"],
            ["Keep-Alive", "x"],
            ["Proxy-Authorization", "x"],
            ["Proxy-Anything", "x"],
            ["TE", "trailers"],
            ["Trailer", "x"],
            ["Upgrade", "websocket"],
            ["Expect", "100-continue"],
            ["Authorization", "kept"],
        ]))?;
        let names: Vec<&str> = request.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["authorization"]);
        Ok(())
    }

    #[test]
    fn headers_that_would_become_two_are_refused() {
        let many: Vec<_> = (0..101).map(|number| (format!("x-{number}"), "")).collect();
        for headers in [
            json!([["X", "a\r\nHost: internal"]]),
            json!([["X", "a\nY: b"]]),
            json!([["X", "a\rY: b"]]),
            json!([["X", "a\u{0}b"]]),
            json!([["X", "a\u{7f}b"]]),
            json!([["X", "\u{10a}\u{10d}"]]), // lower bytes: line feed and carriage return
            json!([["X\r\nHost: internal", "a"]]),
            json!([["X: a\r\nY", "b"]]),
            json!([["", "a"]]),
            json!([["X Y", "a"]]),
            json!([["X:", "a"]]),
            json!([["Ä", "a"]]),
            json!([["X"]]),
            json!([["X", 1]]),
            json!({"X": "a"}),
            json!([["X", "a".repeat(70_000)]]),
            json!(many),
        ] {
            assert!(
                matches!(with_headers(&headers), Err(NetworkError::BadRequest(_))),
                "{headers}"
            );
        }
    }

    #[test]
    fn made_up_arguments_are_refused() {
        let url = "http://example.org/";
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!({"method": "GET"}),
            json!({"method": "GET", "url": 1}),
            json!({"method": "GET", "url": url, "proxy": "http://127.0.0.1/"}),
            json!({"method": "", "url": url}),
            json!({"method": "GET / HTTP/1.1\r\nX:", "url": url}),
            json!({"method": "G".repeat(33), "url": url}),
            json!({"method": "CONNECT", "url": url}),
            json!({"method": "TRACE", "url": url}),
            json!({"method": "GET", "url": url, "timeout": 0}),
            json!({"method": "GET", "url": url, "timeout": -1}),
            json!({"method": "GET", "url": url, "timeout": "1"}),
            json!({"method": "GET", "url": url, "body": "not base64"}),
            json!({"method": "GET", "url": url, "body": STANDARD.encode([0; 1001])}),
        ] {
            assert!(matches!(parse(value.clone()), Err(NetworkError::BadRequest(_))), "{value}");
        }
    }

    #[test]
    fn the_body_is_bytes_and_nothing_else_is() {
        let args = json!({"method": "GET", "url": "http://example.org/", "body": "aGk="});
        assert!(Request::parse(args.clone().into(), MOST).is_err());
        for (at, kind) in
            [(BODY, ValueType::Path), ("/url", ValueType::Bytes), ("", ValueType::Bytes)]
        {
            assert!(Request::parse(Payload::from(args.clone()).with_type(at, kind), MOST).is_err());
        }
        let long = parse(json!({"method": "GET", "url": "http://x/", "timeout": 1e300}));
        assert_eq!(long.ok().and_then(|request| request.timeout), Some(Duration::MAX));
    }
}
