//! The port against servers of this test, good and bad ones.

#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_network::{
    HostRule, NetworkPort, NetworkProfile, NetworkTimes, Resolver, Trust, WithNetwork,
};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload, ValueType};
use serde_json::{Value, json};

use crate::server::{Authority, Server};

fn allow(rules: &[String]) -> NetworkProfile {
    NetworkProfile::Allow(rules.iter().map(|rule| rule.parse::<HostRule>().unwrap()).collect())
}

/// A port that may reach this server and nothing else.
fn port_to(server: &Server) -> NetworkPort {
    NetworkPort::new(allow(&[server.rule()]))
}

async fn ask(port: &impl HostPort, args: Value) -> Result<Value, HostError> {
    let typed = args["body"].is_string();
    let args = Payload::from(args);
    let args = if typed { args.with_type("/body", ValueType::Bytes) } else { args };
    let call = HostCall { namespace: Namespace::Network, op: "request".to_owned(), args };
    let reply = port.call(call).await?;
    assert_eq!(reply.types.get("/body"), Some(&ValueType::Bytes));
    Ok(reply.value)
}

async fn get(port: &impl HostPort, url: &str) -> Result<Value, HostError> {
    ask(port, json!({"method": "GET", "url": url})).await
}

/// The type and the text of a failure.
async fn refusal(port: &impl HostPort, url: &str) -> (String, String) {
    let answer = get(port, url).await.map(|reply| reply["status"].clone());
    let error = answer.unwrap_err();
    (error.error_type, error.message)
}

fn body(reply: &Value) -> Vec<u8> {
    STANDARD.decode(reply["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back() {
    let server = Server::answering(
        b"HTTP/1.1 203 Nearly Good\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\n\
          Set-Cookie: b=2\r\nX-Name: Andr\xe9\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\0\xffx",
    )
    .await;
    let reply = get(&port_to(&server), &server.url("/a?b=c#d")).await.unwrap();
    assert_eq!(
        (reply["status"].as_u64(), reply["reason"].as_str()),
        (Some(203), Some("Nearly Good"))
    );
    assert_eq!(reply["url"], server.url("/a?b=c"));
    assert_eq!(
        reply["headers"],
        json!([
            ["content-type", "text/plain"],
            ["set-cookie", "a=1"],
            ["set-cookie", "b=2"],
            ["x-name", "Andr\u{e9}"],
            ["content-length", "3"]
        ])
    );
    assert_eq!(body(&reply), b"\0\xffx");
    let host = server.url("").replace("http://", "");
    assert_eq!(
        server.requests(),
        [format!(
            "GET /a?b=c HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nuser-agent: pcm-sandbox\r\n\r\n"
        )]
    );
}

#[tokio::test]
async fn a_body_is_sent_byte_for_byte() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let sent = b"POST / HTTP/1.1\r\nHost: second\r\n\r\n\0\x01\r\n0\r\n\r\n";
    let request = json!({
        "method": "POST",
        "url": server.url("/"),
        "headers": [["Content-Length", "3"], ["Transfer-Encoding", "chunked"]],
        "body": STANDARD.encode(sent),
    });
    ask(&port_to(&server), request).await.unwrap();
    let seen = server.requests().remove(0);
    let (head, rest) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\ncontent-length: {}", sent.len())), "{head}");
    assert!(!head.contains("chunked"), "{head}");
    assert_eq!(rest.as_bytes(), sent, "one request, and all of that is its body");
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let request = json!({"method": "PUT", "url": server.url("/"), "body": ""});
    ask(&port_to(&server), request).await.unwrap();
    assert!(server.requests()[0].contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn the_host_header_cannot_be_chosen() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let headers = json!([
        ["Host", "internal.example"],
        ["HOST", "x"],
        ["Proxy-Authorization", "x"],
        ["Connection", "Host"],
        ["User-Agent", "own"],
        ["Cookie", "own=1"]
    ]);
    let request = json!({"method": "GET", "url": server.url("/"), "headers": headers});
    ask(&port_to(&server), request).await.unwrap();
    let seen = server.requests().remove(0);
    assert_eq!(seen.matches("host: ").count(), 1, "{seen}");
    assert!(!seen.contains("internal") && !seen.contains("proxy"), "{seen}");
    assert!(seen.contains("user-agent: own\r\n") && seen.contains("cookie: own=1\r\n"), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_the_next_hop_a_new_call() {
    let inner = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await;
    let location = inner.url("/");
    let server = Server::answering(
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
            .as_bytes(),
    )
    .await;
    let port = port_to(&server);
    let reply = get(&port, &server.url("/")).await.unwrap();
    assert_eq!(reply["status"], 302);
    assert_eq!(reply["headers"][0], json!(["location", location]));
    assert_eq!(refusal(&port, &location).await.0, "PermissionError");
    assert!(inner.requests().is_empty() && inner.connections() == 0);
}

#[tokio::test]
async fn the_own_network_is_refused_in_every_spelling() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let listening = server.port();
    let full = NetworkPort::new(NetworkProfile::Full);
    let other = NetworkPort::new(allow(&["example.org".to_owned(), "*.org:*".to_owned()]));
    for url in [
        format!("http://127.0.0.1:{listening}/"),
        format!("http://localhost:{listening}/"),
        format!("http://LOCALHOST.:{listening}/"),
        format!("http://2130706433:{listening}/"),
        format!("http://0177.0.0.1:{listening}/"),
        format!("http://0x7f.1:{listening}/"),
        format!("http://0:{listening}/"),
        format!("http://[::1]:{listening}/"),
        format!("http://[::]:{listening}/"),
        format!("http://[::ffff:127.0.0.1]:{listening}/"),
        format!("http://[64:ff9b::7f00:1]:{listening}/"),
        format!("http://[2002:7f00:1::]:{listening}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::ffff:a9fe:a9fe]/latest/meta-data/".to_owned(),
        "http://2852039166/latest/meta-data/".to_owned(),
        "http://0251.0376.0251.0376/latest/meta-data/".to_owned(),
    ] {
        assert_eq!(refusal(&full, &url).await.0, "PermissionError", "{url}");
        assert_eq!(refusal(&other, &url).await.0, "PermissionError", "{url}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn without_a_network_the_way_out_is_told() {
    let (kind, message) = refusal(&NetworkPort::new(NetworkProfile::None), "http://x:81/").await;
    assert_eq!(kind, "PermissionError");
    assert_eq!(
        message,
        "the network is off for this session; allow it with NetworkProfile::Allow or `--network x:81`"
    );
}

/// Knows one name, at this address.
#[derive(Debug)]
struct OneName(IpAddr);

#[async_trait]
impl Resolver for OneName {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name == "server.example" {
            Ok(vec![self.0])
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn named(rule: String) -> NetworkPort {
    NetworkPort::new(allow(&[rule])).resolver(Arc::new(OneName(LOOPBACK)))
}

#[tokio::test]
async fn a_name_leads_to_a_private_address_only_where_the_rule_says_so() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let url = format!("http://server.example:{}/", server.port());
    let (kind, message) = refusal(&named(format!("server.example:{}", server.port())), &url).await;
    assert_eq!(kind, "PermissionError");
    assert!(message.starts_with("server.example resolves to an address that is not allowed"));
    assert!(!message.contains("127"), "{message}");
    assert_eq!(server.connections(), 0);
    let port = named(format!("private:server.example:{}", server.port()));
    assert_eq!(get(&port, &url).await.unwrap()["status"], 200);
    assert!(server.requests()[0].contains(&format!("host: server.example:{}\r\n", server.port())));
    let (kind, message) = refusal(&named("*.example".to_owned()), "http://no.example/").await;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("ConnectionError", "the name no.example cannot be resolved")
    );
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ] {
        let server = Server::answering(head.as_bytes()).await;
        let request = json!({"method": method, "url": server.url("/")});
        let reply = ask(&port_to(&server), request).await.unwrap();
        assert_eq!(reply["body"], "", "{head}");
    }
}

#[tokio::test]
async fn chunks_are_joined_and_compressed_bytes_left_alone() {
    let server = Server::answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\
          Transfer-Encoding: chunked\r\n\r\n3\r\n\x1f\x8b\x08\r\n2;x=y\r\nab\r\n0\r\nX-Trailer: x\r\n\r\n",
    )
    .await;
    let reply = get(&port_to(&server), &server.url("/")).await.unwrap();
    assert_eq!(body(&reply), b"\x1f\x8b\x08ab");
    assert_eq!(reply["headers"], json!([["content-encoding", "gzip"]]));
}

#[tokio::test]
async fn a_second_answer_on_the_same_connection_is_ignored() {
    let server = Server::answering(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    )
    .await;
    let port = port_to(&server);
    assert_eq!(body(&get(&port, &server.url("/")).await.unwrap()), b"hi");
    assert_eq!(body(&get(&port, &server.url("/")).await.unwrap()), b"hi");
    assert_eq!(server.connections(), 2, "no connection is used again");
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_the_connection() {
    let many = "X: x\r\n".repeat(100);
    for answer in [
        String::new(),
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200".to_owned(),
        "-ERR unknown command 'GET'\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000)),
        format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(70_000)),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(3),
    ] {
        let server = Server::answering(answer.as_bytes()).await;
        let (kind, message) = refusal(&port_to(&server), &server.url("/")).await;
        assert_eq!(kind, "ConnectionError", "{}: {message}", answer.get(..40).unwrap_or(&answer));
        assert!(message.starts_with("127.0.0.1: "), "{message}");
    }
}

#[tokio::test]
async fn as_many_headers_as_http_client_takes_are_given() {
    let many = "X: x\r\n".repeat(98);
    let server =
        Server::answering(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n").as_bytes())
            .await;
    let reply = get(&port_to(&server), &server.url("/")).await.unwrap();
    assert_eq!(reply["headers"].as_array().unwrap().len(), 99);
}

#[tokio::test]
async fn nobody_listening_is_told_by_kind() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = NetworkPort::new(allow(&[place.to_string()]));
    let url = format!("http://{place}/");
    let (kind, message) = refusal(&port, &url).await;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("ConnectionError", "127.0.0.1: connection refused")
    );
}

#[tokio::test]
async fn an_answer_may_be_so_long_that_its_frame_just_crosses_the_wall() {
    const CALL_BYTES: u64 = 10_000;
    let answer = |length: usize| {
        let head =
            format!("HTTP/1.1 200 OK\r\nX-Quotes: \"\"\"\\\\\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; length]].concat()
    };
    let mut longest = 0;
    for length in 7000..7500 {
        let server = Server::answering(&answer(length)).await;
        match get(&port_to(&server).call_bytes(CALL_BYTES), &server.url("/")).await {
            Ok(reply) => {
                assert_eq!(longest, length.saturating_sub(1) * usize::from(longest > 0), "no gaps");
                let types = json!({"/body": "bytes"});
                let frame = json!({"ok": true, "value": reply, "types": types}).to_string();
                assert!(frame.len() as u64 <= CALL_BYTES, "{} bytes", frame.len());
                longest = length;
            }
            Err(error) => {
                assert_eq!(error.error_type, "LimitExceeded");
                break;
            }
        }
    }
    assert!(longest > 7000 && longest < 7499, "{longest}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    {
        let again = if head.contains("chunked") {
            format!("2000\r\n{}\r\n", "x".repeat(0x2000))
        } else {
            "x".repeat(0x2000)
        };
        let server = Server::endless(head.as_bytes(), again.as_bytes()).await;
        let port = port_to(&server).call_bytes(1 << 20);
        let (kind, message) = refusal(&port, &server.url("/")).await;
        assert_eq!(kind, "LimitExceeded");
        assert!(message.contains("Limits::host_call_bytes"), "{message}");
        server.wait_until_left().await;
        assert!(server.written.load(Ordering::Relaxed) < 64 << 20, "it was not read to any end");
    }
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_unread() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n";
    let server = Server::endless(head, b"").await;
    assert_eq!(refusal(&port_to(&server), &server.url("/")).await.0, "LimitExceeded");
}

#[tokio::test]
async fn a_server_that_dawdles_is_left() {
    for head in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"] {
        let server = Server::endless(head, b"").await;
        let request = json!({"method": "GET", "url": server.url("/"), "timeout": 0.1});
        let error = ask(&port_to(&server), request).await.unwrap_err();
        assert_eq!(error.error_type, "TimeoutError");
        assert_eq!(error.message, "127.0.0.1: no answer within 0.1 s");
        server.wait_until_left().await;
    }
}

#[tokio::test]
async fn the_guest_cannot_wait_longer_than_the_host() {
    let server = Server::endless(b"", b"").await;
    let times = NetworkTimes { total: Duration::from_millis(100), ..NetworkTimes::default() };
    let request = json!({"method": "GET", "url": server.url("/"), "timeout": 1e9});
    let error = ask(&port_to(&server).times(times), request).await.unwrap_err();
    assert_eq!(error.message, "127.0.0.1: no answer within 0.1 s");
}

#[tokio::test]
async fn who_drops_the_call_closes_the_connection() {
    let server = Server::endless(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", b"").await;
    let (port, url) = (port_to(&server), server.url("/"));
    let call = tokio::spawn(async move { get(&port, &url).await.is_ok() });
    server.wait_until_joined().await;
    call.abort();
    server.wait_until_left().await;
}

#[tokio::test]
async fn only_so_many_requests_are_made_at_a_time() {
    let server = Arc::new(Server::endless(b"", b"").await);
    let port = port_to(&server);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (port, url) = (port.clone(), server.url("/"));
            tokio::spawn(async move { get(&port, &url).await.is_ok() })
        })
        .collect();
    while server.connections() < 16 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.connections(), 16);
    let refused = get(&port, "http://127.0.0.1:1/");
    let refused = tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    assert_eq!(refused.unwrap_err().error_type, "PermissionError", "a refusal waits for nobody");
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn tls_is_spoken_with_those_whom_we_trust() {
    let authority = Authority::new();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    for name in ["server.example", "127.0.0.1"] {
        let server = Server::with_tls(answer, authority.certify(name)).await;
        let listening = server.port();
        let port = NetworkPort::new(allow(&[
            format!("private:https://server.example:{listening}"),
            format!("https://127.0.0.1:{listening}"),
        ]))
        .resolver(Arc::new(OneName(LOOPBACK)));
        let ours = port.clone().trust(Trust::only(authority.pem().as_bytes()).unwrap());
        let url = format!("https://{name}:{listening}/");
        assert_eq!(body(&get(&ours, &url).await.unwrap()), b"hi");
        let other = if name == "server.example" { "127.0.0.1" } else { "server.example" };
        let strangers = Trust::only(Authority::new().pem().as_bytes()).unwrap();
        for (port, url) in [
            (&ours, format!("https://{other}:{listening}/")),
            (&port.clone().trust(strangers), url.clone()),
            (&port, url),
        ] {
            let (kind, message) = refusal(port, &url).await;
            assert_eq!(kind, "ConnectionError", "{message}");
            assert!(message.contains("certificate"), "{message}");
        }
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn plain_bytes_are_not_taken_for_tls() {
    let server = Server::answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let trust = Trust::only(Authority::new().pem().as_bytes()).unwrap();
    let url = server.url("/").replace("http:", "https:");
    let (kind, message) = refusal(&port_to(&server).trust(trust), &url).await;
    assert_eq!(kind, "ConnectionError");
    assert!(message.contains("TLS"), "{message}");
}

#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}

#[tokio::test]
async fn the_layer_takes_the_network_and_nothing_else() {
    let inner: Arc<dyn HostPort> = Arc::new(Echo);
    let port = WithNetwork::new(NetworkPort::new(NetworkProfile::None), inner);
    let call = |namespace, op: &str| HostCall {
        namespace,
        op: op.to_owned(),
        args: Payload::from(json!({"method": "GET", "url": "http://x/"})),
    };
    for namespace in [Namespace::Tools, Namespace::Workflows, Namespace::Artifacts, Namespace::Deps]
    {
        assert!(port.call(call(namespace, "request")).await.is_ok());
    }
    let refused = port.call(call(Namespace::Network, "request")).await.unwrap_err();
    assert_eq!(refused.error_type, "PermissionError");
    let unknown = port.call(call(Namespace::Network, "connect")).await.unwrap_err();
    assert_eq!(unknown.error_type, "UnknownOperation");
    let bare = NetworkPort::new(NetworkProfile::Full);
    assert_eq!(
        bare.call(call(Namespace::Tools, "list")).await.unwrap_err().error_type,
        "NotConnected"
    );
}
