//! Python that language models write, run where it can do no harm.
//!
//! This is the crate to depend on. It names the backends and joins one of them with a host: tools,
//! storage, packages, and the layers that decide about calls. Code goes in by
//! [`run`](pcm_session::Session::run), an [`ExecutionResult`] comes out, and whatever the code asks for
//! in between arrives at a [`HostPort`].
//!
//! ```
//! use pcm_sandbox::{Session, json};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), pcm_sandbox::Error> {
//! let session = Session::builder()
//!     .tool("math.add", "Adds two numbers", |args| async move {
//!         Ok(json!(args["a"].as_i64().unwrap_or(0) + args["b"].as_i64().unwrap_or(0)))
//!     })
//!     .start()
//!     .await?;
//! let result = session.run("tools.math.add(a=40, b=2)").await;
//! assert_eq!(result.value, json!(42));
//! # Ok(())
//! # }
//! ```
//!
//! A session needs a Tokio runtime around it.
//!
//! # Features
//!
//! * `network`: HTTP for the code in a session, made by this process under a [`NetworkProfile`].
//! * `container`: the container backend, sessions in containers of an engine on this machine.
//! * `deno`: the deno-sandbox backend, Pyodide in a V8 isolate.
//! * `in-process`: the in-process backend, the Python that is installed, without a wall.
//! * `subprocess`: the subprocess backend, an `IPython` kernel in a process and an environment of its
//!   own.
//! * `wasm`: the default backend, Python for WASI under wasmtime, with packages and images for it.
//! * `remote`: sessions on a session server somewhere else.
//! * `server`: the session server, [`server`], over sessions of a [`SessionTemplate`].
//! * `mcp`: the MCP server, [`mcp`], over the same.
//! * `cli`: the `pcm-sandbox` command. Embedders leave it out with `default-features = false`.
//!
//! What must never live here: the evaluation of code (that is the guest's) and the ways to reach
//! tools or storage (those are adapters of the host).

mod backend;
mod body;
#[cfg(doctest)]
mod book;
mod builder;
#[cfg(feature = "container")]
mod container;
#[cfg(all(feature = "deno", feature = "network"))]
mod deno;
mod error;
#[cfg(feature = "wasm")]
mod image;
mod packages;
mod placement;
mod places;
mod progress;
mod session;
#[cfg(any(feature = "subprocess", all(feature = "deno", feature = "network")))]
mod settings;
#[cfg(feature = "subprocess")]
mod subprocess;
mod template;
pub mod worker;

/// Sessions for clients that speak the Model Context Protocol.
#[cfg(feature = "mcp")]
pub use pcm_mcp as mcp;
pub use pcm_middleware as middleware;
#[cfg(feature = "network")]
pub use pcm_network::{
    HostRule, NetworkError, NetworkPort, NetworkProfile, NetworkTimes, Resolver, SystemResolver,
    Trust, WithNetwork,
};
pub use pcm_packages::PackagesError;
pub use pcm_runtime_api::{
    Capability, ChangeKind, CheckpointId, ErrorKind, EventSink, ExecutionError, ExecutionResult,
    Executor, ExecutorError, FileChange, HostCall, HostError, HostPort, LimitHit, LimitName,
    Limits, MimeBundle, Mount, MountAccess, MountSource, Namespace, NoHost, OutputStream, Payload,
    RunEvent, RunRequest, SandboxConfig, SessionState, Usage, ValueType,
};
/// The folder for what is made once and kept: `${XDG_CACHE_HOME:-~/.cache}/pcm-sandbox`.
pub use pcm_runtime_cache::root as cache_root;
#[cfg(feature = "container")]
pub use pcm_runtime_container::{
    BASE_IMAGE, Base, BuildRequest, Connect, ContainerEngine, ContainerError, ContainerInfo,
    ContainerSettings, DEFAULT_IMAGE, ImageInfo, Images, Network, TOOLS_IMAGE, served_kernels,
};
#[cfg(feature = "deno")]
pub use pcm_runtime_deno::{DenoEngine, DenoError, DenoInfo};
#[cfg(feature = "in-process")]
pub use pcm_runtime_in_process::{InProcessConfig, InProcessEngine, InProcessError, InProcessInfo};
#[cfg(feature = "remote")]
pub use pcm_runtime_remote::{RemoteConfig, Token};
#[cfg(feature = "subprocess")]
pub use pcm_runtime_subprocess::{
    EnvironmentPackages, KernelConfig, SubprocessEngine, SubprocessError,
};
#[cfg(feature = "wasm")]
pub use pcm_runtime_wasm::{
    EngineError, ExaminedImage, ImageContents, ImageDistribution, Preloaded,
};
/// Sessions over HTTP.
#[cfg(feature = "server")]
pub use pcm_server as server;
pub use pcm_session::{DepsChange, DepsRemoval, Host, SessionError};
pub use serde_json::{Map, Value, json};
/// Where workflows, artifacts and packages are kept.
pub use {pcm_storage as storage, pcm_tools as tools};

pub use crate::backend::BackendKind;
pub use crate::body::{
    ExecutorKind, FunctionExecutor, best_executor, create_executor, fast_executor, function_body,
    secure_executor,
};
pub use crate::builder::SessionBuilder;
#[cfg(feature = "container")]
pub use crate::container::{ContainerConfig, Size, ToolsIn};
#[cfg(all(feature = "deno", feature = "network"))]
pub use crate::deno::{DenoNetworkProfile, DenoSandboxConfig};
pub use crate::error::Error;
#[cfg(feature = "wasm")]
pub use crate::image::{BuiltImage, Image, ImageBuilder};
pub use crate::packages::package_source;
pub use crate::placement::Placement;
pub use crate::places::{Places, StoragePlace};
pub use crate::session::Session;
#[cfg(feature = "subprocess")]
pub use crate::subprocess::SubprocessConfig;
pub use crate::template::SessionTemplate;
