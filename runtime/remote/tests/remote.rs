//! Sessions on a server that does what it likes.

#![expect(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor, ExecutorError, Limits, NoHost, RunEvent, RunRequest,
    SessionState,
};
use pcm_runtime_remote::{RemoteConfig, RemoteSandbox, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What was asked: method, path, session, body.
type Asked = (String, String, String, Value);

type Answers = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

enum Reply {
    Json(u16, Value),
    Raw(&'static str, Vec<u8>),
    Later(u16),
    Never(Arc<Notify>, Value),
}

struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Answers>,
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| text(&parts.headers, name);
    assert_eq!(header("authorization"), "Bearer hush");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = parts.uri.path().to_owned();
    let asked = (parts.method.to_string(), path, header("x-session-id"), body);
    shared.seen.lock().unwrap().push(asked.clone());
    let json = |status: u16, body: Value| {
        let kind = [("content-type", "application/json")];
        (StatusCode::from_u16(status).unwrap(), kind, body.to_string()).into_response()
    };
    match (shared.answers)(&asked) {
        Reply::Json(status, body) => json(status, body),
        Reply::Raw(kind, body) => ([("content-type", kind)], Body::from(body)).into_response(),
        Reply::Later(status) => {
            let mut response = json(status, json!({"detail": "full"}));
            response.headers_mut().insert("retry-after", "0".parse().unwrap());
            response
        }
        Reply::Never(told, body) => {
            told.notified().await;
            json(200, body)
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

impl Server {
    async fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::default();
        let answers: Answers = Box::new(answers);
        let shared = Shared { seen: Arc::clone(&seen), answers: Arc::new(answers) };
        let router = Router::new().fallback(answer).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    fn config(&self) -> RemoteConfig {
        let mut config = RemoteConfig::new(&self.address);
        config.token = Some(Token::new("hush"));
        config
    }

    fn sandbox(&self) -> RemoteSandbox {
        RemoteSandbox::new(&self.config(), Limits::default()).unwrap()
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, path, ..)| path.clone()).collect()
    }
}

fn value(value: Value) -> Value {
    json!({"value": value, "stdout": "", "error": null, "execution_time_ms": 1.0, "session_id": "s"})
}

fn opened(number: usize) -> Reply {
    Reply::Json(200, json!({"session_id": format!("s{number}")}))
}

fn kind(result: &ExecutionResult) -> Option<ErrorKind> {
    result.error.as_ref().map(|error| error.kind)
}

#[tokio::test]
async fn a_session_is_of_its_workspace_and_named_in_every_request() {
    let server = Server::start(|asked| match &*asked.1 {
        "/sessions" => opened(1),
        _ => Reply::Json(200, value(json!(42))),
    })
    .await;
    let mut config = server.config();
    config.workspace = Some("client_a".to_owned());
    let sandbox = RemoteSandbox::new(&config, Limits::default()).unwrap();
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    let result = sandbox.run(RunRequest::new("6 * 7").timeout(Duration::from_secs(2))).await;
    assert_eq!((result.value, &*result.backend), (json!(42), "container"));
    sandbox.close().await;
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen[0].3, json!({"workspace_id": "client_a"}));
    assert_eq!(seen[1].2, "s1");
    assert_eq!(seen[1].3, json!({"code": "6 * 7", "timeout": 2.0}));
    assert_eq!((&*seen[2].1, &*seen[2].2), ("/reset", "s1"));
    let result = sandbox.run(RunRequest::new("1")).await;
    assert_eq!((kind(&result), result.session), (Some(ErrorKind::Closed), SessionState::Lost));
}

#[tokio::test]
async fn a_session_that_was_lost_is_replaced_and_nobody_notices() {
    let sessions = AtomicUsize::new(0);
    let server = Server::start(move |asked| match (&*asked.1, &*asked.2) {
        ("/sessions", _) => opened(sessions.fetch_add(1, Ordering::Relaxed)),
        (_, "s0") => Reply::Json(400, json!({"detail": "Invalid session ID"})),
        _ => Reply::Json(200, value(json!(1))),
    })
    .await;
    let sandbox = server.sandbox();
    sandbox.start(Arc::new(NoHost)).await.unwrap();
    let result = sandbox.run(RunRequest::new("1")).await;
    assert_eq!(result.value, json!(1));
    assert_eq!(server.paths(), ["/sessions", "/execute", "/sessions", "/execute"]);
}

#[tokio::test]
async fn events_arrive_and_the_result_after_them() {
    let server = Server::start(|asked| {
        if asked.1 == "/sessions" {
            return opened(1);
        }
        let event = json!({"event": "output", "stream": "stdout", "text": "hi\n"});
        let result = json!({"value": 3, "stdout": "hi\n", "error": null});
        let odd = "event: odd\ndata: {}\n\n: alive\n\n";
        let text = format!("event: event\ndata: {event}\n\n{odd}event: result\ndata: {result}\n\n");
        Reply::Raw("text/event-stream", text.into_bytes())
    })
    .await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    let request = RunRequest::new("print('hi')").on_event(move |event| {
        if let RunEvent::Output { text, .. } = event {
            list.lock().unwrap().push(text);
        }
    });
    let result = server.sandbox().run(request).await;
    assert_eq!((result.value, &*result.stdout), (json!(3), "hi\n"));
    assert_eq!(*heard.lock().unwrap(), ["hi\n"]);
}

#[tokio::test]
async fn an_interrupt_is_told_to_the_server_while_code_runs() {
    let told = Arc::new(Notify::new());
    let (running, interrupted) = (Arc::clone(&told), told);
    let server = Server::start(move |asked| match &*asked.1 {
        "/sessions" => opened(1),
        "/sessions/s1/interrupt" => {
            interrupted.notify_one();
            Reply::Json(200, json!({}))
        }
        _ => Reply::Never(Arc::clone(&running), value(json!("stopped"))),
    })
    .await;
    let sandbox = Arc::new(server.sandbox());
    let run = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { sandbox.run(RunRequest::new("while True: pass")).await }
    });
    while !server.paths().contains(&"/execute".to_owned()) {
        tokio::task::yield_now().await;
    }
    sandbox.interrupt();
    assert_eq!(run.await.unwrap().value, json!("stopped"));
}

#[tokio::test]
async fn what_the_server_has_no_room_for_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match &*request.1 {
        "/sessions" => opened(1),
        _ if asked.fetch_add(1, Ordering::Relaxed) < 2 => Reply::Later(503),
        _ => Reply::Json(200, value(json!(1))),
    })
    .await;
    assert!(server.sandbox().run(RunRequest::new("1")).await.is_ok());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    for (status, detail, expected) in [
        (401, "Invalid token", "token"),
        (503, "The server is full", "The server is full"),
        (404, "Not Found", "404"),
    ] {
        let server = Server::start(move |_| Reply::Json(status, json!({"detail": detail}))).await;
        let error = server.sandbox().start(Arc::new(NoHost)).await.unwrap_err();
        assert!(matches!(error, ExecutorError::Startup { backend: "container", .. }));
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_session_server_is_told_apart() {
    let answers = ["<html>", "[]", "{}", "{\"session_id\": \"\"}", "{\"session_id\": \"a\\nb\"}"];
    for answer in answers {
        let server = Server::start(move |_| Reply::Raw("text/html", answer.into())).await;
        let error = server.sandbox().start(Arc::new(NoHost)).await.unwrap_err();
        assert!(error.to_string().contains("not a session server"), "{answer}: {error}");
    }
}

#[tokio::test]
async fn where_nobody_listens_a_run_says_so_and_the_next_may_work() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = RemoteConfig::new(format!("http://{}", listener.local_addr().unwrap()));
    config.token = Some(Token::new("hush"));
    drop(listener);
    let sandbox = RemoteSandbox::new(&config, Limits::default()).unwrap();
    let result = sandbox.run(RunRequest::new("1")).await;
    assert_eq!((kind(&result), result.session), (Some(ErrorKind::Startup), SessionState::Reset));
    assert!(result.error.unwrap().message.contains("no connection"));
}

#[tokio::test]
async fn a_server_that_ends_in_the_middle_of_a_run_costs_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = RemoteConfig::new(format!("http://{}", listener.local_addr().unwrap()));
    config.token = Some(Token::new("hush"));
    // One that opens a session, begins to answer a run, and is gone.
    let server = tokio::spawn(async move {
        let bodies = ["{\"session_id\":\"s1\"}", ""];
        for body in bodies {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 64 << 10];
            let _ = stream.read(&mut asked).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let length = if body.is_empty() { 100 } else { body.len() };
            let answer = format!("{head}Content-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let sandbox = RemoteSandbox::new(&config, Limits::default()).unwrap();
    let result = sandbox.run(RunRequest::new("1")).await;
    server.await.unwrap();
    assert_eq!((kind(&result), result.session), (Some(ErrorKind::Crashed), SessionState::Reset));
}

#[tokio::test]
async fn an_answer_is_only_so_long() {
    let server = Server::start(|asked| match &*asked.1 {
        "/sessions" => opened(1),
        _ => Reply::Raw("application/json", vec![b' '; 4 << 20]),
    })
    .await;
    let limits = Limits { output_bytes: 1000, host_call_bytes: 1000, ..Limits::default() };
    let sandbox = RemoteSandbox::new(&server.config(), limits).unwrap();
    let result = sandbox.run(RunRequest::new("1")).await;
    assert_eq!(kind(&result), Some(ErrorKind::Output));
}

#[tokio::test]
async fn files_go_and_come_and_their_paths_are_theirs() {
    let server = Server::start(|asked| match (&*asked.0, &*asked.1) {
        (_, "/sessions") => opened(1),
        ("PUT", _) => Reply::Json(200, json!({"path": "/work/a b", "bytes": 2})),
        (_, "/sessions/s1/files/work/a%20b") => Reply::Raw("application/octet-stream", vec![1, 2]),
        _ => Reply::Json(404, json!({"detail": "/work/none: there is no such file"})),
    })
    .await;
    let sandbox = server.sandbox();
    sandbox.put_file("/work/a b", vec![1, 2]).await.unwrap();
    assert_eq!(sandbox.get_file("/work/a b", 2).await.unwrap(), [1, 2]);
    let error = sandbox.get_file("/work/a b", 1).await.unwrap_err();
    assert!(error.to_string().contains("more than 1 bytes"), "{error}");
    let error = sandbox.get_file("/work/none", 1).await.unwrap_err();
    assert_eq!(error.to_string(), "/work/none: there is no such file");
}

#[tokio::test]
async fn packages_are_the_servers_to_install() {
    let server = Server::start(|asked| match &*asked.1 {
        "/sessions" => opened(1),
        "/install_deps" => Reply::Json(
            200,
            json!({"installed": ["a"], "already_present": ["b"], "removed": [], "not_found": [],
                   "failed": ["c"], "reasons": {"c": "there is none"}}),
        ),
        _ => Reply::Json(200, json!({"removed": ["a"], "not_found": ["x"], "failed": []})),
    })
    .await;
    let sandbox = server.sandbox();
    let report = sandbox.install_deps(&["a".to_owned()], &|_| {}).await.unwrap();
    assert_eq!((report.changed, report.unchanged), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(report.failed[0].reason, "there is none");
    let report = sandbox.uninstall_deps(&["a".to_owned()]).await.unwrap();
    assert_eq!((report.changed, report.unchanged), (vec!["a".to_owned()], vec!["x".to_owned()]));
}

#[test]
fn what_a_server_cannot_do_is_refused_before_it_is_asked() {
    let config = RemoteConfig::new("http://127.0.0.1:1");
    let limits = Limits { fuel: Some(1), ..Limits::default() };
    assert!(RemoteSandbox::new(&config, limits).is_err());
}
