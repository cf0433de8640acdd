//! The contracts between a host, a sandbox wall, and the code inside it.
//!
//! What lives here: [`Executor`] (a wall that runs code), [`HostPort`] (everything that sandboxed
//! code may ask for), and what passes between them: [`RunRequest`] in, [`RunEvent`]s while code
//! runs, [`ExecutionResult`] out, [`Limits`] around it. Every crate of the workspace depends on this
//! one and this one on none.
//!
//! What must never live here: I/O, a runtime, or anything that only one backend needs.
//!
//! ```
//! use pcm_runtime_api::{Limits, RunRequest};
//! use std::time::Duration;
//!
//! let request = RunRequest::new("x = 40; x + 2").timeout(Duration::from_secs(5));
//! assert_eq!(request.limits_over(&Limits::default()).timeout, Some(Duration::from_secs(5)));
//! ```

mod capability;
mod config;
mod executor;
mod files;
mod folder;
mod host;
mod limits;
mod packages;
mod payload;
mod result;
mod run;

pub use capability::Capability;
pub use config::SandboxConfig;
pub use executor::{CheckpointId, DepsReport, Executor, ExecutorError, FailedDep};
pub use files::{
    ChangeKind, FileChange, Mount, MountAccess, MountSource, PackagesFolder, ServedFolder,
};
pub use folder::{
    Creation, FileKind, FileStat, FileTimes, Followed, HostEntry, HostFile, HostFolder, OpenFolder,
    SetTime, TakeEntry,
};
pub use host::{HostCall, HostError, HostPort, Namespace, NoHost, UnknownNamespace};
pub use limits::{LimitName, Limits};
pub use packages::{NoPackages, PackageSource, Progress, package_name};
pub use payload::{Payload, ValueType, json_cost};
pub use result::{
    ErrorKind, ExecutionError, ExecutionResult, LimitHit, MimeBundle, SessionState, Usage,
};
pub use run::{EventSink, OutputStream, RunEvent, RunRequest};
