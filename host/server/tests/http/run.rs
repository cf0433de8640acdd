//! Sessions and running code.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ask::{Ask, Reply};
use crate::support::{Setup, World, until_is};

#[tokio::test]
async fn the_server_is_healthy_and_says_no_more() {
    let world = World::start().await;
    let reply = world.get("/health").without("Authorization").send().await;
    assert_eq!(reply.status, 200);
    let body = reply.json();
    assert_eq!(body["status"], "healthy");
    assert!(body["uptime_seconds"].as_f64().is_some());
    assert_eq!(body.as_object().unwrap().len(), 2, "no count of sessions: {body}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn code_runs_in_a_new_session_whose_variables_stay() {
    let world = World::start().await;
    let reply = world.execute("set x 42\nprint hello\necho done").send().await;
    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!((&body["value"], &body["stdout"]), (&json!("done"), &json!("hello\n")));
    assert_eq!((&body["error"], &body["is_ok"]), (&Value::Null, &json!(true)));
    assert!(body["execution_time_ms"].is_number());
    let session = body["session_id"].as_str().unwrap();
    assert_eq!(world.run(session, "get x").await["value"], "42");
    let other = world.session(None).await;
    assert_eq!(world.run(&other, "get x").await["value"], Value::Null);
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 2, "one sandbox for each session");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_refused_everywhere() {
    let world = World::start().await;
    for (method, path, body) in [
        ("POST", "/execute", json!({"code": "echo 1"})),
        ("POST", "/reset", json!({})),
        ("GET", "/info", Value::Null),
        ("GET", "/api/tools", Value::Null),
        ("GET", "/api/tools/search?query=x", Value::Null),
        ("GET", "/api/workflows", Value::Null),
        ("GET", "/api/workflows/search?query=x", Value::Null),
        ("GET", "/api/workflows/x", Value::Null),
        ("POST", "/api/workflows", json!({"name": "x", "source": "", "description": ""})),
        ("DELETE", "/api/workflows/x", Value::Null),
        ("GET", "/api/artifacts", Value::Null),
        ("GET", "/api/artifacts/x", Value::Null),
        ("PUT", "/api/artifacts/x", Value::Null),
        ("POST", "/api/artifacts", json!({"name": "x", "data": 1})),
        ("DELETE", "/api/artifacts/x", Value::Null),
        ("GET", "/api/deps", Value::Null),
        ("POST", "/api/deps/add", json!({"package": "x"})),
        ("POST", "/api/deps/remove", json!({"package": "x"})),
        ("POST", "/api/deps/sync", Value::Null),
        ("POST", "/install_deps", json!({"packages": ["x"]})),
        ("POST", "/uninstall_deps", json!({"packages": ["x"]})),
    ] {
        for id in ["00000000-0000-4000-8000-000000000000", "mine", "../x", "", "*"] {
            let reply = world.ask(method, path).json(&body).session(id).send().await;
            assert_eq!(reply.status, 400, "{method} {path} {id:?}: {}", reply.text());
            assert_eq!(reply.detail(), "Invalid session ID", "{method} {path}");
        }
    }
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_session_that_was_reset_is_dead() {
    let world = World::start().await;
    let session = world.session(None).await;
    let reply = world.ask("POST", "/reset").session(&session).send().await;
    assert_eq!(reply.json(), json!({"status": "reset", "session_id": session}));
    assert_eq!(world.stage.closed.load(Ordering::SeqCst), 1, "with its sandbox");
    assert_eq!(world.execute("echo 1").session(&session).status().await, 400);
    assert_eq!(world.ask("POST", "/reset").session(&session).status().await, 400);
    assert_eq!(world.ask("POST", "/reset").status().await, 400);
}

#[tokio::test]
async fn sessions_cannot_be_listed() {
    let world = World::start().await;
    let reply = world.get("/sessions").send().await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert!(!reply.detail().is_empty());
    assert_eq!(world.get("/nowhere").status().await, 404);
}

#[tokio::test]
async fn a_failed_run_is_an_answer_and_keeps_its_output() {
    let world = World::start().await;
    let session = world.session(None).await;
    let body = world.run(&session, "print before\nfail").await;
    assert_eq!(body["error"], "Traceback: unknown word");
    assert_eq!((&body["stdout"], &body["is_ok"]), (&json!("before\n"), &json!(false)));
    assert_eq!(body["error_info"]["kind"], "exception");
    let body = world.run(&session, "crash").await;
    assert_eq!(
        (&body["error_info"]["kind"], &body["session"]),
        (&json!("crashed"), &json!("reset"))
    );
    assert_eq!(world.run(&session, "echo on").await["value"], "on");
}

#[tokio::test]
async fn values_that_json_has_no_word_for_are_answered() {
    let world = World::start().await;
    let session = world.session(None).await;
    let body = world.run(&session, "nan").await;
    assert_eq!(body["value"], json!({"a": "NaN"}));
    assert_eq!(body["value_types"], json!({"/a": "float"}));
    let body = world.run(&session, "opaque").await;
    assert_eq!((&body["value"], &body["value_repr"]), (&json!("<object>"), &json!("<object>")));
}

#[tokio::test]
async fn what_one_session_prints_no_other_reads() {
    let world = World::start().await;
    let runs = (0..8).map(|index| {
        let code = format!("print from {index}\n").repeat(200);
        let ask = world.execute(&code);
        tokio::spawn(async move { (index, ask.send().await.json()) })
    });
    for run in runs.collect::<Vec<_>>() {
        let (index, body) = run.await.unwrap();
        assert_eq!(body["stdout"], format!("from {index}\n").repeat(200));
    }
}

#[tokio::test]
async fn a_timeout_stops_the_work_and_the_session_lives() {
    let world = World::start().await;
    let session = world.session(None).await;
    let ask = world.post("/execute", &json!({"code": "set a 1\nsleep", "timeout": 0.05}));
    let body = ask.session(&session).send().await.json();
    assert!(body["error"].as_str().unwrap().contains("timeout"), "{body}");
    assert_eq!((&body["value"], &body["error_info"]["kind"]), (&Value::Null, &json!("timeout")));
    assert_eq!(world.stage.running.load(Ordering::SeqCst), 0);
    assert_eq!(world.run(&session, "get a").await["value"], "1");
}

#[tokio::test]
async fn no_run_takes_longer_than_the_server_allows() {
    let setup = Setup::default().with(|config| {
        config.limits.default_timeout = std::time::Duration::from_millis(50);
        config.limits.max_timeout = std::time::Duration::from_millis(100);
    });
    let world = setup.start().await;
    for timeout in [json!(null), json!(0), json!(0.0), json!(1e300), json!(3600)] {
        let body = json!({"code": "sleep", "timeout": timeout});
        let body = world.post("/execute", &body).send().await.json();
        assert_eq!(body["error_info"]["kind"], "timeout", "{timeout}");
    }
    for timeout in [json!(-1), json!("1"), json!([])] {
        let body = json!({"code": "sleep", "timeout": timeout});
        assert_eq!(world.post("/execute", &body).status().await, 422, "{timeout}");
    }
}

#[tokio::test]
async fn a_run_is_interrupted_and_its_session_lives() {
    let world = World::start().await;
    let session = world.session(None).await;
    let ask = world.execute("set a 1\nsleep").session(&session);
    let running = tokio::spawn(async move { ask.send().await.json() });
    until_is(&world.stage.running, 1).await;
    let reply = world.ask("POST", &format!("/sessions/{session}/interrupt")).send().await;
    let told = json!({"status": "interrupted", "session_id": session, "running": true});
    assert_eq!(reply.json(), told);
    assert_eq!(running.await.unwrap()["error_info"]["kind"], "cancelled");
    assert_eq!(world.run(&session, "get a").await["value"], "1");
    let reply = world.ask("POST", &format!("/sessions/{session}/interrupt")).send().await;
    assert_eq!(reply.json()["running"], false);
    assert_eq!(world.ask("POST", "/sessions/other/interrupt").status().await, 400);
}

#[tokio::test]
async fn who_hangs_up_cancels_the_run() {
    let world = World::start().await;
    let session = world.session(None).await;
    for accept in ["application/json", "text/event-stream"] {
        let before = world.stage.dropped.load(Ordering::SeqCst);
        let stream = world.execute("sleep").session(&session).header("Accept", accept).open().await;
        until_is(&world.stage.running, 1).await;
        drop(stream);
        until_is(&world.stage.running, 0).await;
        assert_eq!(world.stage.dropped.load(Ordering::SeqCst), before + 1, "{accept}");
    }
    assert_eq!(world.run(&session, "echo on").await["value"], "on");
}

#[tokio::test]
async fn a_new_session_whose_id_nobody_heard_ends() {
    let world = World::start().await;
    let stream = world.execute("sleep").open().await;
    until_is(&world.stage.running, 1).await;
    drop(stream);
    until_is(&world.stage.closed, 1).await;
}

#[tokio::test]
async fn events_stream_and_end_with_the_result() {
    let world = World::start().await;
    let ask = world.execute("print one\nprint two\necho 3").header("Accept", "text/event-stream");
    let reply = ask.send().await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let events = reply.events();
    let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["session", "event", "event", "result"]);
    assert_eq!(events[1].1, json!({"event": "output", "stream": "stdout", "text": "one\n"}));
    assert_eq!(
        (&events[3].1["value"], &events[3].1["stdout"]),
        (&json!("3"), &json!("one\ntwo\n"))
    );
    assert_eq!(events[0].1["session_id"], events[3].1["session_id"]);
    let refused = world.execute("echo 1").session("none").header("Accept", "text/event-stream");
    assert_eq!(refused.status().await, 400);
}

#[tokio::test]
async fn who_reads_events_slowly_misses_some_and_gets_the_result() {
    let world = World::start().await;
    let ask = world.execute("flood 40000").header("Accept", "text/event-stream");
    let mut stream = ask.open().await;
    until_is(&world.stage.started, 1).await;
    until_is(&world.stage.running, 0).await;
    let events = Reply::read(&mut stream).await.events();
    let (kind, result) = events.last().unwrap();
    assert_eq!(kind, "result");
    assert_eq!(result["stdout"].as_str().unwrap().len(), 40_000_000);
    let (kind, left_out) = &events[events.len() - 2];
    assert_eq!(kind, "left_out");
    let came = events.iter().filter(|(kind, _)| kind == "event").count() as u64;
    assert_eq!(came + left_out["events"].as_u64().unwrap(), 40_000);
}

#[tokio::test]
async fn a_connection_takes_one_request_after_the_other() {
    let world = World::start().await;
    let keep = |ask: &Ask| {
        let text = String::from_utf8(ask.bytes()).unwrap();
        text.replace("Connection: close\r\n", "")
    };
    // One of them is refused before its body is read, the next is answered all the same.
    let asks = [
        keep(&world.execute("echo 1")),
        keep(&world.execute("echo 2").session("none")),
        keep(&world.execute("echo 3").without("Authorization")),
        String::from_utf8(world.execute("echo 4").bytes()).unwrap(),
    ];
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(asks.concat().as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let statuses: Vec<_> = answers
        .match_indices("HTTP/1.1 ")
        .filter_map(|(place, _)| answers.get(place + 9..place + 12))
        .collect();
    assert_eq!(statuses, ["200", "400", "401", "200"]);
}

#[tokio::test]
async fn a_sandbox_that_does_not_start_says_nothing_of_the_host() {
    let world = World::start().await;
    world.stage.broken.store(true, Ordering::SeqCst);
    let reply = world.execute("echo 1").send().await;
    assert_eq!(reply.status, 503);
    assert!(!reply.text().contains("secret"), "{}", reply.text());
    world.stage.broken.store(false, Ordering::SeqCst);
    assert_eq!(world.execute("echo 1").status().await, 200);
}
