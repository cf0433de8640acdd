//! The suite over kernels, while the others are elsewhere.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{Backend, Case, Verdict, load_cases, run_case};
use pcm_runtime_api::{Executor, Limits, SandboxConfig};
use pcm_runtime_subprocess::{EnvironmentPackages, SubprocessEngine, SubprocessSandbox};
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<ExitCode> {
    let arguments = Arguments::from_args();
    let cases =
        load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/cases"))?;
    let runtime = Arc::new(Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
    let backend: Arc<dyn Backend> = Arc::new(Kernels(SubprocessEngine::shared()));
    let trials = cases.iter().map(|case| trial(&backend, case.clone(), &runtime)).collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn trial(backend: &Arc<dyn Backend>, case: Case, runtime: &Arc<Runtime>) -> Trial {
    let name = format!("subprocess::{}::{}", case.topic(), case.id);
    let (backend, runtime) = (Arc::clone(backend), Arc::clone(runtime));
    Trial::ignorable_test(name, move || match runtime.block_on(run_case(&*backend, &case)) {
        Ok(Verdict::Passed) => Ok(Completion::Completed),
        Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
        Err(failure) => Err(Failed::from(failure)),
    })
}

#[derive(Debug)]
struct Kernels(SubprocessEngine);

#[async_trait]
impl Backend for Kernels {
    fn key(&self) -> &'static str {
        "subprocess"
    }

    async fn open(&self, limits: Limits) -> Result<Arc<dyn Executor>> {
        let packages = EnvironmentPackages::new(self.0.clone());
        let config = SandboxConfig {
            limits,
            packages: Some(Arc::new(packages)),
            ..SandboxConfig::default()
        };
        Ok(Arc::new(SubprocessSandbox::new(self.0.clone(), config)))
    }
}
