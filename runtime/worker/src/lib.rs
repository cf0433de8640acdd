//! Sandboxes in processes of their own.
//!
//! An engine that aborts takes its process with it, and every engine has bugs. So a sandbox can be
//! held by a worker: a child of the same program, inside a jail (`runtime/jail`), that has one session
//! and nothing else. It cannot open a path, reach a network or start a program; what it may say is
//! bounded by `runtime/wire`. A worker that dies, or says what it must not, is a result with an error
//! of the kind `crashed` and a fresh sandbox.
//!
//! 1. A [`Pool`] starts workers ahead of time. Each loads its engine, closes its jail, and warms up.
//! 2. A [`WorkerSandbox`] takes one: from then on it is that session's, and is never used again.
//! 3. Its runs, files and states go over a socket pair; calls come back over it to the session's port.
//!    Folders of the host are served by the host (`runtime/folders`).
//!
//! Where workers come from is a trait, [`Workers`]: a [`Pool`] has processes of this machine, and others hold
//! the same program elsewhere, with a socket to it.
//!
//! A program that wants workers calls [`init`] at the top of its `main`, with the engines that a worker
//! of it can hold.
//!
//! What must never live here: a particular engine, tools, storage, policy.

mod channel;
mod child;
mod engine;
mod error;
mod launcher;
mod pool;
mod relay;
mod run;
mod sandbox;
mod start;
mod worker;
mod workers;

pub use child::init;
pub use engine::{Engine, EngineEntry, Say};
pub use error::WorkerError;
pub use pool::{Pool, PoolConfig, PoolStatus};
pub use sandbox::{Kind, Resign, WorkerSandbox};
pub use start::dialing;
pub use worker::{Spare, Worker};
pub use workers::{Fate, Holder, Reach, Workers};
