//! Sessions: what they keep, and what they keep from each other.

use serde_json::{Value, json};

use crate::program::Place;

#[tokio::test]
async fn sessions_have_variables_and_output_of_their_own() {
    let server = Place::folder().serve(&[]);
    let mut asked = Vec::new();
    for number in 0..16 {
        let client = *server;
        asked.push(tokio::spawn(async move {
            let session = client.session(None).await;
            client.run(&session, &format!("mine = {number}")).await;
            for round in 0..5 {
                let code = format!("for i in range(200): print(mine, {round}, i)\nmine");
                let result = client.run(&session, &code).await;
                let lines: Vec<String> =
                    (0..200).map(|i| format!("{number} {round} {i}\n")).collect();
                assert_eq!(result["stdout"], lines.concat());
                assert_eq!(
                    (&result["value"], &result["session_id"]),
                    (&json!(number), &json!(session))
                );
            }
        }));
    }
    for asked in asked {
        asked.await.unwrap();
    }
}

#[tokio::test]
async fn a_run_without_a_session_makes_one() {
    let server = Place::folder().serve(&[]);
    let first = server.execute("x = 40\nx + 2").send().await.json();
    let second = server.execute("'x' in globals()").send().await.json();
    assert_eq!((&first["value"], &second["value"]), (&json!(42), &json!(false)));
    let session = first["session_id"].as_str().unwrap();
    assert_eq!(server.run(session, "x").await["value"], 40);
    let reset = server.ask("POST", "/reset").session(session).send().await;
    assert_eq!(reset.json(), json!({"status": "reset", "session_id": session}));
    for ask in [server.execute("1"), server.get("/info"), server.get("/api/artifacts")] {
        let reply = ask.session(session).send().await;
        assert_eq!((reply.status, &*reply.detail()), (400, "Invalid session ID"));
    }
}

#[tokio::test]
async fn a_timeout_stops_the_work_and_the_session_lives() {
    let server = Place::folder().serve(&["--max-timeout", "1s"]);
    let session = server.session(None).await;
    server.run(&session, "kept = ['before']").await;
    for (body, work) in [
        (json!({"code": "kept.append(1)\nwhile True: pass", "timeout": 0.3}), 1),
        // More than the server permits is what the server permits.
        (json!({"code": "kept.append(2)\nimport time; time.sleep(600)", "timeout": 600}), 2),
    ] {
        let result = server.post("/execute", &body).session(&session).send().await.json();
        assert_eq!(result["error_info"]["kind"], "timeout", "{result}");
        assert_eq!(result["session"], "kept", "{result}");
        let kept = server.run(&session, "kept[-1]").await;
        assert_eq!(kept["value"], work, "{kept}");
    }
    assert_eq!(server.run(&session, "len(kept)").await["value"], 3);
    // Code that does not let itself be interrupted loses its variables, and not its session.
    let stubborn = "while True:\n try:\n  while True: pass\n except BaseException: pass";
    let body = json!({"code": stubborn, "timeout": 0.3});
    let result = server.post("/execute", &body).session(&session).send().await.json();
    assert_eq!(result["error_info"]["kind"], "timeout", "{result}");
    assert_eq!(server.run(&session, "6 * 7").await["value"], 42);
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_without_anybody_asking() {
    let server = Place::folder().serve(&["--session-expiry", "1s"]);
    let session = server.session(None).await;
    let sessions = async || {
        let metrics = server.get("/metrics").send().await.text();
        let line =
            metrics.lines().find(|line| line.starts_with("pcm_sessions ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{metrics}"))
    };
    assert_eq!(sessions().await, "pcm_sessions 1");
    // A run that takes longer than the expiry is use.
    let result = server.run(&session, "import time; time.sleep(2); 'still here'").await;
    assert_eq!(result["value"], "still here");
    let mut tries = 0;
    while sessions().await != "pcm_sessions 0" {
        tries += 1;
        assert!(tries < 600, "the session does not end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(server.execute("1").session(&session).status().await, 400);
}

#[tokio::test]
async fn what_happens_in_a_run_is_told_while_it_happens() {
    use tokio::io::AsyncReadExt as _;

    let server = Place::folder().serve(&[]);
    let session = server.session(None).await;
    let code = "print('first')\nimport time\nwhile True: time.sleep(0.01)";
    let ask = server.execute(code).session(&session).header("Accept", "text/event-stream");
    let mut stream = ask.open().await;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains("first") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..read]);
    }
    // It goes on, and somebody else interrupts it.
    let interrupt = server.ask("POST", &format!("/sessions/{session}/interrupt"));
    let interrupted = interrupt.send().await.json();
    assert_eq!(
        (&interrupted["status"], &interrupted["running"]),
        (&json!("interrupted"), &json!(true))
    );
    stream.read_to_end(&mut heard).await.unwrap();
    let events = crate::ask::Reply::parse(&heard).events();
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| &**kind).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"session"), Some(&"result")), "{kinds:?}");
    let (_, result) = events.last().unwrap();
    assert_eq!(
        (&result["stdout"], &result["error_info"]["kind"]),
        (&json!("first\n"), &json!("cancelled"))
    );
    assert_eq!(server.run(&session, "1 + 1").await["value"], 2, "the session goes on");
}

#[tokio::test]
async fn who_hangs_up_ends_the_run() {
    let server = Place::folder().serve(&[]);
    let session = server.session(None).await;
    for accept in ["application/json", "text/event-stream"] {
        let code = "artifacts.save('began', 'yes')\nwhile True: pass";
        let ask = server.execute(code).session(&session).header("Accept", accept);
        let stream = ask.open().await;
        while server.get("/api/artifacts/began").session(&session).status().await != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        drop(stream);
        // The session takes the next code as soon as the first has ended.
        let result = server.run(&session, "artifacts.delete('began'); 7").await;
        assert_eq!(result["value"], 7, "{accept}: {result}");
    }
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let server = Place::folder().serve(&[]);
    let session = server.session(None).await;
    let path = |name: &str| format!("/sessions/{session}/files/{name}");
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let put = server.ask("PUT", &path("work/in.bin")).body(bytes.clone()).send().await;
    assert_eq!(put.json(), json!({"path": "/work/in.bin", "bytes": bytes.len()}));
    let code = "data = open('/work/in.bin', 'rb').read()\n\
                open('/work/out.bin', 'wb').write(data[::-1])";
    assert_eq!(server.run(&session, code).await["error"], Value::Null);
    let got = server.get(&path("work/out.bin")).send().await;
    let reversed: Vec<u8> = bytes.into_iter().rev().collect();
    assert!(got.status == 200 && got.body == reversed, "{} bytes", got.body.len());
    let missing = server.get(&path("work/nothing")).send().await;
    assert_eq!(missing.status, 404, "{}", missing.text());
    let other = server.session(None).await;
    let not_its = server.get(&format!("/sessions/{other}/files/work/in.bin")).send().await;
    assert_eq!(not_its.status, 404, "{}", not_its.text());
    for path in [path("../etc/passwd"), path("work/%2e%2e/x"), path("work//x")] {
        assert_eq!(server.get(&path).status().await, 400, "{path}");
    }
}
