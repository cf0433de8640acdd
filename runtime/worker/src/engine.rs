//! What a worker holds.

use std::sync::Arc;

use async_trait::async_trait;
use pcm_runtime_api::{Executor, SandboxConfig};

/// An engine in a worker.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Makes ready what the session would wait for. Runs inside of the jail.
    async fn warm(&self) -> Result<(), String>;

    /// The worker's session, which has not started.
    fn sandbox(&self, config: SandboxConfig) -> Arc<dyn Executor>;
}

/// Hears what takes a while.
pub type Say = Box<dyn Fn(&str) + Send + Sync>;

/// How an engine gets into a worker.
#[derive(Debug, Clone, Copy)]
pub struct EngineEntry {
    /// Its name among the engines of the program.
    pub name: &'static str,
    /// Opens all files that it needs, before the jail is closed; starts no thread.
    pub load: fn() -> Result<Box<dyn Engine>, String>,
    /// Makes the files that `load` opens, where that is more than opening them: in a worker without a
    /// jail, that never has a session.
    pub prepare: fn(Say) -> Result<(), String>,
}
