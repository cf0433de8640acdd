//! In the container: the engine of the worker, a kernel of the image's Python.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, ErrorKind, ExecutionResult, Executor, ExecutorError, HostPort, RunRequest,
    SandboxConfig,
};
use pcm_runtime_guest::Stop;
use pcm_runtime_subprocess::{KernelConfig, SubprocessEngine, SubprocessSandbox};
use pcm_runtime_worker::{Engine, EngineEntry};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde::{Deserialize, Serialize};

use crate::folder::{HOST_SOCKET, INSIDE, PACKAGES, PROXY_SOCKET};
use crate::forward;
use crate::program::ENVIRONMENT;

/// The name of the engine among those of a program.
pub(crate) const ENGINE: &str = "container";
/// The variable with what the host says.
pub(crate) const SETTINGS: &str = "PCM_CONTAINER";
/// Where what is made at every start is kept.
pub(crate) const CACHE: &str = "/tmp/.pcm";
/// The counters of the memory of this container, of the two versions of cgroups.
const COUNTERS: [&str; 2] =
    ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// What the host says of the container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inside {
    /// Variables of the environment of the code.
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether the host connects it to hosts on a list.
    pub(crate) proxy: bool,
    /// How long a kernel may take to be ready.
    pub(crate) startup_seconds: f64,
    /// Whether the program is a session server, and no worker.
    pub(crate) serves: bool,
}

impl Inside {
    /// The variable that says it.
    pub(crate) fn variable(&self) -> std::io::Result<String> {
        Ok(format!("{SETTINGS}={}", serde_json::to_string(self)?))
    }
}

/// What a program has to give to `pcm_runtime_worker::init`, so that containers can hold it.
pub const fn entry() -> EngineEntry {
    EngineEntry { name: ENGINE, load, prepare: |_| Ok(()) }
}

fn load() -> Result<Box<dyn Engine>, String> {
    let said = std::env::var(SETTINGS).map_err(|_| "it was not started in a container of ours")?;
    let inside: Inside = serde_json::from_str(&said).map_err(|error| error.to_string())?;
    let engine = SubprocessEngine::new(kernels(&inside));
    Ok(Box::new(Kernels { engine, proxy: inside.proxy }))
}

/// The kernels of a session server in a container of ours; None anywhere else. From here on the code beside
/// the server cannot read what it knows, and the server ends with its host.
pub fn served_kernels() -> Result<Option<KernelConfig>, String> {
    let Ok(said) = std::env::var(SETTINGS) else { return Ok(None) };
    let inside: Inside = serde_json::from_str(&said).map_err(|error| error.to_string())?;
    if !inside.serves {
        return Ok(None);
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| error.to_string())?;
    pcm_runtime_cache::set_root(PathBuf::from(CACHE));
    let lost = |error: std::io::Error| format!("the host is not there: {error}");
    let mut host = UnixStream::connect(PathBuf::from(INSIDE).join(HOST_SOCKET)).map_err(lost)?;
    let waits = thread::Builder::new().name("pcm-host".to_owned());
    let waits = waits.spawn(move || {
        let _ = host.read(&mut [0]); // it says nothing; this is its end
        std::process::exit(1);
    });
    waits.map_err(lost)?;
    Ok(Some(kernels(&inside)))
}

fn kernels(inside: &Inside) -> KernelConfig {
    let mut env = BTreeMap::from(
        [("MPLCONFIGDIR", "/tmp/.matplotlib"), ("XDG_CACHE_HOME", "/tmp/.cache")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if inside.proxy {
        env.extend(forward::environment());
    }
    env.extend(inside.environment.clone());
    KernelConfig {
        venv_path: Some(PathBuf::from(ENVIRONMENT)),
        contained: true,
        packages: Some(PathBuf::from(INSIDE).join(PACKAGES)),
        startup_timeout: Duration::try_from_secs_f64(inside.startup_seconds)
            .unwrap_or(Duration::from_mins(1)),
        env,
        // What needs another kernel gets another container.
        spares: 0,
        ..KernelConfig::default()
    }
}

struct Kernels {
    engine: SubprocessEngine,
    proxy: bool,
}

#[async_trait]
impl Engine for Kernels {
    async fn warm(&self) -> Result<(), String> {
        if self.proxy {
            let socket = PathBuf::from(INSIDE).join(PROXY_SOCKET);
            forward::serve(socket).await.map_err(|error| error.to_string())?;
        }
        self.engine.warm().await.map_err(|error| error.to_string())
    }

    fn sandbox(&self, config: SandboxConfig) -> Arc<dyn Executor> {
        let limits = config.limits.clone();
        let session = SubprocessSandbox::new(self.engine.clone(), config);
        Arc::new(Counted { session, limits })
    }
}

/// A session whose kernel may be ended by the system because the memory of the container was used up.
#[derive(Debug)]
struct Counted {
    session: SubprocessSandbox,
    limits: pcm_runtime_api::Limits,
}

/// How many processes of this container the system has ended for want of memory.
fn ended_for_memory() -> Option<u64> {
    let text = COUNTERS.iter().find_map(|path| fs::read_to_string(path).ok())?;
    count(&text)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[async_trait]
impl Executor for Counted {
    fn backend(&self) -> &'static str {
        self.session.backend()
    }

    fn capabilities(&self) -> &'static [Capability] {
        self.session.capabilities()
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        self.session.start(port).await
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let limits = request.limits_over(&self.limits);
        let before = ended_for_memory();
        let mut result = self.session.run(request).await;
        let crashed = |error: &pcm_runtime_api::ExecutionError| error.kind == ErrorKind::Crashed;
        // Those that the code has started are its own matter; its kernel is the session.
        if result.error.as_ref().is_some_and(crashed) && ended_for_memory() > before {
            result.error = Some(Stop::Memory.error(&limits));
        }
        result
    }

    fn interrupt(&self) {
        self.session.interrupt();
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        self.session.reset().await
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        self.session.put_file(path, content).await
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        self.session.get_file(path, longest).await
    }

    async fn close(&self) {
        self.session.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_counter_are_read() {
        assert_eq!(count("low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(count("under_oom 0\n"), None);
    }

    #[test]
    fn what_the_user_sets_holds_over_what_we_set() {
        let environment = BTreeMap::from([("HTTP_PROXY".to_owned(), "mine".to_owned())]);
        let inside = Inside { environment, proxy: true, startup_seconds: 1.0, serves: false };
        let kernels = kernels(&inside);
        assert_eq!(kernels.env.get("HTTP_PROXY").map(String::as_str), Some("mine"));
        assert_eq!(
            kernels.env.get("https_proxy").map(String::as_str),
            Some("http://127.0.0.1:3128")
        );
    }
}
