//! Packages for the sandbox: resolved on the host, compiled in a sandbox, mounted to be read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_packages::{
    COMPILE_SCRIPT, Compiled, Compiler, PACKAGES_FOLDER, PackageSet, PackagesError, Requirement,
    Store,
};
use pcm_runtime_api::{
    Executor as _, Limits, Mount, MountAccess, NoHost, RunRequest, SandboxConfig,
};
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};

use crate::Error;
use crate::progress::Progress;

/// Ten thousand files take minutes.
const LONGEST_COMPILATION: Duration = Duration::from_mins(30);
/// Generated modules of a megabyte need some hundred times that.
const MEMORY: u64 = 1 << 30;

/// What was asked for, read.
pub(crate) fn requirements(specs: &[String]) -> Result<Vec<Requirement>, Error> {
    Ok(specs.iter().map(|spec| spec.parse()).collect::<Result<_, PackagesError>>()?)
}

/// A folder with what is required.
pub(crate) async fn resolve(
    requirements: &[Requirement],
    progress: &Progress,
) -> Result<PackageSet, Error> {
    let compiler = SandboxedCompiler { engine: crate::backend::wasm_engine().await? };
    let say = |line: &str| progress.say(line);
    Ok(Store::open()?.resolve(requirements, &compiler, &say).await?)
}

/// Where a sandbox sees a set.
pub(crate) fn mount(set: &PackageSet) -> Mount {
    Mount {
        host: set.folder.clone().into(),
        guest: PACKAGES_FOLDER.to_owned(),
        access: MountAccess::ReadOnly,
    }
}

/// Compiles in a sandbox that sees nothing but the folder.
#[derive(Debug)]
struct SandboxedCompiler {
    engine: WasmEngine,
}

#[async_trait]
impl Compiler for SandboxedCompiler {
    fn key(&self) -> String {
        format!("wasm {}", self.engine.info().python)
    }

    async fn compile(&self, folder: &Path) -> Result<Compiled, PackagesError> {
        let failed = |message: String| PackagesError::Compiler { message };
        let mount = Mount {
            host: folder.into(),
            guest: PACKAGES_FOLDER.to_owned(),
            access: MountAccess::ReadWrite,
        };
        let limits = Limits {
            timeout: Some(LONGEST_COMPILATION),
            memory_bytes: MEMORY,
            ..Limits::default()
        };
        let config = SandboxConfig { limits, mounts: vec![mount], ..SandboxConfig::default() };
        let sandbox = WasmSandbox::new(self.engine.clone(), config);
        sandbox.start(Arc::new(NoHost)).await.map_err(|error| failed(error.to_string()))?;
        let result = sandbox.run(RunRequest::new(COMPILE_SCRIPT)).await;
        sandbox.close().await;
        match result.error {
            Some(error) => Err(failed(error.to_string())),
            None => serde_json::from_value(result.value)
                .map_err(|_| failed("it does not tell what it compiled".to_owned())),
        }
    }
}
