//! The backends by name, and which of them this build has.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

#[cfg(any(feature = "deno", feature = "wasm"))]
use pcm_runtime_api::ExecutorError;
use pcm_runtime_api::{Executor, SandboxConfig};
#[cfg(feature = "container")]
use pcm_runtime_container::{ContainerEngine, ContainerSandbox};
#[cfg(feature = "deno")]
use pcm_runtime_deno::{DenoEngine, DenoSandbox};
#[cfg(feature = "in-process")]
use pcm_runtime_in_process::{InProcessEngine, InProcessSandbox};
#[cfg(feature = "subprocess")]
use pcm_runtime_subprocess::{SubprocessEngine, SubprocessSandbox};
#[cfg(feature = "wasm")]
use pcm_runtime_wasm::{WasmEngine, WasmSandbox};
use serde::Serialize;

use crate::Error;
use crate::progress::Progress;

/// A wall around the code.
///
/// ```
/// use pcm_sandbox::BackendKind;
///
/// assert_eq!("deno-sandbox".parse::<BackendKind>()?, BackendKind::DenoSandbox);
/// assert_eq!(BackendKind::default().key(), "wasm");
/// # Ok::<(), pcm_sandbox::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BackendKind {
    /// Python for WASI under wasmtime, in this process.
    #[default]
    Wasm,
    /// Pyodide in a V8 isolate.
    DenoSandbox,
    /// A Jupyter kernel in a process of its own.
    Subprocess,
    /// A container.
    Container,
    /// The Python that is installed, in this process and without a wall: for trusted code only.
    InProcess,
}

impl BackendKind {
    /// All of them, built in or not.
    pub const ALL: [Self; 5] =
        [Self::Wasm, Self::DenoSandbox, Self::Subprocess, Self::Container, Self::InProcess];

    /// Its name on the command line and in results.
    pub fn key(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::DenoSandbox => "deno-sandbox",
            Self::Subprocess => "subprocess",
            Self::Container => "container",
            Self::InProcess => "in-process",
        }
    }

    /// Whether this build has it.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Wasm => cfg!(feature = "wasm"),
            Self::DenoSandbox => cfg!(feature = "deno"),
            Self::Subprocess => cfg!(feature = "subprocess"),
            Self::InProcess => cfg!(feature = "in-process"),
            Self::Container => cfg!(feature = "container"),
        }
    }

    /// What to do when this build does not have it.
    pub fn how_to_get(self) -> &'static str {
        match self {
            Self::Wasm => "build pcm-sandbox with the feature `wasm`",
            Self::DenoSandbox => "build pcm-sandbox with the feature `deno`",
            Self::Subprocess => "build pcm-sandbox with the feature `subprocess`",
            Self::InProcess => "build pcm-sandbox with the feature `in-process`",
            Self::Container => "build pcm-sandbox with the feature `container`",
        }
    }

    /// Loads what `bytecode` asks, on a thread that may wait.
    #[cfg_attr(
        not(feature = "wasm"),
        expect(clippy::unused_async, reason = "the other backends have nothing to load")
    )]
    pub(crate) async fn load(self) -> Result<(), Error> {
        #[cfg(feature = "wasm")]
        if self == Self::Wasm {
            wasm_engine().await?;
        }
        Ok(())
    }

    /// Its Python, as far as bytecode is concerned.
    pub(crate) fn bytecode(self) -> String {
        match self {
            #[cfg(feature = "wasm")]
            Self::Wasm => match WasmEngine::shared() {
                Ok(engine) => format!("wasm {}", engine.info().python),
                Err(_) => "wasm".to_owned(), // nothing will be compiled then
            },
            #[cfg(feature = "deno")]
            Self::DenoSandbox => format!("pyodide {}", DenoEngine::info().pyodide),
            other => other.key().to_owned(),
        }
    }

    /// The names of some backends, for messages.
    pub(crate) fn keys(kinds: &[Self]) -> String {
        kinds.iter().map(|kind| kind.key()).collect::<Vec<_>>().join(", ")
    }

    /// Makes what the backend needs on its first use, where that takes long enough to be told.
    #[cfg_attr(
        not(feature = "deno"),
        expect(clippy::unused_async, reason = "the other backends are ready")
    )]
    pub(crate) async fn prepare(self, progress: Progress) -> Result<(), Error> {
        #[cfg(feature = "deno")]
        if self == Self::DenoSandbox {
            let prepared = DenoEngine::shared().prepare(move |line| progress.say(line)).await;
            return Ok(prepared.map_err(|error| ExecutorError::Startup {
                backend: self.key(),
                reason: error.to_string(),
            })?);
        }
        let _ = progress;
        Ok(())
    }

    /// A session of this backend that has not been started yet.
    #[cfg_attr(
        not(feature = "wasm"),
        expect(clippy::unused_async, reason = "a build without backends has nothing to wait for")
    )]
    pub(crate) async fn executor(self, config: SandboxConfig) -> Result<Arc<dyn Executor>, Error> {
        match self {
            #[cfg(feature = "wasm")]
            Self::Wasm => Ok(Arc::new(WasmSandbox::new(wasm_engine().await?, config))),
            #[cfg(feature = "deno")]
            Self::DenoSandbox => Ok(Arc::new(DenoSandbox::new(DenoEngine::shared(), config))),
            #[cfg(feature = "container")]
            Self::Container => {
                Ok(Arc::new(ContainerSandbox::new(ContainerEngine::shared(), config)))
            }
            #[cfg(feature = "in-process")]
            Self::InProcess => Ok(Arc::new(InProcessSandbox::new(in_process_engine(), config))),
            #[cfg(feature = "subprocess")]
            Self::Subprocess => {
                Ok(Arc::new(SubprocessSandbox::new(SubprocessEngine::shared(), config)))
            }
            #[cfg(not(all(
                feature = "wasm",
                feature = "deno",
                feature = "container",
                feature = "in-process",
                feature = "subprocess"
            )))]
            _ => {
                let _ = config; // a build may have no backend at all
                Err(Error::BackendNotBuilt { backend: self })
            }
        }
    }
}

/// The engine of this process, with the image that is part of it.
///
/// The first caller loads it, which may have to unpack its image: not a thing to do on a thread that
/// other tasks wait for.
#[cfg(feature = "wasm")]
pub(crate) async fn wasm_engine() -> Result<WasmEngine, Error> {
    if let Some(engine) = WasmEngine::shared_already() {
        return Ok(engine);
    }
    let failed = |reason: String| ExecutorError::Startup { backend: "wasm", reason };
    let engine = tokio::task::spawn_blocking(WasmEngine::shared)
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))?;
    Ok(engine)
}

/// The engine of this process: there is one Python in it.
#[cfg(feature = "in-process")]
pub(crate) fn in_process_engine() -> InProcessEngine {
    static ENGINE: std::sync::OnceLock<InProcessEngine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(InProcessEngine::default).clone()
}

impl fmt::Display for BackendKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.key())
    }
}

impl FromStr for BackendKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.key() == name)
            .ok_or_else(|| Error::UnknownBackend { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_its_backend() -> Result<(), Error> {
        for kind in BackendKind::ALL {
            assert_eq!(kind.key().parse::<BackendKind>()?, kind);
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.key().into()));
        }
        Ok(())
    }

    #[test]
    fn an_unknown_backend_is_told_what_there_is() {
        let error = "docker".parse::<BackendKind>().err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "there is no backend \"docker\"; there are: wasm, deno-sandbox, subprocess, \
                 container, in-process"
            )
        );
    }

    #[cfg(not(feature = "container"))]
    #[tokio::test]
    async fn a_backend_that_is_not_built_in_says_so() {
        let error = BackendKind::Container.executor(SandboxConfig::default()).await.err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some(
                "the container backend is not in this build: build pcm-sandbox with the feature \
                 `container`"
            )
        );
    }
}
