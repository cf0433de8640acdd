//! Packages for the sandbox: resolved on the host, compiled in a sandbox, mounted to be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_packages::{
    COMPILE_SCRIPT, Compiled, Compiler, PACKAGES_FOLDER, PackageSet, PackagesError, Requirement,
    Store, Target,
};
use pcm_runtime_api::{
    Executor, Limits, Mount, MountAccess, NoHost, NoPackages, PackageSource, Progress, RunRequest,
    SandboxConfig,
};

use crate::{BackendKind, Error};

/// Ten thousand files take minutes.
const LONGEST_COMPILATION: Duration = Duration::from_mins(30);
/// Generated modules of a megabyte need some hundred times that.
const MEMORY: u64 = 1 << 30;

/// What was asked for, read.
pub(crate) fn requirements(specs: &[String]) -> Result<Vec<Requirement>, Error> {
    Ok(specs.iter().map(|spec| spec.parse()).collect::<Result<_, PackagesError>>()?)
}

/// A folder with what is required, for the wasm backend.
#[cfg(feature = "wasm")]
pub(crate) async fn resolve(
    requirements: &[Requirement],
    progress: &Progress<'_>,
) -> Result<PackageSet, Error> {
    HostPackages::new(BackendKind::Wasm).resolve(requirements, progress).await
}

/// Where a sandbox sees a set.
#[cfg(feature = "wasm")]
pub(crate) fn mount(set: &PackageSet) -> Mount {
    Mount {
        host: set.folder.clone().into(),
        guest: PACKAGES_FOLDER.to_owned(),
        access: MountAccess::ReadOnly,
    }
}

/// Brings packages from this machine's index to walls that have no network, for embedders who make
/// an [`Executor`](pcm_runtime_api::Executor) themselves.
pub fn package_source(backend: BackendKind) -> Arc<dyn PackageSource> {
    #[cfg(feature = "in-process")]
    if backend == BackendKind::InProcess {
        return Arc::new(InProcessPackages::default());
    }
    #[cfg(feature = "subprocess")]
    if backend == BackendKind::Subprocess {
        let engine = pcm_runtime_subprocess::SubprocessEngine::shared();
        return Arc::new(pcm_runtime_subprocess::EnvironmentPackages::new(engine));
    }
    #[cfg(feature = "container")]
    if backend == BackendKind::Container {
        let engine = pcm_runtime_container::ContainerEngine::shared();
        return Arc::new(crate::container::ContainerPackages::new(engine, Vec::new(), None));
    }
    Arc::new(HostPackages::new(backend))
}

/// Brings packages to sessions while they live.
#[derive(Debug, Clone)]
pub(crate) struct HostPackages {
    pub(crate) backend: BackendKind,
    /// Folders with wheels of the user's own.
    pub(crate) wheels: Vec<PathBuf>,
    /// The longest that bringing some may take.
    pub(crate) timeout: Option<Duration>,
}

impl HostPackages {
    pub(crate) fn new(backend: BackendKind) -> Self {
        Self { backend, wheels: Vec::new(), timeout: None }
    }

    async fn resolve(
        &self,
        requirements: &[Requirement],
        progress: &Progress<'_>,
    ) -> Result<PackageSet, Error> {
        self.backend.load().await?;
        let compiler = SandboxedCompiler { backend: self.backend };
        let store = self.wheels.iter().fold(Store::open()?, Store::find_links);
        let resolved = store.resolve(requirements, &compiler, progress);
        let Some(timeout) = self.timeout else { return Ok(resolved.await?) };
        match tokio::time::timeout(timeout, resolved).await {
            Ok(resolved) => Ok(resolved?),
            Err(_) => Err(Error::PackagesTimeout { timeout }),
        }
    }
}

#[async_trait]
impl PackageSource for HostPackages {
    async fn provide(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<PathBuf, NoPackages> {
        let failed = |error: Error| NoPackages(error.to_string());
        let requirements = requirements(specs).map_err(failed)?;
        let set = self.resolve(&requirements, progress).await.map_err(failed)?;
        Ok(set.folder)
    }
}

/// Brings packages for the Python of this process.
#[cfg(feature = "in-process")]
#[derive(Debug, Default)]
pub(crate) struct InProcessPackages {
    wheels: Vec<PathBuf>,
    timeout: Option<Duration>,
    made: tokio::sync::OnceCell<pcm_runtime_subprocess::EnvironmentPackages>,
}

#[cfg(feature = "in-process")]
impl InProcessPackages {
    pub(crate) fn new(wheels: Vec<PathBuf>, timeout: Option<Duration>) -> Self {
        Self { wheels, timeout, ..Self::default() }
    }
}

#[cfg(feature = "in-process")]
#[async_trait]
impl PackageSource for InProcessPackages {
    async fn provide(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<PathBuf, NoPackages> {
        let make = || async {
            let info = crate::backend::in_process_engine().prepare().await;
            let info = info.map_err(|error| NoPackages(error.to_string()))?;
            let made = pcm_runtime_subprocess::EnvironmentPackages::of_python(info.executable);
            Ok(made.wheels(self.wheels.clone()).timeout(self.timeout))
        };
        self.made.get_or_try_init(make).await?.provide(specs, progress).await
    }
}

/// Compiles in a sandbox of the backend that will import it, which sees nothing but the folder.
#[derive(Debug)]
struct SandboxedCompiler {
    backend: BackendKind,
}

#[async_trait]
impl Compiler for SandboxedCompiler {
    fn key(&self) -> String {
        self.backend.bytecode()
    }

    fn target(&self) -> Target {
        match self.backend {
            BackendKind::DenoSandbox => Target::Pyodide,
            _ => Target::Wasi,
        }
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
        let sandbox = self.backend.executor(config).await;
        let sandbox: Arc<dyn Executor> = sandbox.map_err(|error| failed(error.to_string()))?;
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
