//! How much, how often, how many, how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ask::Reply;
use crate::support::{Setup, World, until_is};

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let setup = Setup::default().with(|config| {
        config.limits.max_json_bytes = 1000;
        config.limits.max_upload_bytes = 2000;
    });
    let world = setup.start().await;
    let long = "x".repeat(1001);
    let reply = world.execute(&long).send().await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    let put = |bytes| world.ask("PUT", "/api/artifacts/a").body(vec![0; bytes]);
    assert_eq!((put(2000).status().await, put(2001).status().await), (200, 413));
    // What only says that it is long is refused at its word; what does not say is counted.
    let head = |more: &str| {
        format!(
            "POST /execute HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{more}\r\n",
            crate::ask::TOKEN
        )
    };
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head("Content-Length: 99999999999\r\n").as_bytes()).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 413);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head("Transfer-Encoding: chunked\r\n").as_bytes()).await.unwrap();
    for _ in 0..20 {
        // It may be closed before all of it is written.
        let _ = stream.write_all(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes()).await;
    }
    assert_eq!(Reply::read(&mut stream).await.status, 413);
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bodies_share_a_bounded_memory() {
    let setup = Setup::default().with(|config| config.limits.max_body_memory = 100_000);
    let world = setup.start().await;
    let bomb = format!("{{\"name\":\"a\",\"data\":[{}[]]}}", "[],".repeat(10_000));
    let ask = world.ask("POST", "/api/artifacts").body(bomb);
    assert_eq!(ask.status().await, 413, "30 KB that would be megabytes");
    assert_eq!(world.ask("PUT", "/api/artifacts/a").body(vec![0; 90_000]).status().await, 200);
    assert_eq!(world.ask("PUT", "/api/artifacts/a").body(vec![0; 110_000]).status().await, 503);
}

#[tokio::test]
async fn a_token_has_a_rate() {
    let setup = Setup::default().with(|config| config.limits.requests_per_second = 1);
    let world = setup.start().await;
    let mut last = world.get("/info").send().await;
    assert_eq!(last.status, 200);
    for _ in 0..20 {
        last = world.get("/info").send().await;
    }
    assert_eq!(last.status, 429);
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(world.get("/health").status().await, 200);
}

#[tokio::test]
async fn requests_at_a_time_are_bounded() {
    for (per_token, status) in [(2, 429), (100, 503)] {
        let setup = Setup::default().with(|config| {
            config.limits.max_requests_per_token = per_token;
            config.limits.max_requests = 2;
        });
        let world = setup.start().await;
        let first = world.execute("sleep").open().await;
        let second = world.execute("sleep").header("Accept", "text/event-stream").open().await;
        until_is(&world.stage.running, 2).await;
        let reply = world.get("/info").send().await;
        assert_eq!(reply.status, status);
        assert!(reply.header("retry-after").is_some());
        assert_eq!(world.get("/health").status().await, 200);
        drop((first, second));
        until_is(&world.stage.running, 0).await;
        let mut reply = world.get("/info").send().await;
        while reply.status == status {
            reply = world.get("/info").send().await;
        }
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_request_that_goes_on_without_its_client_counts() {
    let setup = Setup::default().with(|config| config.limits.max_requests_per_token = 2);
    let world = setup.start().await;
    let first = world.execute("sleep").header("Idempotency-Key", "a").open().await;
    let second = world.execute("sleep").header("Idempotency-Key", "b").open().await;
    until_is(&world.stage.running, 2).await;
    drop((first, second));
    for _ in 0..20 {
        assert_eq!(world.get("/info").status().await, 429);
    }
    assert_eq!(world.stage.dropped.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn sessions_at_a_time_are_bounded() {
    for (per_token, status) in [(2, 429), (100, 503)] {
        let setup = Setup::default().with(|config| {
            config.limits.max_sessions_per_token = per_token;
            config.limits.max_sessions = 2;
        });
        let world = setup.start().await;
        let first = world.session(None).await;
        world.session(Some("w")).await;
        assert_eq!(world.post("/sessions", &json!({})).status().await, status);
        assert_eq!(world.execute("echo 1").status().await, status);
        world.ask("POST", "/reset").session(&first).send().await;
        world.session(None).await;
        assert_eq!(world.post("/sessions", &json!({})).status().await, status);
    }
}

#[tokio::test]
async fn a_sandbox_that_does_not_start_takes_no_place() {
    let setup = Setup::default().with(|config| config.limits.max_sessions = 1);
    let world = setup.start().await;
    world.stage.broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(world.post("/sessions", &json!({})).status().await, 503);
    }
    world.stage.broken.store(false, Ordering::SeqCst);
    world.session(None).await;
}

#[tokio::test]
async fn a_session_expires_without_anybody_asking_anything() {
    let setup =
        Setup::default().with(|config| config.limits.session_expiry = Duration::from_millis(100));
    let world = setup.start().await;
    let session = world.session(None).await;
    until_is(&world.stage.closed, 1).await;
    let reply = world.execute("echo 1").session(&session).send().await;
    assert_eq!((reply.status, reply.detail()), (400, "Invalid session ID".to_owned()));
    assert!(world.get("/metrics").send().await.text().contains("pcm_sessions_expired_total 1"));
}

#[tokio::test]
async fn a_session_that_is_used_does_not_expire() {
    let setup =
        Setup::default().with(|config| config.limits.session_expiry = Duration::from_millis(50));
    let world = setup.start().await;
    let ask = world.post("/execute", &json!({"code": "sleep", "timeout": 0.5}));
    assert_eq!(ask.send().await.json()["error_info"]["kind"], "timeout");
    assert_eq!(world.stage.dropped.load(Ordering::SeqCst), 0);
    until_is(&world.stage.closed, 1).await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let setup =
        Setup::default().with(|config| config.limits.head_timeout = Duration::from_millis(100));
    let world = setup.start().await;
    for begun in ["", "GET /health HT", "GET /health HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest));
        assert!(closed.await.is_ok(), "{begun:?}");
    }
    // Nor is the next request of a connection that goes on.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest));
    assert!(closed.await.is_ok());
    assert_eq!(Reply::parse(&rest).status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let setup =
        Setup::default().with(|config| config.limits.body_timeout = Duration::from_millis(100));
    let world = setup.start().await;
    for begun in
        ["Content-Length: 100\r\n\r\n{\"code\":", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"]
    {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let head = format!(
            "POST /execute HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{begun}",
            crate::ask::TOKEN
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let reply = Reply::read(&mut stream).await;
        assert_eq!(reply.status, 408, "{begun:?}");
    }
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_reads_nothing_is_let_go() {
    let setup = Setup::default().with(|config| {
        config.limits.write_timeout = Duration::from_millis(200);
        config.limits.max_requests = 1;
    });
    let world = setup.start().await;
    // More than what the buffers of two sockets take.
    let bytes = vec![7; 32 << 20];
    let ask = world.ask("PUT", "/api/artifacts/large").body(bytes);
    assert_eq!(ask.status().await, 200);
    let silent = world.get("/api/artifacts/large").open().await;
    let mut status = world.get("/info").status().await;
    let mut waited = 0;
    // Its request counts until it is given up.
    while status == 503 && waited < 2000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        status = world.get("/info").status().await;
        waited += 1;
    }
    assert_eq!(status, 200);
    drop(silent);
}

#[tokio::test]
async fn connections_at_a_time_are_bounded() {
    let setup = Setup::default().with(|config| config.limits.max_connections = 2);
    let world = setup.start().await;
    let first = TcpStream::connect(world.address).await.unwrap();
    let second = world.execute("sleep").open().await;
    until_is(&world.stage.running, 1).await;
    let mut third = TcpStream::connect(world.address).await.unwrap();
    let mut nothing = Vec::new();
    let _ = third.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
    drop((first, second));
    until_is(&world.stage.running, 0).await;
    let mut reply = world.get("/health").send().await;
    while reply.status == 0 {
        reply = world.get("/health").send().await;
    }
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_body_that_nobody_wants_does_not_cost_the_connection() {
    let world = World::start().await;
    let session = world.session(None).await;
    let head = |method: &str, path: &str, more: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Session-ID: {session}\r\n{more}\r\n"
        )
    };
    let token = format!("Authorization: Bearer {}\r\n", crate::ask::TOKEN);
    for (method, path, authorization, status) in [
        ("GET", "/health", "", 200),
        ("GET", "/info", &*token, 200),
        ("POST", "/execute", "Authorization: Bearer wrong\r\n", 401),
        ("POST", "/nowhere", "", 404),
        ("PUT", "/reset", "", 405),
        ("POST", "/reset", &token, 200),
    ] {
        for (length, body) in
            [("Content-Length: 2", "{}"), ("Transfer-Encoding: chunked", "0\r\n\r\n")]
        {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            let first = head(method, path, &format!("{authorization}{length}\r\n"));
            stream.write_all(first.as_bytes()).await.unwrap();
            // The body comes on its own, as from many clients.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let last = head("GET", "/health", "Connection: close\r\n");
            stream.write_all(format!("{body}{last}").as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let statuses: Vec<&str> =
                text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            let first =
                if path == "/reset" && method == "POST" && body != "{}" { 400 } else { status };
            assert_eq!(statuses, [&*first.to_string(), "200"], "{method} {path} {length}\n{text}");
        }
    }
    // What is much, or waits to be asked for, is not read; then the answer says that this is the end.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let much = head("POST", "/execute", "Content-Length: 1000000\r\nExpect: 100-continue\r\n");
    stream.write_all(much.as_bytes()).await.unwrap();
    let reply = Reply::read(&mut stream).await;
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
}
