//! Requests, and answers with bounds.

use std::time::Duration;

use pcm_runtime_api::ExecutorError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client as Http, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::RemoteConfig;

/// The longest answer that is no result and no file.
const MOST_ANSWER: u64 = 1 << 20;
/// The longest explanation of a server that is repeated.
const MOST_DETAIL: usize = 500;
/// How often a request is made that the server had no room for.
const ATTEMPTS: usize = 4;
/// The longest that such a request waits, whatever the server asks for.
const MOST_WAIT: Duration = Duration::from_secs(2);
/// What a path may have as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/');

/// One server.
#[derive(Debug)]
pub(crate) struct Client {
    http: Http,
    base: Url,
    authorization: Option<HeaderValue>,
    workspace: Option<String>,
    timeout: Duration,
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody answered, or not to the end.
    Connection(String),
    /// The server does not know the session.
    NoSession,
    /// The server says no.
    Refused { status: u16, detail: String },
    /// The answer is longer than it may be.
    TooLong(u64),
    /// The answer is none of a session server.
    Unreadable,
}

impl Failure {
    /// What is told of it, and what to do.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Connection(why) => format!("the session server does not answer: {why}"),
            Self::NoSession => "the session server ended the session".to_owned(),
            Self::Refused { status: 401, .. } => {
                "the session server does not take the token".to_owned()
            }
            Self::Refused { status, detail } => {
                format!("the session server refused it ({status}): {detail}")
            }
            Self::TooLong(most) => format!(
                "the session server's answer is longer than {most} bytes; raise the limits of this \
                 session, or lower the server's"
            ),
            Self::Unreadable => {
                "what answers there is not a session server; look at the address".to_owned()
            }
        }
    }

    pub(crate) fn startup(&self, backend: &'static str) -> ExecutorError {
        ExecutorError::Startup { backend, reason: self.reason() }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL may have a secret in it.
        let error = error.without_url();
        let why = if error.is_timeout() {
            "not in time".to_owned()
        } else if error.is_connect() {
            "there is no connection".to_owned()
        } else {
            "the connection was lost".to_owned()
        };
        tracing::debug!(%error, "a session server does not answer");
        Self::Connection(why)
    }
}

/// A request that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    method: Method,
    path: &'a str,
    session: Option<&'a str>,
    body: Option<Vec<u8>>,
    is_json: bool,
    streams: bool,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, session: None, body: None, is_json: false, streams: false }
    }

    pub(crate) fn post(path: &'a str) -> Self {
        Self::new(Method::POST, path)
    }

    /// Of this session.
    pub(crate) fn of(mut self, session: &'a str) -> Self {
        self.session = Some(session);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self.is_json = true;
        self
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks for what happens as it happens.
    pub(crate) fn streams(mut self, streams: bool) -> Self {
        self.streams = streams;
        self
    }
}

impl Client {
    pub(crate) fn new(config: &RemoteConfig) -> Result<Self, String> {
        let mut base = Url::parse(&config.url)
            .map_err(|_| "its address is no URL such as http://127.0.0.1:8080".to_owned())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err("its address has to begin with http:// or https://".to_owned());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let authorization = config.token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.text()))
                .map_err(|_| "the token has characters that no header takes".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        // One provider of cryptography in the whole program; whoever chose before us chose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Http::builder()
            .user_agent(concat!("pcm-sandbox/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .redirect(Policy::none()) // the token is for this server
            .referer(false);
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(|_| "the HTTP client could not be made".to_owned())?,
            base,
            authorization: authorization.transpose()?,
            workspace: config.workspace.clone(),
            timeout: config.timeout,
        })
    }

    /// A session of its own on the server.
    pub(crate) async fn open(&self) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Opened {
            session_id: String,
        }
        let body = match &self.workspace {
            Some(workspace) => json!({"workspace_id": workspace}),
            None => json!({}),
        };
        let answer = self.ask(Ask::post("sessions").json(&body), None).await?;
        let opened: Opened = serde_json::from_slice(&answer).map_err(|_| Failure::Unreadable)?;
        let is_taken = opened.session_id.len() <= 256
            && HeaderValue::from_str(&opened.session_id).is_ok()
            && !opened.session_id.is_empty();
        if is_taken { Ok(opened.session_id) } else { Err(Failure::Unreadable) }
    }

    /// Makes a request, and gives its whole answer, which is a short one. Without a time it has that of
    /// every request.
    pub(crate) async fn ask(
        &self,
        ask: Ask<'_>,
        time: Option<Duration>,
    ) -> Result<Vec<u8>, Failure> {
        let answer = async { body(self.begin(ask).await?, MOST_ANSWER).await };
        in_time(time.or(Some(self.timeout)), answer).await
    }

    /// The same for an answer of up to so many bytes.
    pub(crate) async fn fetch(&self, ask: Ask<'_>, most: u64) -> Result<Vec<u8>, Failure> {
        let answer = async { body(self.begin(ask).await?, most).await };
        in_time(Some(self.timeout), answer).await
    }

    /// Makes a request, and gives its answer where it is a good one. What the server has no room for
    /// is asked again a little later: it was not done.
    pub(crate) async fn begin(&self, ask: Ask<'_>) -> Result<Response, Failure> {
        let mut attempts = 1;
        loop {
            let response = self.request(ask.clone())?.send().await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let is_full =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            let wait = wait(response.headers());
            if let (true, Some(wait)) = (is_full && attempts < ATTEMPTS, wait) {
                attempts += 1;
                sleep(wait).await;
                continue;
            }
            return Err(refusal(response).await);
        }
    }

    fn request(&self, ask: Ask<'_>) -> Result<RequestBuilder, Failure> {
        let path = utf8_percent_encode(ask.path, PLAIN).to_string();
        let url = self.base.join(&path).map_err(|_| Failure::Unreadable)?;
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(session) = ask.session {
            let session = HeaderValue::from_str(session).map_err(|_| Failure::Unreadable)?;
            headers.insert("x-session-id", session);
        }
        if ask.is_json {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if ask.streams {
            // A server that has no events gives the result.
            let kinds = HeaderValue::from_static("text/event-stream, application/json;q=0.9");
            headers.insert(header::ACCEPT, kinds);
        }
        let request = self.http.request(ask.method, url).headers(headers);
        Ok(match ask.body {
            Some(body) => request.body(body),
            None => request,
        })
    }
}

async fn in_time<T>(
    time: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match time {
        Some(time) => match timeout(time, work).await {
            Ok(done) => done,
            Err(_) => Err(Failure::Connection("not in time".to_owned())),
        },
        None => work.await,
    }
}

/// How long the server asks us to wait, within reason; None where it does not.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_WAIT))
}

/// The whole body, which is at most so long.
pub(crate) async fn body(mut response: Response, most: u64) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) as u64 > most {
            return Err(Failure::TooLong(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why a server says no, in its own words.
async fn refusal(response: Response) -> Failure {
    #[derive(Deserialize)]
    struct Refused {
        detail: Value,
    }
    let status = response.status();
    let said = body(response, MOST_ANSWER).await.unwrap_or_default();
    let mut detail = match serde_json::from_slice::<Refused>(&said) {
        Ok(Refused { detail: Value::String(text) }) => text,
        Ok(Refused { detail }) => detail.to_string(),
        Err(_) if status == StatusCode::NOT_FOUND => return Failure::Unreadable,
        Err(_) => status.canonical_reason().unwrap_or("no reason is given").to_owned(),
    };
    if status == StatusCode::BAD_REQUEST && detail == "Invalid session ID" {
        return Failure::NoSession;
    }
    detail.truncate(detail.floor_char_boundary(MOST_DETAIL));
    Failure::Refused { status: status.as_u16(), detail }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_http_and_keep_their_path() {
        let client = |url: &str| Client::new(&RemoteConfig::new(url));
        assert_eq!(client("http://h/a").unwrap().base.as_str(), "http://h/a/");
        for url in ["", "h:80", "ftp://h", "file:///etc", "http://"] {
            assert!(client(url).is_err(), "{url}");
        }
    }

    #[test]
    fn paths_of_files_are_encoded_and_stay_where_they_are() {
        let client = Client::new(&RemoteConfig::new("http://h/base")).unwrap();
        let built = client.request(Ask::post("sessions/1/files/a b/ü?x#y")).unwrap();
        let url = built.build().unwrap().url().to_string();
        assert_eq!(url, "http://h/base/sessions/1/files/a%20b/%C3%BC%3Fx%23y");
    }

    #[test]
    fn nobody_waits_longer_than_is_reasonable() {
        let mut headers = HeaderMap::new();
        assert_eq!(wait(&headers), None);
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3600"));
        assert_eq!(wait(&headers), Some(MOST_WAIT));
    }
}
