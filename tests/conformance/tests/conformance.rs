//! One test for each case and backend, as `wasm::evaluation::1_plus_1`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{Backend, Case, Verdict, load_cases, run_case};
use pcm_runtime_api::{Executor, Limits, SandboxConfig};
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use pcm_sandbox::BackendKind;
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let mut trials = Vec::new();
    for backend in [wasm(), deno()] {
        trials.push(must_be_here(&backend));
        trials.extend(cases.iter().map(|case| trial(&backend, case.clone(), &runtime)));
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// A backend of this machine, or the reason why there is none.
enum Found {
    Here(Arc<dyn Backend>),
    Missing { key: &'static str, reason: String },
}

impl Found {
    fn key(&self) -> &'static str {
        match self {
            Self::Here(backend) => backend.key(),
            Self::Missing { key, .. } => key,
        }
    }
}

/// Fails when a backend is missing that no machine is without: else all its cases were ignored and
/// nobody would see it.
fn must_be_here(found: &Found) -> Trial {
    let outcome = match found {
        Found::Here(_) => Ok(()),
        Found::Missing { reason, .. } => Err(Failed::from(reason)),
    };
    Trial::test(format!("{}::is_here", found.key()), move || outcome)
}

fn trial(found: &Found, case: Case, runtime: &Arc<Runtime>) -> Trial {
    let name = format!("{}::{}::{}", found.key(), case.topic(), case.id);
    match found {
        Found::Here(backend) => {
            let (backend, runtime) = (Arc::clone(backend), Arc::clone(runtime));
            Trial::ignorable_test(name, move || {
                match runtime.block_on(run_case(&*backend, &case)) {
                    Ok(Verdict::Passed) => Ok(Completion::Completed),
                    Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
                    Err(failure) => Err(Failed::from(failure)),
                }
            })
        }
        Found::Missing { reason, .. } => {
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

fn deno() -> Found {
    Found::Here(Arc::new(Deno(DenoEngine::shared())))
}

fn wasm() -> Found {
    match WasmEngine::shared() {
        Ok(engine) => Found::Here(Arc::new(Wasm(engine))),
        Err(error) => Found::Missing { key: "wasm", reason: error.to_string() },
    }
}
