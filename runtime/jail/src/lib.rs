//! The walls of the operating system around a process of ours.
//!
//! A worker process holds an engine, and the engine holds code of strangers. If that code escapes from
//! the engine, it is native code in the worker, and what is here is all that is left. So it is built to
//! need no trust in the process that it surrounds: what the worker has to have (descriptors, mapped
//! files, memory) it has before the walls close, and then there is no way to get more.
//!
//! It goes in three steps, because an engine opens its assets in between and a session knows its limits
//! late:
//!
//! 1. [`separate`], first thing in `main`: descriptors, environment, the death of the parent, namespaces.
//! 2. [`Separated::close`], when everything is open, still with one thread: limits, an empty root,
//!    another user, no capabilities, Landlock, seccomp.
//! 3. [`bound_memory`] and [`bound_processor_time`], when a session is known, from any thread.
//!
//! The parent adds what only it can: a [`Cgroup`] for each child. It starts the child from a thread that
//! lives as long as the child shall: the system's signal on the death of a parent counts the *thread*
//! that forked. [`KernelWalls`] is the other kind of jail, for an installed program that the parent is
//! going to start (a Python with any package): files and programs under chosen folders, and a kernel
//! surface without what only attackers need.
//!
//! Every part is best effort: systems differ in what they permit. What holds is said in a
//! [`JailReport`], and [`JailMode::Strict`] refuses to go on when a part is missing.
//!
//! What must never live here: frames, engines, sessions, how a worker is started.

mod error;
mod mode;
mod report;
mod walls;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "linux/mod.rs"]
mod system;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "other.rs"]
mod system;

pub use crate::error::JailError;
pub use crate::mode::JailMode;
pub use crate::report::{JailReport, Part, PartState};
pub use crate::system::{
    Cgroup, PreparedWalls, Separated, bound_memory, bound_processor_time, separate,
};
pub use crate::walls::{CgroupLimits, KernelWalls, TcpPorts};
