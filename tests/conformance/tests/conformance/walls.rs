//! The backends of this machine.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use pcm_conformance::{Backend, Wall};
use pcm_runtime_api::{Executor, Limits, PackageSource, SandboxConfig};
use pcm_runtime_container::{ContainerEngine, ContainerSandbox, ContainerSettings, DEFAULT_IMAGE};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
use pcm_runtime_in_process::{InProcessEngine, InProcessSandbox};
use pcm_runtime_subprocess::{
    EnvironmentPackages, KernelConfig, SubprocessEngine, SubprocessSandbox,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use pcm_sandbox::BackendKind;
use pcm_sandbox::worker::{self, Pool, PoolConfig};

/// The backend of a wall, or the reason why there is none.
pub(crate) fn find(wall: Wall) -> Result<Arc<dyn Backend>, String> {
    match wall.name {
        "wasm" => wasm(),
        "deno-sandbox" => Ok(Arc::new(Deno(DenoEngine::shared()))),
        "subprocess" => Ok(subprocess()),
        "container" => container(),
        "in-process" => Ok(Arc::new(InProcess(InProcessEngine::default()))),
        "wasm-worker" => in_worker(BackendKind::Wasm),
        "deno-sandbox-worker" => in_worker(BackendKind::DenoSandbox),
        other => Err(format!("nothing is known of a wall {other}")),
    }
}

#[derive(Debug)]
struct Wasm(WasmEngine);

#[async_trait]
impl Backend for Wasm {
    fn key(&self) -> &'static str {
        "wasm"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = Some(pcm_sandbox::package_source(BackendKind::Wasm));
        let config = SandboxConfig { limits, packages, ..SandboxConfig::default() };
        Ok(Arc::new(WasmSandbox::new(self.0.clone(), config)))
    }
}

#[derive(Debug)]
struct Deno(DenoEngine);

#[async_trait]
impl Backend for Deno {
    fn key(&self) -> &'static str {
        "deno-sandbox"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = Some(pcm_sandbox::package_source(BackendKind::DenoSandbox));
        let config = SandboxConfig { limits, packages, ..SandboxConfig::default() };
        Ok(Arc::new(DenoSandbox::new(self.0.clone(), config)))
    }
}

#[derive(Debug)]
struct Subprocess(SubprocessEngine);

#[async_trait]
impl Backend for Subprocess {
    fn key(&self) -> &'static str {
        "subprocess"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = Some(pcm_sandbox::package_source(BackendKind::Subprocess));
        let config = SandboxConfig { limits, packages, ..SandboxConfig::default() };
        Ok(Arc::new(SubprocessSandbox::new(self.0.clone(), config)))
    }
}

#[derive(Debug)]
struct Container(ContainerEngine);

#[async_trait]
impl Backend for Container {
    fn key(&self) -> &'static str {
        "container"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let python = self.0.python(&|_| {}).await?;
        let packages: Arc<dyn PackageSource> = Arc::new(EnvironmentPackages::of_version(python));
        let config = SandboxConfig { limits, packages: Some(packages), ..SandboxConfig::default() };
        Ok(Arc::new(ContainerSandbox::new(self.0.clone(), config)))
    }
}

#[derive(Debug)]
struct InProcess(InProcessEngine);

#[async_trait]
impl Backend for InProcess {
    fn key(&self) -> &'static str {
        "in-process"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = Some(pcm_sandbox::package_source(BackendKind::InProcess));
        let config = SandboxConfig { limits, packages, ..SandboxConfig::default() };
        Ok(Arc::new(InProcessSandbox::new(self.0.clone(), config)))
    }
}

/// A backend whose sessions have workers of their own.
#[derive(Debug)]
struct InWorker {
    backend: BackendKind,
    pool: Pool,
}

#[async_trait]
impl Backend for InWorker {
    fn key(&self) -> &'static str {
        self.backend.key()
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = Some(pcm_sandbox::package_source(self.backend));
        let config = SandboxConfig { limits, packages, ..SandboxConfig::default() };
        worker::prepare(self.backend, &self.pool, |_| {}).await?;
        Ok(worker::sandbox(self.backend, self.pool.clone(), config)?)
    }
}

fn wasm() -> Result<Arc<dyn Backend>, String> {
    let engine = WasmEngine::shared().map_err(|error| error.to_string())?;
    Ok(Arc::new(Wasm(engine)))
}

fn subprocess() -> Arc<dyn Backend> {
    // Cases run one after the other, and other tests beside them: a spare would only take their time.
    let engine = SubprocessEngine::new(KernelConfig { spares: 0, ..KernelConfig::default() });
    Arc::new(Subprocess(engine))
}

/// With the image that `./x test` makes, of the program that it has built.
fn container() -> Result<Arc<dyn Backend>, String> {
    if env::var_os("DOCKER_HOST").is_none() {
        return Err("DOCKER_HOST names no engine; ./x test starts one where it can".to_owned());
    }
    let settings = ContainerSettings {
        program: env::var_os("PCM_CONTAINER_PROGRAM").map(PathBuf::from),
        // One of the checkout's own, where several share an engine.
        image: env::var("PCM_CONTAINER_IMAGE").unwrap_or_else(|_| DEFAULT_IMAGE.to_owned()),
        auto_build: false,
        warm: 0,
        ..ContainerSettings::default()
    };
    Ok(Arc::new(Container(ContainerEngine::new(settings))))
}

fn in_worker(backend: BackendKind) -> Result<Arc<dyn Backend>, String> {
    let config = PoolConfig { warm: 0, ..worker::config(backend) };
    let pool = Pool::new(config).map_err(|error| error.to_string())?;
    Ok(Arc::new(InWorker { backend, pool }))
}
