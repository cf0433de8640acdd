//! The in-process backend: the CPython that is installed, loaded into the process of the host.
//!
//! It is no wall. Code of a session can do whatever the host can; what is kept apart is what would
//! get mixed up by accident. It is for code that the host would run anyway.
//!
//! 1. [`InProcessEngine`] finds a Python (`find.rs`), loads its library by names of the stable ABI
//!    (`symbols.rs`), and initialises it once, on a thread of its own (`python.rs`).
//! 2. An [`InProcessSandbox`] has a seat (`seat.rs`): a thread with variables of its own, in the one
//!    interpreter that all sessions share. `pcm_in_process` makes the session's own what Python has
//!    one of.
//! 3. Code goes in as arguments of a call; calls come out through C functions (`port.rs`), which
//!    let go of the interpreter's lock (`gil.rs`). `serving.rs` has the run that goes on.
//! 4. What has to stop is interrupted by Python's main thread (`watch.rs`). A thread that goes on all
//!    the same is left behind, and the session gets another one.
//!
//! What must never live here: tools, storage, packages, policy; and what evaluation means, which is
//! `pcm_guest`'s.

mod engine;
mod error;
mod find;
mod folder;
mod gil;
mod port;
mod python;
mod sandbox;
mod seat;
mod serving;
mod symbols;
mod watch;

pub use engine::{InProcessConfig, InProcessEngine, InProcessInfo};
pub use error::InProcessError;
pub use sandbox::InProcessSandbox;
