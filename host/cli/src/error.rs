//! What can go wrong before code runs.

use pcm_runtime_api::ExecutorError;

use crate::BackendKind;

/// Why a session could not be had, or not do what it was told.
///
/// Code that fails is none of this: that is an [`ExecutionResult`](crate::ExecutionResult) with an
/// error in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no backend of that name.
    #[error("there is no backend {name:?}; there are: {}", BackendKind::keys(&BackendKind::ALL))]
    UnknownBackend {
        /// What was asked for.
        name: String,
    },
    /// The backend exists, but this build does not have it.
    #[error("the {backend} backend is not in this build: {}", .backend.how_to_get())]
    BackendNotBuilt {
        /// What was asked for.
        backend: BackendKind,
    },
    /// Code could not call a tool of that name.
    #[error(
        "{name:?} cannot be the name of a tool: it takes words of letters, digits and underscores \
         that begin with a letter, joined by dots, other than list, search, call_sync and call_async"
    )]
    ToolName {
        /// The name.
        name: String,
    },
    /// Two tools have the same name.
    #[error("two tools are named {name:?}")]
    DuplicateTool {
        /// The name.
        name: String,
    },
    /// Tools and a port were given, and both would answer the same calls.
    #[error("a session takes tools or a port, not both: the port answers the calls of tools too")]
    ToolsAndPort,
    /// An image brings packages of its own, and others were named beside it.
    #[error("an image brings its packages: build one that has these too")]
    ImageAndPackages,
    /// The backend takes no packages or no images.
    #[error("packages and images are for the wasm backend, not for {backend}")]
    OnlyWasm {
        /// What was asked for.
        backend: BackendKind,
    },
    /// Packages could not be had.
    #[cfg(feature = "wasm")]
    #[error(transparent)]
    Packages(#[from] pcm_packages::PackagesError),
    /// An image could not be made or opened.
    #[cfg(feature = "wasm")]
    #[error(transparent)]
    Image(#[from] pcm_runtime_wasm::EngineError),
    /// The backend failed.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}
