//! One test for each case and backend, as `wasm::evaluation::1_plus_1`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{Backend, Case, Verdict, load_cases, run_case};
use pcm_runtime_api::{Executor, Limits};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let trials = [wasm()]
        .iter()
        .flat_map(|found| cases.iter().map(|case| trial(found, case.clone(), &runtime)))
        .collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// A backend of this machine, or the reason why there is none.
enum Found {
    Here(Arc<dyn Backend>),
    Missing { key: &'static str, reason: String },
}

fn trial(found: &Found, case: Case, runtime: &Arc<Runtime>) -> Trial {
    match found {
        Found::Here(backend) => {
            let (backend, runtime) = (Arc::clone(backend), Arc::clone(runtime));
            let name = name_of(backend.key(), &case);
            Trial::ignorable_test(name, move || {
                match runtime.block_on(run_case(&*backend, &case)) {
                    Ok(Verdict::Passed) => Ok(Completion::Completed),
                    Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
                    Err(failure) => Err(Failed::from(failure)),
                }
            })
        }
        Found::Missing { key, reason } => {
            let reason = reason.clone();
            let ignored = move || Ok(Completion::ignored_with(reason));
            Trial::ignorable_test(name_of(key, &case), ignored).with_ignored_flag(true)
        }
    }
}

fn name_of(backend: &str, case: &Case) -> String {
    format!("{backend}::{}::{}", case.topic(), case.id)
}

#[derive(Debug)]
struct Wasm(WasmEngine);

#[async_trait]
impl Backend for Wasm {
    fn key(&self) -> &'static str {
        "wasm"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        Ok(Arc::new(WasmSandbox::new(self.0.clone(), limits)))
    }
}

fn wasm() -> Found {
    match WasmEngine::shared() {
        Ok(engine) => Found::Here(Arc::new(Wasm(engine))),
        Err(error) => Found::Missing { key: "wasm", reason: error.to_string() },
    }
}
