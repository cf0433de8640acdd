//! The wall, in this process.

use std::env;
use std::process::{self, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pcm_benches::{Echo, calls_of, pss_bytes_of, resident_bytes_of, time_of, whole_process};
use pcm_runtime_api::{Executor as _, Limits, RunRequest};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{sleep, timeout};

use crate::{Memory, Times};

pub(crate) struct Wall {
    engine: DenoEngine,
    runtime: Runtime,
}

impl Wall {
    /// With all made that is kept from process to process, and no spares.
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread().enable_all().build().context("no runtime")?;
        let engine = DenoEngine::new();
        engine.set_spares(0);
        runtime.block_on(engine.prepare(|step| eprintln!("{step}")))?;
        Ok(Self { engine, runtime })
    }

    async fn session(&self) -> Result<DenoSandbox> {
        let sandbox = DenoSandbox::new(self.engine.clone(), Limits::default());
        sandbox.start(Arc::new(Echo)).await?;
        Ok(sandbox)
    }

    /// From nothing to the result of a session's first run.
    pub(crate) fn first_results(&self, spares: usize, rounds: usize) -> Result<Times> {
        self.engine.set_spares(spares);
        self.runtime.block_on(async {
            self.session().await?.close().await; // the first one has the spares made
            let mut times = Times::with_capacity(rounds);
            for _ in 0..rounds {
                nothing_under_way().await?;
                let begin = Instant::now();
                let sandbox = self.session().await?;
                run(&sandbox, "1 + 1").await?;
                times.push(begin.elapsed());
                sandbox.close().await;
            }
            Ok(times)
        })
    }

    /// Resets of a session that has run.
    pub(crate) fn resets(&self, spares: usize, rounds: usize) -> Result<Times> {
        self.engine.set_spares(spares);
        self.runtime.block_on(async {
            let sandbox = self.session().await?;
            let mut times = Times::with_capacity(rounds);
            for _ in 0..rounds {
                run(&sandbox, "1 + 1").await?;
                nothing_under_way().await?;
                let begin = Instant::now();
                sandbox.reset().await?;
                times.push(begin.elapsed());
            }
            sandbox.close().await;
            Ok(times)
        })
    }

    /// Runs in a session that has run before.
    pub(crate) fn runs(&self, runs: usize) -> Result<Times> {
        self.in_session(runs, &async |sandbox: &DenoSandbox| {
            let begin = Instant::now();
            run(sandbox, "1 + 1").await?;
            Ok(begin.elapsed())
        })
    }

    /// Tool calls; each time is that of one call among many.
    pub(crate) fn calls(&self, call: &str, rounds: usize) -> Result<Times> {
        let code = calls_of(call);
        let measure = async |sandbox: &DenoSandbox| time_of(&run(sandbox, &code).await?);
        self.in_session(rounds, &measure)
    }

    /// Does it again and again in one session, and does not count the first time.
    fn in_session(
        &self,
        rounds: usize,
        measure: &impl AsyncFn(&DenoSandbox) -> Result<Duration>,
    ) -> Result<Times> {
        self.engine.set_spares(0);
        self.runtime.block_on(async {
            nothing_under_way().await?;
            let sandbox = self.session().await?;
            measure(&sandbox).await?;
            let mut times = Times::with_capacity(rounds);
            for _ in 0..rounds {
                times.push(measure(&sandbox).await?);
            }
            sandbox.close().await;
            Ok(times)
        })
    }

    /// Sessions that live and have run, beyond the first.
    pub(crate) fn memory(&self) -> Result<Memory> {
        const MORE: u32 = 10;
        let now = || Memory {
            resident: resident_bytes_of(process::id()),
            proportional: pss_bytes_of(process::id()),
        };
        self.engine.set_spares(0);
        self.runtime.block_on(async {
            let mut sandboxes = vec![self.session().await?];
            run(&sandboxes[0], "1 + 1").await?;
            let before = now();
            for _ in 0..MORE {
                let sandbox = self.session().await?;
                run(&sandbox, "1 + 1").await?;
                sandboxes.push(sandbox);
            }
            let memory = Memory::of_each(MORE, before, now());
            for sandbox in sandboxes {
                sandbox.close().await;
            }
            Ok(memory)
        })
    }
}

async fn run(sandbox: &DenoSandbox, code: &str) -> Result<Value> {
    let result = sandbox.run(RunRequest::new(code)).await;
    ensure!(result.is_ok(), "{code}: {:?}", result.error);
    Ok(result.value)
}

/// Waits for the spares. They are made in tasks of this runtime, which has no other tasks while no
/// code runs.
async fn nothing_under_way() -> Result<()> {
    const PATIENCE: Duration = Duration::from_mins(1);
    const LOOK: Duration = Duration::from_millis(2);
    let wait = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, wait).await.context("the spares do not come")
}

/// The built binary beside this benchmark, from its start to its end.
pub(crate) fn whole_command() -> Option<Duration> {
    let binary = env::current_exe().ok()?.with_file_name("../pcm-sandbox");
    let mut command = Command::new(binary);
    command.args(["run", "--backend", "deno-sandbox", "--json", "-c", "1 + 1"]);
    whole_process(&mut command, 1)?.pop()
}
