//! One test for each case and backend, as `wasm::evaluation::1_plus_1`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{Backend, Case, Verdict, load_cases, run_case};
use pcm_runtime_api::{Executor, Limits, PackageSource, SandboxConfig};
use pcm_runtime_container::{ContainerEngine, ContainerSandbox, ContainerSettings};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
use pcm_runtime_in_process::{InProcessEngine, InProcessSandbox};
use pcm_runtime_subprocess::{
    EnvironmentPackages, KernelConfig, SubprocessEngine, SubprocessSandbox,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use pcm_sandbox::BackendKind;
use pcm_sandbox::worker::{self, Pool, PoolConfig};
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<ExitCode> {
    worker::init();
    let arguments = Arguments::from_args();
    let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let mut trials = Vec::new();
    let placed = [BackendKind::Wasm, BackendKind::DenoSandbox].map(in_worker);
    let found = [wasm(), deno(), subprocess(), container(), in_process()].into_iter().chain(placed);
    for backend in found {
        // Not every machine has an engine of containers.
        if backend.name != "container" {
            trials.push(must_be_here(&backend));
        }
        trials.extend(cases.iter().map(|case| trial(&backend, case.clone(), &runtime)));
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// A backend of this machine, or the reason why there is none.
struct Found {
    /// What its tests are called by.
    name: String,
    backend: Result<Arc<dyn Backend>, String>,
}

/// Fails when a backend is missing that no machine is without: else all its cases were ignored and
/// nobody would see it.
fn must_be_here(found: &Found) -> Trial {
    let outcome = found.backend.as_ref().map(drop).map_err(Failed::from);
    Trial::test(format!("{}::is_here", found.name), move || outcome)
}

fn trial(found: &Found, case: Case, runtime: &Arc<Runtime>) -> Trial {
    let name = format!("{}::{}::{}", found.name, case.topic(), case.id);
    match &found.backend {
        Ok(backend) => {
            let (backend, runtime) = (Arc::clone(backend), Arc::clone(runtime));
            Trial::ignorable_test(name, move || {
                match runtime.block_on(run_case(&*backend, &case)) {
                    Ok(Verdict::Passed) => Ok(Completion::Completed),
                    Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
                    Err(failure) => Err(Failed::from(failure)),
                }
            })
        }
        Err(reason) => {
            let reason = reason.clone();
            let ignored = move || Ok(Completion::ignored_with(reason));
            Trial::ignorable_test(name, ignored).with_ignored_flag(true)
        }
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

fn wasm() -> Found {
    let backend = match WasmEngine::shared() {
        Ok(engine) => Ok(Arc::new(Wasm(engine)) as Arc<dyn Backend>),
        Err(error) => Err(error.to_string()),
    };
    Found { name: "wasm".to_owned(), backend }
}

fn deno() -> Found {
    let backend = Arc::new(Deno(DenoEngine::shared()));
    Found { name: "deno-sandbox".to_owned(), backend: Ok(backend) }
}

fn subprocess() -> Found {
    // One session in each process of the tests.
    let engine = SubprocessEngine::new(KernelConfig { spares: 0, ..KernelConfig::default() });
    Found { name: "subprocess".to_owned(), backend: Ok(Arc::new(Subprocess(engine))) }
}

/// With the image that `./x test` makes, of the program that it has built.
fn container() -> Found {
    let settings = ContainerSettings {
        program: env::var_os("PCM_CONTAINER_PROGRAM").map(PathBuf::from),
        auto_build: false,
        warm: 0,
        ..ContainerSettings::default()
    };
    let backend = match env::var_os("DOCKER_HOST") {
        Some(_) => Ok(Arc::new(Container(ContainerEngine::new(settings))) as Arc<dyn Backend>),
        None => Err("DOCKER_HOST names no engine; ./x test starts one where it can".to_owned()),
    };
    Found { name: "container".to_owned(), backend }
}

fn in_process() -> Found {
    let backend = Arc::new(InProcess(InProcessEngine::default()));
    Found { name: "in-process".to_owned(), backend: Ok(backend) }
}

fn in_worker(backend: BackendKind) -> Found {
    let name = format!("{backend}-worker");
    let config = PoolConfig { warm: 0, ..worker::config(backend) };
    let placed = Pool::new(config).map(|pool| Arc::new(InWorker { backend, pool }));
    let backend =
        placed.map(|placed| placed as Arc<dyn Backend>).map_err(|error| error.to_string());
    Found { name, backend }
}
