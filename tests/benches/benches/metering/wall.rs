//! The wasm wall as a session uses it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pcm_runtime_api::{Executor as _, Limits, NoHost, RunRequest};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::{Builder, Runtime};

use crate::{Column, Program};

pub(crate) struct Wall {
    name: &'static str,
    limits: Limits,
    engine: WasmEngine,
    runtime: Runtime,
}

/// What is compared, for the reader.
pub(crate) fn version() -> Result<String> {
    let engine = WasmEngine::shared()?;
    let info = engine.info();
    Ok(format!("{} on wasmtime {}", info.python, info.wasmtime))
}

impl Wall {
    pub(crate) fn plain() -> Result<Self> {
        Self::new("wasm", None)
    }

    pub(crate) fn with_fuel() -> Result<Self> {
        Self::new("wasm with fuel", Some(u64::MAX / 2))
    }

    fn new(name: &'static str, fuel: Option<u64>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let limits = Limits { fuel, ..Limits::default() };
        Ok(Self { name, limits, engine: WasmEngine::shared()?, runtime })
    }
}

impl Column for Wall {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, program: &Program) -> Result<(Duration, String)> {
        let result = self.runtime.block_on(async {
            let sandbox = WasmSandbox::new(self.engine.clone(), self.limits.clone());
            sandbox.start(Arc::new(NoHost)).await?;
            anyhow::Ok(sandbox.run(RunRequest::new(program.source)).await)
        })?;
        match result.error {
            Some(error) => bail!("{error}"),
            None => Ok((Duration::try_from_secs_f64(result.usage.cpu_ms / 1e3)?, result.stdout)),
        }
    }
}
