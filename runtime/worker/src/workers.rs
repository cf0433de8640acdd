//! Where workers come from, and what holds them: processes of this machine, or something further away.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pcm_runtime_api::SandboxConfig;

use crate::WorkerError;
use crate::worker::Worker;

/// Where the workers of sessions come from.
#[async_trait]
pub trait Workers: fmt::Debug + Send + Sync {
    /// A worker that nobody has used, for a session that is to be like this.
    async fn worker(&self, session: &SandboxConfig) -> Result<Worker, WorkerError>;
}

/// What holds a worker: its process, wherever that is. The worker ends with it.
#[async_trait]
pub trait Holder: fmt::Debug + Send {
    /// The number of its process, where it is one of this machine.
    fn id(&self) -> Option<u32> {
        None
    }

    /// Whether it lives, as far as is known without waiting.
    fn lives(&mut self) -> bool;

    /// What can be done to the worker from anywhere; none when it has ended.
    fn reach(&self) -> Option<Arc<dyn Reach>>;

    /// Ends it, and waits until it is gone.
    async fn gone(self: Box<Self>);

    /// How it ended. Asked when it has stopped talking; ends it if it has not ended.
    async fn fate(self: Box<Self>) -> Fate;
}

/// What can be done to a worker from anywhere, whoever is using it.
pub trait Reach: fmt::Debug + Send + Sync {
    /// Ends it.
    fn end(&self);

    /// The packages of its session are those of another folder now. May take a while. For a worker that
    /// reads them by itself; folders that the host serves have them anyway.
    fn show_packages(&self, folder: &Path) {
        let _ = folder;
    }
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// In these words, for people: "it crashed".
    Ended(String),
    /// It had used all memory that it may.
    OutOfMemory,
}
