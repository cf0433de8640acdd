//! The backends as contestants, through the facade that embedders use.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pcm_bench::{Backend, Hello, ProcessSpec, Ran, Sandbox, Wall};
use pcm_sandbox::worker::{self, Pool, PoolConfig};
use pcm_sandbox::{
    BackendKind, CheckpointId, ErrorKind, ExecutionResult, Limits, RunRequest, Session,
    SessionBuilder, json,
};

/// A backend in one of its forms.
#[derive(Debug)]
pub(super) struct Ours {
    /// Its name among contestants.
    pub(super) key: &'static str,
    /// What it is, for a list.
    pub(super) about: &'static str,
    /// Whether a quick run has it.
    pub(super) quick: bool,
    pub(super) backend: BackendKind,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is unless told otherwise.
    Plain,
    /// Its runs are bounded in instructions.
    Fuel,
    /// In a process of its own.
    Worker,
}

const fn ours(
    key: &'static str,
    about: &'static str,
    quick: bool,
    backend: BackendKind,
    form: Form,
) -> Ours {
    Ours { key, about, quick, backend, form }
}

/// All of them.
pub(super) static BACKENDS: [Ours; 7] = [
    ours("wasm", "as it is unless told otherwise", true, BackendKind::Wasm, Form::Plain),
    ours("wasm-fuel", "the same, counting instructions", false, BackendKind::Wasm, Form::Fuel),
    ours("wasm-worker", "the same in a process of its own", false, BackendKind::Wasm, Form::Worker),
    ours("deno-sandbox", "in a process of its own", true, BackendKind::DenoSandbox, Form::Worker),
    ours("subprocess", "a kernel of IPython", true, BackendKind::Subprocess, Form::Plain),
    ours(
        "in-process",
        "the Python of the machine, no wall",
        false,
        BackendKind::InProcess,
        Form::Plain,
    ),
    ours("container", "a kernel in a container", false, BackendKind::Container, Form::Plain),
];

const EVERY: [&str; 14] = [
    "process-start",
    "fresh-session",
    "trivial-run",
    "tool-call",
    "tool-gather",
    "agent-run",
    "data-in",
    "data-out",
    "imports",
    "timeout",
    "reset",
    "programs",
    "memory-1",
    "memory-10",
];

impl Ours {
    fn scenarios(&self) -> Vec<&'static str> {
        let more: &[&str] = match (self.backend, self.form) {
            (_, Form::Fuel) => {
                return vec!["fresh-session", "trivial-run", "tool-call", "programs"];
            }
            (BackendKind::Wasm, Form::Plain) => {
                &["fork", "checkpoint", "roll-back", "memory-100", "memory-1000", "throughput"]
            }
            (BackendKind::Wasm, Form::Worker) => {
                &["pooled", "fork", "checkpoint", "roll-back", "memory-100", "throughput"]
            }
            (BackendKind::DenoSandbox | BackendKind::Subprocess, _) => &["pooled", "throughput"],
            (BackendKind::InProcess, _) => &["memory-100", "throughput"],
            // Its processes are the engine's, and their memory is not to be seen from here.
            _ => &["pooled"],
        };
        let seen =
            |name: &&str| self.backend != BackendKind::Container || !name.starts_with("memory");
        EVERY.into_iter().chain(more.iter().copied()).filter(seen).collect()
    }

    fn process(&self) -> Option<ProcessSpec> {
        let program = std::env::current_exe().ok()?.to_str()?.to_owned();
        let mut argv =
            vec![program, "run".to_owned(), "--backend".to_owned(), self.backend.to_string()];
        if self.form == Form::Worker {
            argv.extend(["--placement", "worker"].map(str::to_owned));
        }
        argv.extend(["-c", "1 + 1"].map(str::to_owned));
        Some(ProcessSpec { argv, expect: "2".to_owned(), ..ProcessSpec::default() })
    }

    fn builder(&self) -> SessionBuilder {
        let limits =
            Limits { fuel: (self.form == Form::Fuel).then_some(u64::MAX / 2), ..Limits::default() };
        let blob = "x".repeat(1 << 20);
        Session::builder()
            .backend(self.backend)
            .limits(limits)
            .tool("echo", "Answers with its arguments", |args| async move { Ok(args) })
            .tool("blob", "Answers with a text of a megabyte", move |_| {
                let blob = blob.clone();
                async move { Ok(json!(blob)) }
            })
    }
}

#[async_trait]
impl Backend for Ours {
    fn hello(&self) -> Hello {
        let notes: &[(&str, &str)] = match self.backend {
            BackendKind::Container => &[("process-start", "with its container")],
            BackendKind::InProcess => &[("fresh-session", "a thread of the same process")],
            _ => &[],
        };
        Hello {
            name: format!("{} of pcm-sandbox", self.key),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            about: versions(self.backend),
            scenarios: self.scenarios().into_iter().map(str::to_owned).collect(),
            notes: notes
                .iter()
                .map(|(key, note)| ((*key).to_owned(), (*note).to_owned()))
                .collect(),
            process: self.process(),
        }
    }

    async fn wall(&self, pooled: bool) -> Result<Box<dyn Wall>, String> {
        let warm = usize::from(pooled);
        let builder = self.builder();
        let (builder, spares) = match (self.backend, self.form) {
            (_, Form::Worker) => {
                let pool = Pool::new(PoolConfig { warm, ..worker::config(self.backend) });
                let pool = pool.map_err(|error| error.to_string())?;
                (builder.workers(&pool), Spares::Workers(pool))
            }
            #[cfg(feature = "subprocess")]
            (BackendKind::Subprocess, _) => {
                let config = pcm_sandbox::KernelConfig { spares: warm, ..Default::default() };
                let engine = pcm_sandbox::SubprocessEngine::new(config);
                (builder.kernels(&engine), Spares::Kernels(engine))
            }
            #[cfg(feature = "container")]
            (BackendKind::Container, _) => {
                // To measure a machine makes no image on it.
                let settings = pcm_sandbox::ContainerSettings {
                    auto_build: false,
                    warm,
                    ..pcm_sandbox::ContainerSettings::default()
                };
                let engine = pcm_sandbox::ContainerEngine::new(settings);
                (builder.containers(&engine), Spares::Containers(engine))
            }
            _ => (builder, Spares::None),
        };
        Ok(Box::new(Opening { builder, spares, pooled }))
    }
}

fn versions(backend: BackendKind) -> BTreeMap<String, String> {
    let versions = match backend {
        // What is wrong with an engine is told by its first session.
        #[cfg(feature = "wasm")]
        BackendKind::Wasm => pcm_runtime_wasm::WasmEngine::shared().ok().map(|engine| {
            let info = engine.info();
            vec![("python", info.python.clone()), ("wasmtime", info.wasmtime.clone())]
        }),
        #[cfg(feature = "deno")]
        BackendKind::DenoSandbox => {
            let info = pcm_sandbox::DenoEngine::info();
            Some(vec![("pyodide", info.pyodide), ("v8", info.v8)])
        }
        _ => None,
    };
    let versions = versions.into_iter().flatten();
    versions.map(|(name, version)| (name.to_owned(), version)).collect()
}

/// What waits for sessions, if anything does.
enum Spares {
    None,
    Workers(Pool),
    #[cfg(feature = "subprocess")]
    Kernels(pcm_sandbox::SubprocessEngine),
    #[cfg(feature = "container")]
    Containers(pcm_sandbox::ContainerEngine),
}

struct Opening {
    builder: SessionBuilder,
    spares: Spares,
    pooled: bool,
}

#[async_trait]
impl Wall for Opening {
    async fn ready(&self) -> Result<(), String> {
        const LOOK: Duration = Duration::from_millis(2);
        if !self.pooled {
            return Ok(());
        }
        match &self.spares {
            Spares::None => Ok(()),
            Spares::Workers(pool) => {
                pool.warm().await.map_err(|error| error.to_string())?;
                while pool.status().starting > 0 {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(())
            }
            #[cfg(feature = "subprocess")]
            Spares::Kernels(engine) => engine.warm().await.map_err(|error| error.to_string()),
            #[cfg(feature = "container")]
            Spares::Containers(engine) => engine.warm().await.map_err(|error| error.to_string()),
        }
    }

    async fn open(&self) -> Result<Box<dyn Sandbox>, String> {
        let session = self.builder.clone().start().await.map_err(|error| error.to_string())?;
        Ok(Box::new(Opened { session, kept: Mutex::default() }))
    }
}

struct Opened {
    session: Session,
    kept: Mutex<Option<CheckpointId>>,
}

impl Opened {
    fn kept(&self) -> Option<CheckpointId> {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sandbox for Opened {
    async fn run(&self, code: &str) -> Result<Ran, String> {
        let ExecutionResult { value, stdout, error, .. } = self.session.run(code).await;
        match error {
            None => Ok(Ran { value, stdout }),
            Some(error) => Err(error.to_string()),
        }
    }

    async fn run_until(&self, code: &str, deadline: Duration) -> Result<(), String> {
        let result = self.session.run_request(RunRequest::new(code).timeout(deadline)).await;
        match result.error {
            Some(error) if error.kind == ErrorKind::Timeout => Ok(()),
            Some(error) => Err(error.to_string()),
            None => Err("it ended by itself".to_owned()),
        }
    }

    async fn reset(&self) -> Result<(), String> {
        self.session.reset().await.map_err(|error| error.to_string())
    }

    async fn fork(&self) -> Result<Box<dyn Sandbox>, String> {
        let session = self.session.fork().await.map_err(|error| error.to_string())?;
        Ok(Box::new(Self { session, kept: Mutex::default() }))
    }

    async fn checkpoint(&self) -> Result<(), String> {
        let kept = self.session.checkpoint().await.map_err(|error| error.to_string())?;
        let before = self.kept();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        if let Some(before) = before {
            self.session.drop_checkpoint(before).await;
        }
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), String> {
        let kept = self.kept().ok_or("nothing was kept")?;
        self.session.restore(kept).await.map_err(|error| error.to_string())
    }

    async fn close(&self) {
        self.session.close().await;
    }
}
