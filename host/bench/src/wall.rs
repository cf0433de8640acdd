//! What a backend has to be to take part.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::protocol::Hello;

/// One backend, of which walls are made.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Who it is, and which scenarios it takes part in.
    fn hello(&self) -> Hello;

    /// A wall for one scenario. `pooled` ones have something that waits.
    async fn wall(&self, pooled: bool) -> Result<Box<dyn Wall>, String>;
}

/// Where sessions come from.
#[async_trait]
pub trait Wall: Send + Sync {
    /// Waits until nothing is under way that would be in the next sample.
    async fn ready(&self) -> Result<(), String>;

    /// A session that has run nothing, with the tools `echo`, which answers with its arguments, and
    /// `blob`, which answers with a text of a megabyte.
    async fn open(&self) -> Result<Box<dyn Sandbox>, String>;
}

/// What a run gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ran {
    /// The value of its last expression.
    pub value: Value,
    /// What it printed.
    pub stdout: String,
}

/// One session.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Runs code to its end.
    async fn run(&self, code: &str) -> Result<Ran, String>;

    /// Runs code that does not end, and is back when it was stopped because of its deadline.
    async fn run_until(&self, code: &str, deadline: Duration) -> Result<(), String>;

    /// Makes it fresh.
    async fn reset(&self) -> Result<(), String>;

    /// Another one in the same state.
    async fn fork(&self) -> Result<Box<dyn Sandbox>, String>;

    /// Keeps its state, in place of what was kept before.
    async fn checkpoint(&self) -> Result<(), String>;

    /// Goes back to what was kept.
    async fn roll_back(&self) -> Result<(), String>;

    /// Ends it.
    async fn close(&self);
}
