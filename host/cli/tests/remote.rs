//! Sessions on a session server of ours, through both ends of it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcm_sandbox::server::{Access, Server, ServerConfig};
use pcm_sandbox::storage::{FileRecords, Records};
use pcm_sandbox::{
    BackendKind, Error, ErrorKind, RemoteConfig, RunEvent, RunRequest, Session, SessionBuilder,
    SessionState, Token, json,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const TOKEN: &str = "the token of the tests";

/// A server over a folder, with one tool.
struct Serving {
    address: SocketAddr,
    ends: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Serving {
    async fn start(folder: &Path, address: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let template = Session::from_base(folder)
            .tool("greet", "Greets", |args| async move {
                Ok(json!(format!("hello {}", args["name"].as_str().unwrap_or("you"))))
            })
            .template()
            .await?;
        let mut config = ServerConfig::new(Access::token(TOKEN));
        config.address = address.parse()?;
        config.records = Arc::new(FileRecords::open(folder)?) as Arc<dyn Records>;
        let server = Server::bind(config, Arc::new(template)).await?;
        let address = server.address();
        let (ends, ended) = oneshot::channel();
        let server = tokio::spawn(async move {
            server.serve(async { drop(ended.await) }).await.ok();
        });
        Ok(Self { address, ends, server })
    }

    fn session(&self) -> SessionBuilder {
        Session::builder().remote(config(self.address))
    }

    async fn end(self) -> TestResult {
        let _ = self.ends.send(());
        Ok(self.server.await?)
    }
}

fn config(address: SocketAddr) -> RemoteConfig {
    let mut config = RemoteConfig::new(format!("http://{address}"));
    config.token = Some(Token::new(TOKEN));
    config
}

#[tokio::test]
async fn a_run_is_the_same_there_as_here() -> TestResult {
    let folder = tempfile::tempdir()?;
    let serving = Serving::start(folder.path(), "127.0.0.1:0").await?;
    let remote = serving.session().start().await?;
    let local = Session::builder().start().await?;
    for code in [
        "x = 40",
        "x + 2",
        "print('out'); import sys; print('err', file=sys.stderr); {'a': (1, b'x')}",
        "1 / 0",
        "def",
        "object",
        "float('nan')",
        "'text'",
        "raise SystemExit(3)",
    ] {
        for asks_repr in [false, true] {
            let request = || {
                let request = RunRequest::new(code);
                if asks_repr { request.with_repr() } else { request }
            };
            let (here, there) =
                (local.run_request(request()).await, remote.run_request(request()).await);
            let told = |result: &pcm_sandbox::ExecutionResult| {
                let mut told = serde_json::to_value(result).unwrap_or_default();
                for field in ["usage", "backend"] {
                    told.as_object_mut().map(|fields| fields.remove(field));
                }
                told
            };
            assert_eq!(told(&here), told(&there), "{code}");
            assert_eq!((&*there.backend, remote.backend()), ("container", BackendKind::Container));
        }
    }
    local.close().await;
    remote.close().await;
    serving.end().await
}

#[tokio::test]
async fn tools_events_files_and_interrupts_work_from_afar() -> TestResult {
    let folder = tempfile::tempdir()?;
    let serving = Serving::start(folder.path(), "127.0.0.1:0").await?;
    let session = serving.session().start().await?;
    assert_eq!(session.run("tools.greet(name='Ada')").await.value, json!("hello Ada"));

    let heard = Arc::new(Mutex::new(String::new()));
    let list = Arc::clone(&heard);
    let request = RunRequest::new("print('one'); print('two')").on_event(move |event| {
        if let (RunEvent::Output { text, .. }, Ok(mut heard)) = (event, list.lock()) {
            heard.push_str(&text);
        }
    });
    session.run_request(request).await;
    assert_eq!(heard.lock().map(|heard| heard.clone()).ok().as_deref(), Some("one\ntwo\n"));

    session.put_file("/work/a b.txt", b"content".to_vec()).await?;
    assert_eq!(session.run("open('/work/a b.txt').read()").await.value, json!("content"));
    assert_eq!(session.get_file("/work/a b.txt", 100).await?, b"content");

    let (started, has_started) = oneshot::channel();
    let started = Mutex::new(Some(started));
    let request = RunRequest::new("print('on'); import time; time.sleep(60)").on_event(move |_| {
        let started = started.lock().ok().and_then(|mut started| started.take());
        started.map(|started| started.send(()));
    });
    let run = tokio::spawn({
        let session = session.clone();
        async move { session.run_request(request).await }
    });
    has_started.await?;
    session.interrupt();
    let error = run.await?.error;
    assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Cancelled));

    let late = RunRequest::new("while True: pass").timeout(Duration::from_millis(200));
    let error = session.run_request(late).await.error;
    assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Timeout));
    assert!(session.run("1").await.is_ok());
    serving.end().await
}

#[tokio::test]
async fn a_server_that_was_started_again_gives_the_workspace_back() -> TestResult {
    let folder = tempfile::tempdir()?;
    let serving = Serving::start(folder.path(), "127.0.0.1:0").await?;
    let (address, own) = (serving.address, tempfile::tempdir()?);
    let session = Session::from_base(own.path())
        .remote(config(address))
        .workspace("client_a")
        .start()
        .await?;
    assert!(session.run("artifacts.save('kept.json', [1]); x = 1").await.is_ok());
    serving.end().await?;

    let result = session.run("1").await;
    let error = result.error.ok_or("nobody was there")?;
    assert!(matches!(error.kind, ErrorKind::Startup | ErrorKind::Crashed), "{error}");

    let serving = Serving::start(folder.path(), &address.to_string()).await?;
    let result = session.run("(artifacts.load('kept.json'), 'x' in globals())").await;
    assert_eq!((result.value, result.session), (json!([[1], false]), SessionState::Kept));
    let elsewhere = serving.session().start().await?;
    assert_eq!(elsewhere.run("artifacts.list()").await.value, json!([]));
    serving.end().await
}

#[tokio::test]
async fn what_only_the_server_can_say_is_refused_here() -> TestResult {
    let folder = tempfile::tempdir()?;
    let serving = Serving::start(folder.path(), "127.0.0.1:0").await?;
    let with_tool = serving.session().tool("own", "Own", |args| async move { Ok(args) });
    let with_package = serving.session().packages(["jinja2"]);
    for builder in [with_tool, with_package] {
        assert!(matches!(builder.start().await, Err(Error::RemoteHasIt { .. })));
    }
    let stranger =
        Session::builder().remote(RemoteConfig::new(format!("http://{}", serving.address)));
    let refused = stranger.start().await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("token") && !refused.contains(TOKEN), "{refused}");
    serving.end().await
}
