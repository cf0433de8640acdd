//! The jail of Linux.

mod capabilities;
mod cgroup;
mod close;
mod command;
mod descriptors;
mod environment;
mod guardian;
mod identity;
mod landlock;
mod limits;
mod memory;
mod namespaces;
mod outer;
mod root;
mod seccomp;
mod separate;
mod status;

pub use self::cgroup::Cgroup;
pub use self::command::PreparedWalls;
pub use self::memory::{bound_memory, bound_processor_time};
pub use self::separate::{Separated, separate};
