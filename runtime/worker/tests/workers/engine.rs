//! The engines of the tests: native code that does as a run says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use pcm_runtime_api::{
    Capability, CheckpointId, Creation, ErrorKind, ExecutionError, ExecutionResult, Executor,
    ExecutorError, HostCall, HostError, HostFolder, HostPort, LimitName, MountSource, Namespace,
    NoHost, OutputStream, Payload, RunEvent, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_worker::{Engine, EngineEntry, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::act::Act;

/// What the engine of the tests can, as the host is told.
pub(crate) const KIND: Kind = Kind {
    backend: "native",
    capabilities: &[Capability::Snapshot, Capability::DepsInstall, Capability::DepsUninstall],
    resign: Some(|saved, from, to| match saved.first_chunk_mut() {
        Some(key) if key == from => {
            *key = *to;
            Ok(())
        }
        _ => Err(ExecutorError::BadState("another key".to_owned())),
    }),
};

/// All engines of this program.
pub(crate) const ENGINES: [EngineEntry; 6] = [
    EngineEntry { name: "native", load: || Ok(Box::new(NativeEngine::Fine)), prepare: |_| Ok(()) },
    EngineEntry { name: "unloadable", load: || Err("no image".to_owned()), prepare: |_| Ok(()) },
    EngineEntry { name: "panics-loading", load: || burst("while loading"), prepare: |_| Ok(()) },
    EngineEntry {
        name: "unwarmable",
        load: || Ok(Box::new(NativeEngine::Cold)),
        prepare: |_| Ok(()),
    },
    EngineEntry {
        name: "panics-warming",
        load: || Ok(Box::new(NativeEngine::Bursts)),
        prepare: |_| Err("nothing to make it of".to_owned()),
    },
    EngineEntry {
        name: "made",
        load: || Ok(Box::new(NativeEngine::Fine)),
        prepare: |say| {
            say("making");
            say("keeping");
            Ok(())
        },
    },
];

#[expect(clippy::panic, reason = "it is what the engine is for")]
fn burst<T>(when: &str) -> T {
    panic!("the engine burst {when}")
}

/// How an engine behaves before it has a session.
enum NativeEngine {
    Fine,
    Cold,
    Bursts,
}

#[async_trait]
impl Engine for NativeEngine {
    async fn warm(&self) -> Result<(), String> {
        match self {
            Self::Fine => Ok(()),
            Self::Cold => Err("no fire".to_owned()),
            Self::Bursts => burst("while warming"),
        }
    }

    fn sandbox(&self, config: SandboxConfig) -> Arc<dyn Executor> {
        let state = State { fuel: config.fuel, ..State::default() };
        Arc::new(Native {
            config,
            port: Mutex::new(Arc::new(NoHost)),
            state: Mutex::new(state),
            interrupted: Notify::new(),
        })
    }
}

/// A session of native code.
struct Native {
    config: SandboxConfig,
    port: Mutex<Arc<dyn HostPort>>,
    state: Mutex<State>,
    interrupted: Notify,
}

#[derive(Debug, Default)]
struct State {
    kept: Kept,
    fuel: Option<u64>,
    checkpoints: BTreeMap<u64, Kept>,
    last: u64,
}

/// What a session is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    number: u64,
    files: BTreeMap<String, Vec<u8>>,
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an act gives no value.
enum Fault {
    Host(HostError),
    Engine(String),
    Stopped(Box<ExecutionError>),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

impl Native {
    async fn act(&self, request: &RunRequest, ran: &mut ExecutionResult) -> Result<Value, Fault> {
        match Act::read(&request.code).map_err(|error| Fault::Engine(error.to_string()))? {
            Act::Value(value) => return Ok(value),
            Act::Output { stdout, stderr, shown, files } => {
                let texts = [(OutputStream::Stdout, &stdout), (OutputStream::Stderr, &stderr)];
                for (stream, text) in texts {
                    say(request, RunEvent::Output { stream, text: text.clone() });
                }
                let bundle = BTreeMap::from([("application/json".to_owned(), shown)]);
                say(request, RunEvent::Display { bundle: bundle.clone() });
                (ran.stdout, ran.stderr, ran.display, ran.files) =
                    (stdout, stderr, vec![bundle], files);
            }
            Act::Call { op, args } => return self.call(op, args).await,
            Act::Gather { op, count } => {
                let calls = (0..count).map(|number| self.call(op.clone(), number.into()));
                let answers = join_all(calls).await.into_iter();
                return answers.collect::<Result<Vec<_>, _>>().map(Value::from);
            }
            Act::GiveUp { op } => {
                let mut call = Box::pin(self.call(op, Value::Null));
                // Polled once, so it is on its way; this says whether the host has begun it.
                while (&mut call).now_or_never().is_none() {
                    if self.call("waiting".to_owned(), Value::Null).await? == 1 {
                        break;
                    }
                }
                drop(call);
                while self.call("waiting".to_owned(), Value::Null).await? != 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                return Ok("given up".into());
            }
            Act::Abandon { op } => {
                let port = Arc::clone(&locked(&self.port));
                let call = HostCall { namespace: Namespace::Tools, op, args: Payload::default() };
                let mut abandoned = JoinSet::new();
                abandoned.spawn(async move { port.call(call).await });
                // It ends after the run does: when the runtime comes to it.
                while self.call("waiting".to_owned(), Value::Null).await? != 1 {}
            }
            Act::Remember(number) => locked(&self.state).kept.number = number,
            Act::Recall => return Ok(locked(&self.state).kept.number.into()),
            Act::Wait => return self.wait(request).await,
            Act::Burn(used) => {
                let mut state = locked(&self.state);
                state.fuel = state.fuel.map(|left| left.saturating_sub(used));
            }
            Act::ReadMounted { mount, path } => {
                let mut content = String::new();
                let opened = self.mount(mount)?.open_to_read(&path)?;
                (&opened.file).read_to_string(&mut content)?;
                return Ok(content.into());
            }
            Act::WriteMounted { mount, path, content } => {
                let opened = self.mount(mount)?.open_to_write(&path, false, Creation::IfMissing)?;
                (&opened.file).write_all(content.as_bytes())?;
            }
            Act::Probe(probe) => return Ok(probe.go().into()),
            Act::Forge(forgery) => forgery.go(),
        }
        Ok(Value::Null)
    }

    async fn call(&self, op: String, args: Value) -> Result<Value, Fault> {
        let port = Arc::clone(&locked(&self.port));
        let call = HostCall { namespace: Namespace::Tools, op, args: Payload::from(args) };
        port.call(call).await.map(|answer| answer.value).map_err(Fault::Host)
    }

    async fn wait(&self, request: &RunRequest) -> Result<Value, Fault> {
        let limits = request.limits_over(&self.config.limits);
        let timeout = async {
            match limits.timeout {
                Some(timeout) => sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        Err(Fault::Stopped(Box::new(tokio::select! {
            () = self.interrupted.notified() => {
                ExecutionError::new(ErrorKind::Cancelled, "it was interrupted, and says so itself")
            }
            () = timeout => ExecutionError::limit(ErrorKind::Timeout, LimitName::Timeout, &limits),
        })))
    }

    fn mount(&self, mount: usize) -> Result<Arc<dyn HostFolder>, Fault> {
        match self.config.mounts.get(mount).map(|mount| &mount.host) {
            Some(MountSource::Served(served)) => Ok(Arc::clone(served.folder())),
            other => Err(Fault::Engine(format!("no folder is served: {other:?}"))),
        }
    }
}

fn say(request: &RunRequest, event: RunEvent) {
    if let Some(events) = &request.events {
        events(event);
    }
}

#[async_trait]
impl Executor for Native {
    fn backend(&self) -> &'static str {
        "in the worker"
    }

    fn capabilities(&self) -> &'static [Capability] {
        KIND.capabilities
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        *locked(&self.port) = port;
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let mut ran = ExecutionResult::new(self.backend());
        let error = match self.act(&request, &mut ran).await {
            Ok(value) => return ExecutionResult { value, ..ran },
            Err(Fault::Host(HostError { error_type, message })) => {
                ExecutionError { error_type, ..ExecutionError::new(ErrorKind::Exception, message) }
            }
            Err(Fault::Engine(message)) => ExecutionError::new(ErrorKind::Exception, message),
            Err(Fault::Stopped(error)) => *error,
        };
        ExecutionResult::failed(self.backend(), error, SessionState::Kept)
    }

    fn interrupt(&self) {
        self.interrupted.notify_one();
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        Err(ExecutorError::Closed) // the host takes another worker
    }

    async fn checkpoint(&self) -> Result<CheckpointId, ExecutorError> {
        let mut state = locked(&self.state);
        state.last += 1;
        let (number, kept) = (state.last, state.kept.clone());
        state.checkpoints.insert(number, kept);
        Ok(CheckpointId(number))
    }

    async fn restore(&self, checkpoint: CheckpointId) -> Result<(), ExecutorError> {
        let mut state = locked(&self.state);
        let kept = state.checkpoints.get(&checkpoint.0).cloned();
        state.kept = kept.ok_or(ExecutorError::NoCheckpoint(checkpoint))?;
        Ok(())
    }

    async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        locked(&self.state).checkpoints.remove(&checkpoint.0);
    }

    async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, ExecutorError> {
        let mut saved = key.to_vec();
        serde_json::to_writer(&mut saved, &locked(&self.state).kept)
            .map_err(|error| ExecutorError::BadState(error.to_string()))?;
        Ok(saved)
    }

    async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), ExecutorError> {
        let bad = |reason: &str| ExecutorError::BadState(reason.to_owned());
        let kept = saved.strip_prefix(key).ok_or_else(|| bad("it has another key"))?;
        let kept = serde_json::from_slice(kept).map_err(|error| bad(&error.to_string()))?;
        locked(&self.state).kept = kept;
        Ok(())
    }

    fn fuel(&self) -> Option<u64> {
        locked(&self.state).fuel
    }

    fn add_fuel(&self, fuel: u64) -> Result<(), ExecutorError> {
        let mut state = locked(&self.state);
        state.fuel = state.fuel.map(|left| left.saturating_add(fuel));
        Ok(())
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        locked(&self.state).kept.files.insert(path.to_owned(), content);
        Ok(())
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let content = locked(&self.state).kept.files.get(path).cloned();
        let error = |reason: &str| {
            let (path, reason) = (path.to_owned(), reason.to_owned());
            ExecutorError::File { path, reason }
        };
        let content = content.ok_or_else(|| error("there is none"))?;
        if content.len() as u64 > longest {
            return Err(error("it is too long"));
        }
        Ok(content)
    }

    async fn close(&self) {}
}

impl std::fmt::Debug for Native {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Native").finish_non_exhaustive()
    }
}
