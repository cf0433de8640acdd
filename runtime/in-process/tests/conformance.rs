//! The conformance suite over this backend: one test for each case, as `in-process::output::unicode`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{Backend, Case, Verdict, load_cases, run_case};
use pcm_runtime_api::{Executor, Limits};
use pcm_runtime_in_process::{InProcessEngine, InProcessSandbox};
use tokio::runtime::{Builder, Runtime};

const CASES: &str = "../../tests/conformance/cases";

fn main() -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES))?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let backend = Arc::new(InProcess(InProcessEngine::default()));
    let trials = cases.into_iter().map(|case| trial(&backend, case, &runtime)).collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

#[derive(Debug)]
struct InProcess(InProcessEngine);

#[async_trait]
impl Backend for InProcess {
    fn key(&self) -> &'static str {
        "in-process"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        Ok(Arc::new(InProcessSandbox::new(self.0.clone(), limits)))
    }
}

fn trial(backend: &Arc<InProcess>, case: Case, runtime: &Arc<Runtime>) -> Trial {
    let name = format!("in-process::{}::{}", case.topic(), case.id);
    let (backend, runtime) = (Arc::clone(backend), Arc::clone(runtime));
    Trial::ignorable_test(name, move || {
        if case.topic() == "deps" {
            // They need somebody who brings packages: tests/conformance has one.
            return Ok(Completion::ignored_with("there is no source of packages here"));
        }
        match runtime.block_on(run_case(&*backend, &case)) {
            Ok(Verdict::Passed) => Ok(Completion::Completed),
            Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
            Err(failure) => Err(Failed::from(failure)),
        }
    })
}
