//! The host of the tests: pools, sessions, and what answers their calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use pcm_runtime_api::{
    ExecutionResult, Executor as _, HostCall, HostError, HostPort, Payload, RunRequest,
    SandboxConfig,
};
use pcm_runtime_worker::{Pool, PoolConfig, WorkerSandbox};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::act::Act;
use crate::crashes::report;
use crate::engine::KIND;

/// A variable of the host's environment, with a secret in it.
pub(crate) const SECRET: &str = "PCM_WORKERS_SECRET";
/// The longest that a test may take. Nothing waits for it that is as it should be.
const WATCHDOG: Duration = Duration::from_mins(2);

/// What a test comes to.
pub(crate) type Check = Result<(), Failed>;

/// What tests share.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) runtime: Runtime,
    /// With one worker that waits.
    pub(crate) pool: Pool,
}

impl Fixture {
    pub(crate) fn new() -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let pool = Pool::new(PoolConfig::new("native"))?;
        runtime.block_on(pool.warm())?;
        Ok(Arc::new(Self { runtime, pool }))
    }

    /// A test, by its name.
    pub(crate) fn trial<F>(
        self: &Arc<Self>,
        name: &str,
        test: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Trial
    where
        F: Future<Output = Check>,
    {
        self.trial_within(WATCHDOG, name, test)
    }

    /// A test that may take so long.
    pub(crate) fn trial_within<F>(
        self: &Arc<Self>,
        longest: Duration,
        name: &str,
        test: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Trial
    where
        F: Future<Output = Check>,
    {
        let fixture = Arc::clone(self);
        Trial::test(name, move || {
            let test = test(Arc::clone(&fixture));
            let begun = Instant::now();
            let watched = async { timeout(longest, test).await };
            let ended = fixture.runtime.block_on(watched);
            report(&format!("took {:?}", begun.elapsed()));
            ended.map_err(|_| Failed::from("it hangs"))?
        })
    }

    /// Waits until the pool that all tests share starts nothing any more.
    pub(crate) async fn settles(&self) {
        until(|| self.pool.status().starting == 0).await;
    }

    /// A session of the pool that all tests share.
    pub(crate) async fn session(&self) -> Result<Session, Failed> {
        Session::start(&self.pool, SandboxConfig::default()).await
    }

    /// The same, with that configuration.
    pub(crate) async fn session_with(
        &self,
        config: impl Into<SandboxConfig>,
    ) -> Result<Session, Failed> {
        Session::start(&self.pool, config.into()).await
    }
}

/// A pool of workers that are as all others.
pub(crate) fn pool(change: impl FnOnce(&mut PoolConfig)) -> Result<Pool, Failed> {
    let mut config = PoolConfig::new("native");
    change(&mut config);
    Ok(Pool::new(config)?)
}

/// A session, and what answers its calls.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sandbox: Arc<WorkerSandbox>,
    pub(crate) tools: Arc<Tools>,
}

impl Session {
    pub(crate) async fn start(pool: &Pool, config: SandboxConfig) -> Result<Self, Failed> {
        let sandbox = Arc::new(WorkerSandbox::new(pool.clone(), KIND, config));
        let tools = Arc::new(Tools {
            pool: pool.clone(),
            calls: AtomicU64::new(0),
            waiting: Arc::default(),
        });
        sandbox.start(Arc::clone(&tools) as Arc<dyn HostPort>).await?;
        Ok(Self { sandbox, tools })
    }

    pub(crate) async fn run(&self, act: &Act) -> ExecutionResult {
        self.sandbox.run(RunRequest::new(act.code())).await
    }

    /// The value of a run that is to have one.
    pub(crate) async fn value(&self, act: &Act) -> Result<Value, Failed> {
        let result = self.run(act).await;
        match result.error {
            None => Ok(result.value),
            Some(error) => Err(format!("{act:?} gave {error:?}").into()),
        }
    }

    /// The text of a run that is to give one.
    pub(crate) async fn text(&self, act: &Act) -> Result<String, Failed> {
        Ok(self.value(act).await?.as_str().unwrap_or_default().to_owned())
    }

    /// That a session works, whatever has happened to it.
    pub(crate) async fn works(&self) -> Check {
        let value = self.value(&Act::Value(json!("works"))).await?;
        check(value == "works", || format!("it gave {value}"))
    }

    /// The process that holds it.
    pub(crate) async fn process(&self) -> Result<u32, Failed> {
        self.sandbox.process_id().await.ok_or_else(|| Failed::from("it has no process"))
    }
}

/// Answers the calls of a session.
#[derive(Debug)]
pub(crate) struct Tools {
    pool: Pool,
    calls: AtomicU64,
    waiting: Arc<AtomicU64>,
}

impl Tools {
    /// How many calls wait that have no end.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Counts something for as long as it is there.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn begin(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl HostPort for Tools {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match call.op.as_str() {
            "echo" => Ok(call.args),
            "later" => {
                tokio::task::yield_now().await;
                Ok(call.args)
            }
            // So many milliseconds.
            "pause" => {
                tokio::time::sleep(Duration::from_millis(call.args.value.as_u64().unwrap_or(0)))
                    .await;
                Ok(call.args)
            }
            "fail" => Err(HostError::new("NotToday", "this tool does not work")),
            "panic" => std::panic::resume_unwind(Box::new("a tool panicked")),
            "forever" => {
                let _counted = Counted::begin(&self.waiting);
                std::future::pending().await
            }
            "waiting" => Ok(Payload::from(Value::from(self.waiting()))),
            // So many bytes.
            "long" => {
                let length = usize::try_from(call.args.value.as_u64().unwrap_or(0)).unwrap_or(0);
                Ok(Payload::from(Value::from("x".repeat(length))))
            }
            // In a sandbox of its own.
            "run" => {
                let session = Self::nested(&self.pool).await;
                let session = session.map_err(|_| HostError::new("NoSession", "there is none"))?;
                let code = serde_json::to_vec(&call.args.value).unwrap_or_default();
                Ok(Payload::from(session.sandbox.run(RunRequest::new(code)).await.value))
            }
            _ => Err(HostError::unknown_operation(&call)),
        }
    }
}

impl Tools {
    async fn nested(pool: &Pool) -> Result<Session, Failed> {
        Box::pin(Session::start(pool, SandboxConfig::default())).await
    }
}

/// Fails unless it holds.
pub(crate) fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

/// Waits until it holds. The watchdog bounds it.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
