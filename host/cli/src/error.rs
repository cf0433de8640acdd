//! What can go wrong before code runs.

use std::io;
use std::path::PathBuf;

use pcm_runtime_api::ExecutorError;
use pcm_session::SessionError;

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
    /// There is no executor of that name.
    #[error("there is no executor {name:?}; there are: unrestricted, docker, and the backends")]
    UnknownExecutor {
        /// What was asked for.
        name: String,
    },
    /// There is no placement of that name.
    #[error("there is no placement {name:?}; there are: in-process, worker")]
    UnknownPlacement {
        /// What was asked for.
        name: String,
    },
    /// The backend does not run in workers.
    #[error("the {backend} backend does not run in a worker of this program")]
    NoWorkers {
        /// What was asked for.
        backend: BackendKind,
    },
    /// The pool's workers hold another backend.
    #[error("workers of this pool hold {engine}, not {backend}")]
    OtherPool {
        /// What was asked for.
        backend: BackendKind,
        /// What the pool has.
        engine: String,
    },
    /// There are no workers.
    #[error(transparent)]
    Worker(#[from] crate::worker::WorkerError),
    /// The backend has the network of its user, and was to have a part of it.
    #[error(
        "the {backend} backend reaches the network by itself, and nobody can say which hosts: give it \
         the profile full or none, or use wasm or deno-sandbox"
    )]
    NoNetworkFilter {
        /// What was asked for.
        backend: BackendKind,
    },
    /// The kernels of the backend cannot be had.
    #[cfg(feature = "subprocess")]
    #[error(transparent)]
    Subprocess(#[from] pcm_runtime_subprocess::SubprocessError),
    /// Something was given that a session server has itself; also one in a container that has the tools.
    #[error(
        "a session server has {what} of its own, also one in a container with its tools (tools_in): say it \
         there, not here"
    )]
    RemoteHasIt {
        /// What was given.
        what: &'static str,
    },
    /// The containers of the backend cannot be had.
    #[cfg(feature = "container")]
    #[error(transparent)]
    Container(#[from] pcm_runtime_container::ContainerError),
    /// An image was given, and a worker has none.
    #[error("an image is loaded into this process: with it, use the placement in-process")]
    ImageInWorker,
    /// Tools and a port were given, and both would answer the same calls.
    #[error("a session takes tools or a port, not both: the port answers the calls of tools too")]
    ToolsAndPort,
    /// The backend takes no images.
    #[error("images are for the wasm backend, not for {backend}")]
    OnlyWasm {
        /// What was asked for.
        backend: BackendKind,
    },
    /// Packages could not be had.
    #[error(transparent)]
    Packages(#[from] pcm_packages::PackagesError),
    /// Packages took too long.
    #[error(
        "packages could not be brought within {}; raise it with deps_timeout",
        format_args!("{:?}", .timeout)
    )]
    PackagesTimeout {
        /// The longest that it may take.
        timeout: std::time::Duration,
    },
    /// A rule of the network could not be read.
    #[cfg(feature = "network")]
    #[error(transparent)]
    Network(#[from] pcm_network::NetworkError),
    /// An image could not be made or opened.
    #[cfg(feature = "wasm")]
    #[error(transparent)]
    Image(#[from] pcm_runtime_wasm::EngineError),
    /// A folder could not be made.
    #[error("cannot make the folder {}: {source}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A workspace was named, and nothing that outlives the session.
    #[error("a workspace is a part of a storage: name a base, a folder or Redis")]
    WorkspaceOfNothing,
    /// Tools could not be added.
    #[error(transparent)]
    Tools(#[from] pcm_tools::ToolsError),
    /// The storage cannot be used.
    #[error(transparent)]
    Storage(#[from] pcm_storage::StorageError),
    /// The session could not be started, or not do what it was told.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The backend failed.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

#[cfg(any(feature = "mcp", feature = "server"))]
impl Error {
    /// The same for somebody who knows sessions only.
    pub(crate) fn into_session(self, backend: BackendKind) -> SessionError {
        match self {
            Self::Session(error) => error,
            Self::Executor(error) => error.into(),
            Self::Storage(error) => error.into(),
            Self::WorkspaceOfNothing => {
                pcm_storage::StorageError::Configuration { reason: self.to_string() }.into()
            }
            other => {
                let reason = other.to_string();
                ExecutorError::Startup { backend: backend.key(), reason }.into()
            }
        }
    }
}
