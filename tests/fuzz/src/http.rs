//! Requests to the session server, as they come over a connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{Capability, ExecutionResult, Executor, ExecutorError, HostPort, RunRequest};
use pcm_server::{Access, Server, ServerConfig, Sessions};
use pcm_session::{Host, Session, SessionError};
use pcm_storage::{MemoryStorage, Storage, StorageError, WorkspaceId};
use pcm_tools::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// The token in the seeds.
const TOKEN: &str = "fuzz-fuzz-fuzz-fuzz";
/// How long an answer may take before the server counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the server is listened to that waits for the rest of a request.
const SILENCE: Duration = Duration::from_millis(25);

/// Sessions whose sandboxes give back the length of the code.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    storage: MemoryStorage,
    tools: Arc<Registry>,
}

#[async_trait]
impl Sessions for Echoes {
    async fn start(&self, workspace: Option<&WorkspaceId>) -> Result<Session, SessionError> {
        let storage = self.storage(workspace).map_err(SessionError::from)?;
        let host = Host::new().tools(Arc::clone(&self.tools)).storage(storage);
        Session::start(Arc::new(Echo), host).await
    }

    fn storage(&self, workspace: Option<&WorkspaceId>) -> Result<Arc<dyn Storage>, StorageError> {
        Ok(match workspace {
            Some(id) => Arc::new(self.storage.workspace(id)),
            None => Arc::new(self.storage.clone()),
        })
    }

    fn tools(&self) -> Arc<Registry> {
        Arc::clone(&self.tools)
    }
}

#[derive(Debug)]
struct Echo;

#[async_trait]
impl Executor for Echo {
    fn backend(&self) -> &'static str {
        "fuzz"
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }

    async fn start(&self, _port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let mut result = ExecutionResult::new("fuzz");
        result.value = request.code.len().into();
        result
    }

    fn interrupt(&self) {}

    async fn reset(&self) -> Result<(), ExecutorError> {
        Ok(())
    }

    async fn close(&self) {}
}

/// A server that goes on as long as the process does.
fn server() -> &'static (Runtime, SocketAddr) {
    static SERVER: OnceLock<(Runtime, SocketAddr)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut config = ServerConfig::new(Access::token(TOKEN));
        config.address = ([127, 0, 0, 1], 0).into();
        config.limits.requests_per_second = 1_000_000;
        config.limits.max_sessions = 100_000;
        config.limits.max_sessions_per_token = 100_000;
        let bound = runtime.block_on(Server::bind(config, Arc::new(Echoes::default())));
        let server = bound.expect("a server on loopback");
        let address = server.address();
        runtime.spawn(server.serve(std::future::pending()));
        (runtime, address)
    })
}

/// Bytes as a client sends them, which then waits. Whatever they are, each answer is one of HTTP, none
/// is an error of the server, and the server is healthy afterwards.
pub fn http(data: &[u8]) {
    let (runtime, address) = server();
    runtime.block_on(async {
        let answer = ask(*address, data).await;
        for line in statuses(&answer) {
            let known = BTreeSet::from([
                "200", "202", "400", "401", "403", "404", "405", "406", "408", "409", "411", "413",
                "414", "415", "417", "422", "429", "431", "503", "505",
            ]);
            assert!(
                known.contains(line.as_str()),
                "the server answers with {line}: {}",
                shown(&answer)
            );
        }
        // It may take a moment where much is done at once: silence is no answer yet.
        let mut health = Vec::new();
        for _ in 0..200 {
            health = ask(*address, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
            if !health.is_empty() {
                break;
            }
        }
        assert!(
            health.starts_with(b"HTTP/1.1 200"),
            "the server is not healthy: {}",
            shown(&health)
        );
    });
}

/// What comes back: one whole answer, or all that comes before the server says no more for a while.
async fn ask(address: SocketAddr, data: &[u8]) -> Vec<u8> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        // A server that has heard enough closes, and what comes later is lost: that is its right.
        drop(stream.write_all(data).await);
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
            match tokio::time::timeout(SILENCE, stream.read(&mut piece)).await {
                Ok(Ok(length)) if length > 0 => {
                    answer.extend_from_slice(piece.get(..length).unwrap_or_default());
                }
                _ => break,
            }
        }
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time");
    answer.expect("a connection")
}

/// Whether it has a head and as many bytes as that says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

/// The status of each answer.
fn statuses(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let answers = text.split("HTTP/1.1 ").skip(1);
    answers.filter_map(|rest| rest.get(..3).map(str::to_owned)).collect()
}

fn shown(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(400).collect()
}
