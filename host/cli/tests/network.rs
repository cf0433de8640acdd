//! The network of a session, from `urllib.request` in the sandbox to a server on this machine.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcm_sandbox::{
    HostRule, NetworkPort, NetworkProfile, NoHost, RunRequest, Session, SessionBuilder, Trust,
    Value, WithNetwork, json,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server that knows some paths, and remembers the requests.
#[derive(Debug, Clone)]
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, requests: Arc::default() };
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => shared.serve(stream).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => shared.serve(stream).await,
                        Err(_) => None,
                    },
                };
            }
        });
        server
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let mut request = String::new();
        while !is_complete(&request) {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
            request.push_str(&String::from_utf8_lossy(part.get(..count)?));
        }
        let answer = self.answer(&request)?;
        self.requests.lock().unwrap().push(request);
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()
    }

    fn answer(&self, request: &str) -> Option<String> {
        let path = request.split(' ').nth(1)?;
        let (_, body) = request.split_once("\r\n\r\n")?;
        Some(match path {
            "/x" => answer("200 OK", "", "hello"),
            "/echo" => answer("200 OK", "Content-Type: text/plain\r\n", body),
            "/again" => answer("302 Found", "Location: /x\r\n", ""),
            "/away" => answer("302 Found", "Location: http://127.0.0.1:6379/\r\n", ""),
            "/inside" => answer("302 Found", "Location: http://169.254.169.254/\r\n", ""),
            "/file" => answer("302 Found", "Location: file:///etc/passwd\r\n", ""),
            "/long" => answer("200 OK", "", &"x".repeat(2 << 20)),
            "/never" => {
                format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX: {}\r\n\r\n", self.port)
            }
            _ => answer("404 Not Found", "X-Why: because\r\n", "nothing here"),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn rule(&self) -> HostRule {
        format!("127.0.0.1:{}", self.port).parse().unwrap()
    }

    fn heard(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn builder() -> SessionBuilder {
    Session::builder().timeout(Duration::from_mins(1))
}

async fn session_for(server: &Server) -> Session {
    builder().network(NetworkProfile::Allow(vec![server.rule()])).start().await.unwrap()
}

async fn value(session: &Session, code: &str) -> Value {
    let result = session.run(code).await;
    assert!(result.error.is_none(), "{code}: {:?}", result.error);
    result.value
}

/// What the exception of code says: its type, that of its reason, and its text.
async fn failure(session: &Session, code: &str) -> (String, String, String) {
    let code = format!(
        "import http.client, urllib.request, socket
try:
    {code}
except Exception as error:
    reason = getattr(error, 'reason', error)
    failed = [type(error).__name__, type(reason).__name__, str(error)]
failed"
    );
    let failed = value(session, &code).await;
    serde_json::from_value(failed).unwrap()
}

fn open(url: &str) -> String {
    format!("urllib.request.urlopen({url:?}).read()")
}

#[tokio::test]
async fn urlopen_reaches_what_a_rule_lists() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let code = format!("import urllib.request\n{}.decode()", open(&server.url("/x")));
    assert_eq!(value(&session, &code).await, "hello");
    let heard = server.heard();
    assert!(heard[0].starts_with("GET /x HTTP/1.1\r\n"), "{heard:?}");
    assert!(heard[0].contains("user-agent: Python-urllib/3.13\r\n"), "{heard:?}");
}

#[tokio::test]
async fn a_body_goes_out_and_comes_back() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let code = format!(
        "import json, urllib.request
request = urllib.request.Request({:?}, json.dumps({{'a': ['ä']}}).encode(), {{'X-Own': 'y'}})
with urllib.request.urlopen(request) as response:
    echoed = json.load(response), response.status, response.headers['content-type']
echoed",
        server.url("/echo")
    );
    assert_eq!(value(&session, &code).await, json!([{"a": ["ä"]}, 200, "text/plain"]));
    let heard = server.heard();
    assert!(heard[0].starts_with("POST /echo") && heard[0].contains("x-own: y\r\n"), "{heard:?}");
}

#[tokio::test]
async fn http_client_serves_many_requests_over_one_connection() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let code = format!(
        "import http.client
c = http.client.HTTPConnection('127.0.0.1', {})
got = []
for path in ('/x', '/missing', '/x'):
    c.request('GET', path, headers={{'Host': 'internal.example'}})
    r = c.getresponse()
    got.append([r.status, r.read().decode()])
got",
        server.port
    );
    assert_eq!(
        value(&session, &code).await,
        json!([[200, "hello"], [404, "nothing here"], [200, "hello"]])
    );
    let host = format!("host: 127.0.0.1:{}\r\n", server.port);
    assert!(server.heard().iter().all(|request| request.contains(&host)));
    assert!(server.heard().iter().all(|request| !request.contains("internal")));
}

#[tokio::test]
async fn an_error_status_is_an_httperror() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let code = format!(
        "import urllib.error, urllib.request
try:
    {}
except urllib.error.HTTPError as error:
    caught = error.code, error.reason, error.headers['X-Why'], error.read().decode()
caught",
        open(&server.url("/missing"))
    );
    assert_eq!(value(&session, &code).await, json!([404, "Not Found", "because", "nothing here"]));
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_the_rules_go() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let code = format!("import urllib.request\n{}.decode()", open(&server.url("/again")));
    assert_eq!(value(&session, &code).await, "hello");
    for (path, place) in [("/away", "127.0.0.1:6379"), ("/inside", "169.254.169.254")] {
        let (error, reason, text) = failure(&session, &open(&server.url(path))).await;
        assert_eq!((error.as_str(), reason.as_str()), ("URLError", "PermissionError"), "{text}");
        assert!(text.contains(place), "{text}");
    }
    let (error, ..) = failure(&session, &open(&server.url("/file"))).await;
    assert_eq!(error, "HTTPError", "urllib itself follows to no file");
}

#[tokio::test]
async fn without_a_network_the_error_says_how_to_get_one() {
    let server = Server::start(None).await;
    let session = builder().start().await.unwrap();
    let url = server.url("/x");
    let (error, reason, text) = failure(&session, &open(&url)).await;
    assert_eq!((error.as_str(), reason.as_str()), ("URLError", "PermissionError"));
    assert_eq!(
        text,
        format!(
            "<urlopen error [PermissionError] the network is off for this session; allow it with \
             NetworkProfile::Allow or `--network 127.0.0.1:{}`>",
            server.port
        )
    );
    let session = builder().port(Arc::new(NoHost)).start().await.unwrap();
    let (_, reason, text) = failure(&session, &open(&url)).await;
    assert_eq!(reason, "PermissionError");
    assert!(text.contains("this session has no host"), "{text}");
    assert_eq!(server.heard().len(), 0);
}

#[tokio::test]
async fn what_is_not_listed_stays_out_of_reach() {
    let (server, other) = (Server::start(None).await, Server::start(None).await);
    let port = other.port;
    let listed = session_for(&server).await;
    let full = builder().network(NetworkProfile::Full).start().await.unwrap();
    for code in [
        open(&other.url("/x")),
        open(&format!("http://localhost:{port}/x")),
        open(&format!("http://2130706433:{port}/x")),
        open(&format!("http://0177.0.0.1:{port}/x")),
        open(&format!("http://[::ffff:127.0.0.1]:{port}/x")),
        open("http://169.254.169.254/latest/meta-data/"),
        open("http://[::ffff:a9fe:a9fe]/"),
        open("http://2852039166/"),
        open("http://0251.0376.0251.0376/"),
        format!("http.client.HTTPConnection('127.0.0.1', {port}).request('GET', '/x')"),
        format!("http.client.HTTPSConnection('127.0.0.1', {port}).request('GET', '/x')"),
        "socket.create_connection(('1.1.1.1', 80))".to_owned(),
        format!("socket.socket().connect(('127.0.0.1', {port}))"),
    ] {
        for session in [&listed, &full] {
            let (_, reason, text) = failure(session, &code).await;
            assert!(["PermissionError", "OSError"].contains(&reason.as_str()), "{code}: {text}");
        }
    }
    assert_eq!((server.heard().len(), other.heard().len()), (0, 0));
}

#[tokio::test]
async fn requests_that_the_guest_makes_up_are_looked_at_too() {
    let server = Server::start(None).await;
    let session = session_for(&server).await;
    let frame = |args: Value, types: Value| {
        let frame = json!({"namespace": "network", "op": "request", "args": args, "types": types});
        format!("import _pcm_host\n_pcm_host.call({:?}.encode()).decode()", frame.to_string())
    };
    let url = server.url("/x");
    for (args, types) in [
        (json!({"method": "GET", "url": url, "headers": [["X", "a\r\nHost: b"]]}), json!({})),
        (json!({"method": "GET / HTTP/1.1\r\n\r\nGET", "url": url}), json!({})),
        (json!({"method": "CONNECT", "url": url}), json!({})),
        (json!({"method": "GET", "url": url, "redirects": true}), json!({})),
        (json!({"method": "GET", "url": url, "body": "x"}), json!({"/body": "bytes"})),
        (json!({"method": "GET", "url": format!("{url}\r\nX: y")}), json!({})),
    ] {
        let reply = value(&session, &frame(args.clone(), types)).await;
        let reply: Value = serde_json::from_str(reply.as_str().unwrap()).unwrap();
        assert_eq!((&reply["ok"], &reply["type"]), (&json!(false), &json!("ValueError")), "{args}");
    }
    assert_eq!(server.heard().len(), 0);
}

#[tokio::test]
async fn waiting_and_length_are_bounded() {
    let server = Server::start(None).await;
    let limits = pcm_sandbox::Limits { host_call_bytes: 1 << 20, ..pcm_sandbox::Limits::default() };
    let builder = builder().limits(limits);
    let profile = NetworkProfile::Allow(vec![server.rule()]);
    let session = builder.network(profile).start().await.unwrap();
    let (error, _, text) = failure(&session, &open(&server.url("/long"))).await;
    assert_eq!(error, "URLError");
    assert!(text.contains("Limits::host_call_bytes"), "{text}");
    let (_, reason, text) = failure(&session, &open(&server.url("/never"))).await;
    assert_eq!(reason, "ConnectionError", "{text}");
    // A server that accepts and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let profile = NetworkProfile::Allow(vec![format!("127.0.0.1:{port}").parse().unwrap()]);
    let session = Session::builder().network(profile).start().await.unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let open = format!("urllib.request.urlopen({url:?}, timeout=0.2)");
    let (_, reason, text) = failure(&session, &open).await;
    assert_eq!(reason, "TimeoutError", "{text}");
    let code = format!("import urllib.request\nurllib.request.urlopen({url:?})");
    let request = RunRequest::new(code).timeout(Duration::from_millis(200));
    let result = session.run_request(request).await;
    assert_eq!(result.error.unwrap().kind, pcm_sandbox::ErrorKind::Timeout);
    assert_eq!(value(&session, "1 + 1").await, 2);
}

#[tokio::test]
async fn https_works_without_ssl_in_the_sandbox() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let server = Server::start(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let network = NetworkPort::new(NetworkProfile::Allow(vec![server.rule()]));
    let trusting = network.trust(Trust::only(cert.pem().as_bytes()).unwrap());
    let port = WithNetwork::new(trusting, Arc::new(NoHost));
    let session = builder().port(Arc::new(port)).start().await.unwrap();
    let code = format!(
        "import http.client, urllib.request
opened = urllib.request.urlopen('https://127.0.0.1:{0}/x').read().decode()
c = http.client.HTTPSConnection('127.0.0.1', {0})
c.request('GET', '/x')
[opened, c.getresponse().read().decode()]",
        server.port
    );
    assert_eq!(value(&session, &code).await, json!(["hello", "hello"]));
    // Without trust there is no connection.
    let session = session_for(&server).await;
    let url = server.url("/x").replace("http:", "https:");
    let (_, reason, text) = failure(&session, &open(&url)).await;
    assert_eq!(reason, "ConnectionError");
    assert!(text.contains("certificate"), "{text}");
}
