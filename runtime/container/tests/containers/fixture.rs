//! The engine of the tests, its image, and sessions.

use std::fs::File;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use libtest_mimic::{Completion, Failed};
use pcm_runtime_api::{
    ErrorKind, ExecutionResult, Executor as _, HostCall, HostError, HostPort, Payload, RunRequest,
    SandboxConfig,
};
use pcm_runtime_container::{
    Base, BuildRequest, ContainerEngine, ContainerSandbox, ContainerSettings, Images,
};
use pcm_runtime_worker::WorkerSandbox;
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

/// The longest that a test may take. Nothing waits for it that is as it should be.
const WATCHDOG: Duration = Duration::from_mins(4);
const IMAGE: &str = "pcm-sandbox-test:base";

/// What a test comes to.
pub(crate) type Check = Result<(), Failed>;
/// A test.
pub(crate) type Test = fn() -> Pin<Box<dyn Future<Output = Check>>>;

/// Whether there is an engine.
#[derive(Debug, Clone)]
pub(crate) enum Fixture {
    Here,
    Missing(String),
}

impl Fixture {
    /// What is missing although somebody has named it is found out by the tests.
    pub(crate) fn find() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let found = match runtime {
            Ok(runtime) => {
                runtime.block_on(Images::connect(None)).map(drop).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match found {
            Err(reason) if std::env::var_os("DOCKER_HOST").is_none() => Self::Missing(reason),
            _ => Self::Here,
        }
    }

    pub(crate) fn missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    pub(crate) fn run(&self, test: Test) -> Result<Completion, Failed> {
        if let Self::Missing(reason) = self {
            return Ok(Completion::ignored_with(reason));
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            image().await?;
            timeout(WATCHDOG, test()).await.map_err(|_| Failed::from("it hangs"))?
        })?;
        Ok(Completion::Completed)
    }
}

/// Makes the image of this program, once for all processes that test.
async fn image() -> Check {
    static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let make = || async {
        let lock = File::create(std::env::temp_dir().join("pcm-container-tests.lock"))?;
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            sleep(Duration::from_millis(100)).await;
        }
        let images = Images::connect(None).await?;
        let there = images.list(None).await?;
        if there.iter().any(|image| image.name == IMAGE && image.current) {
            return Ok(());
        }
        let request =
            BuildRequest { base: Base::Host, tag: IMAGE.to_owned(), ..BuildRequest::default() };
        images.build(&request, &|_| {}).await?;
        Ok::<_, Failed>(())
    };
    MADE.get_or_try_init(make).await.copied()
}

/// Settings without containers that wait.
pub(crate) fn settings(change: impl FnOnce(&mut ContainerSettings)) -> ContainerSettings {
    let mut settings = ContainerSettings {
        image: IMAGE.to_owned(),
        auto_build: false,
        warm: 0,
        ..ContainerSettings::default()
    };
    change(&mut settings);
    settings
}

pub(crate) fn engine(change: impl FnOnce(&mut ContainerSettings)) -> ContainerEngine {
    ContainerEngine::new(settings(change))
}

/// A session in a container of its own.
pub(crate) async fn started(
    engine: &ContainerEngine,
    config: impl Into<SandboxConfig>,
) -> Result<WorkerSandbox, Failed> {
    let session = ContainerSandbox::new(engine.clone(), config);
    session.start(Arc::new(Echo)).await?;
    Ok(session)
}

/// The same with default settings.
pub(crate) async fn session() -> Result<WorkerSandbox, Failed> {
    started(&engine(|_| {}), SandboxConfig::default()).await
}

pub(crate) async fn run(session: &WorkerSandbox, code: &str) -> ExecutionResult {
    session.run(RunRequest::new(code)).await
}

/// The value of a run that is to have one.
pub(crate) async fn value(session: &WorkerSandbox, code: &str) -> Result<Value, Failed> {
    let result = run(session, code).await;
    match result.error {
        None => Ok(result.value),
        Some(error) => Err(format!("{code}: {error:?}").into()),
    }
}

/// The kind of error that a run is to end with.
pub(crate) async fn kind(session: &WorkerSandbox, code: &str) -> Result<ErrorKind, Failed> {
    let result = run(session, code).await;
    let error = result.error.ok_or_else(|| Failed::from(format!("{code}: {:?}", result.value)))?;
    Ok(error.kind)
}

pub(crate) fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// Fails unless they are the same.
#[expect(clippy::needless_pass_by_value, reason = "read as an assertion is")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(left: T, right: T) -> Check {
    check(left == right, || format!("{left:?} is not {right:?}"))
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> Result<bool, Failed>) -> Check {
    let begun = Instant::now();
    while !holds()? {
        check(begun.elapsed() < Duration::from_secs(30), || format!("it never happens: {what}"))?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// What the client of the engine says.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("docker").args(arguments).output()?;
    let (out, err) = (output.stdout, output.stderr);
    check(output.status.success(), || String::from_utf8_lossy(&err).into_owned())?;
    Ok(String::from_utf8_lossy(&out).trim().to_owned())
}

/// The containers, whatever their state, of a name.
pub(crate) fn containers(name: &str) -> Result<Vec<String>, Failed> {
    let filter = format!("name=^/{name}-");
    let listed = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Gives back what it gets, and remembers it.
#[derive(Debug)]
pub(crate) struct Echo;

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(call.op.clone());
        Ok(call.args)
    }
}
