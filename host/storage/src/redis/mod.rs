//! A storage in Redis.
//!
//! `server` is the connection, with its limits in time; `workflows`, `artifacts` and `deps` are the
//! three stores over hashes, strings and a set. What belongs together is written in one transaction.
//! Nothing scans the server: all lists are hashes.

mod artifacts;
mod deps;
mod server;
mod workflows;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    ArtifactStore, DepsStore, Lexical, Ranker, Storage, StorageError, WorkflowStore, WorkspaceId,
};

use artifacts::RedisArtifacts;
pub use deps::RedisDeps;
pub use server::RedisServer;
pub use workflows::RedisWorkflows;

/// A storage in Redis, under a prefix.
#[derive(Debug, Clone)]
pub struct RedisStorage {
    server: RedisServer,
    prefix: String,
    workspace: Option<WorkspaceId>,
    ranker: Arc<dyn Ranker>,
    workflows: RedisWorkflows,
    artifacts: RedisArtifacts,
    deps: RedisDeps,
}

impl RedisStorage {
    /// The prefix of the library that this layout comes from.
    pub const DEFAULT_PREFIX: &'static str = "py_code_mode";

    /// The storage under this prefix of the server at this URL: `redis://[user:password@]host:port/db`,
    /// `rediss://` for TLS, or `unix:///path`. The connection is made by the first call.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, StorageError> {
        Self::on(&RedisServer::open(url)?, prefix)
    }

    /// The storage under this prefix of a server.
    pub fn on(server: &RedisServer, prefix: &str) -> Result<Self, StorageError> {
        if prefix.is_empty() || prefix.chars().any(char::is_control) {
            let reason = "the prefix of its keys is empty, or has control characters".to_owned();
            return Err(StorageError::Configuration { reason });
        }
        Ok(Self::of(server.clone(), prefix.to_owned(), None, Arc::new(Lexical)))
    }

    /// The same storage, with workflows and artifacts of this workspace.
    #[must_use]
    pub fn workspace(&self, id: &WorkspaceId) -> Self {
        let (server, prefix) = (self.server.clone(), self.prefix.clone());
        Self::of(server, prefix, Some(id.clone()), self.ranker.clone())
    }

    /// The same storage, in which workflows are found by this ranker.
    #[must_use]
    pub fn ranker(&self, ranker: Arc<dyn Ranker>) -> Self {
        Self::of(self.server.clone(), self.prefix.clone(), self.workspace.clone(), ranker)
    }

    fn of(
        server: RedisServer,
        prefix: String,
        workspace: Option<WorkspaceId>,
        ranker: Arc<dyn Ranker>,
    ) -> Self {
        let root = scoped(&prefix, workspace.as_ref());
        let workflows = RedisWorkflows::new(&server, &format!("{root}:workflows"));
        Self {
            workflows: workflows.ranker(ranker.clone()),
            artifacts: RedisArtifacts::new(server.clone(), format!("{root}:artifacts")),
            deps: RedisDeps::new(&server, &prefix),
            server,
            prefix,
            workspace,
            ranker,
        }
    }
}

impl Storage for RedisStorage {
    fn workflows(&self) -> &dyn WorkflowStore {
        &self.workflows
    }

    fn artifacts(&self) -> &dyn ArtifactStore {
        &self.artifacts
    }

    fn deps(&self) -> &dyn DepsStore {
        &self.deps
    }

    fn workspace(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref()
    }

    fn describe(&self) -> Value {
        let root = scoped(&self.prefix, self.workspace.as_ref());
        json!({
            "redis_url": self.server.shown_url(),
            "workflows_prefix": format!("{root}:workflows"),
            "artifacts_prefix": format!("{root}:artifacts"),
            "vectors_prefix": null, // nothing here makes vectors
            "root_prefix": root,
        })
    }
}

fn scoped(prefix: &str, workspace: Option<&WorkspaceId>) -> String {
    match workspace {
        Some(id) => format!("{prefix}:ws:{id}"),
        None => prefix.to_owned(),
    }
}
