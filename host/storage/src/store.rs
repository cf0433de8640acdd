//! The contracts of a storage: what sessions use and what files, Redis and memory provide.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    ArtifactData, ArtifactInfo, ArtifactName, DepSpec, StorageError, Workflow, WorkflowName,
    WorkspaceId,
};

/// Everything that outlives a session. Handles are cheap; all of one place see the same at once,
/// in this process or in another.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The workflows of the workspace.
    fn workflows(&self) -> &dyn WorkflowStore;
    /// The artifacts of the workspace.
    fn artifacts(&self) -> &dyn ArtifactStore;
    /// The dependencies, which all workspaces share.
    fn deps(&self) -> &dyn DepsStore;
    /// The scope of workflows and artifacts; nothing is the space outside of all workspaces.
    fn workspace(&self) -> Option<&WorkspaceId>;
    /// Where things are, for whoever configures another process. It is the host's: paths are whole,
    /// but user and password of a URL are left out.
    fn describe(&self) -> Value;
}

/// Workflows by name. Each call sees what other processes stored before it.
#[async_trait]
pub trait WorkflowStore: fmt::Debug + Send + Sync {
    /// All workflows, by name. What cannot be read is left out and in [`problems`](Self::problems).
    async fn list(&self) -> Result<Vec<Arc<Workflow>>, StorageError>;
    /// What has to do with a query, best first.
    async fn search(&self, query: &str, limit: usize) -> Result<Vec<Arc<Workflow>>, StorageError>;
    /// One workflow. One that is there and cannot be read is an error.
    async fn get(&self, name: &WorkflowName) -> Result<Option<Arc<Workflow>>, StorageError>;
    /// Stores a workflow, in place of one that had its name. Without a description, that of the
    /// source's docstring is shown.
    async fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError>;
    /// Removes a workflow; whether it was there.
    async fn delete(&self, name: &WorkflowName) -> Result<bool, StorageError>;
    /// What is stored and cannot be listed, with the reason; for the host's log.
    async fn problems(&self) -> Result<Vec<Problem>, StorageError>;
}

/// Data by name.
#[async_trait]
pub trait ArtifactStore: fmt::Debug + Send + Sync {
    /// All artifacts, by name.
    async fn list(&self) -> Result<Vec<ArtifactInfo>, StorageError>;
    /// What is known of one artifact.
    async fn get(&self, name: &ArtifactName) -> Result<Option<ArtifactInfo>, StorageError>;
    /// Whether there is one.
    async fn exists(&self, name: &ArtifactName) -> Result<bool, StorageError>;
    /// Stores data, in place of what had its name.
    async fn save(
        &self,
        name: &ArtifactName,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, StorageError>;
    /// The data of one artifact.
    async fn load(&self, name: &ArtifactName) -> Result<ArtifactData, StorageError>;
    /// Removes an artifact; whether it was there.
    async fn delete(&self, name: &ArtifactName) -> Result<bool, StorageError>;
    /// Where the artifacts are: a folder relative to the storage, or a prefix of keys.
    fn path(&self) -> String;
}

/// A set of dependencies, at most one for each package.
#[async_trait]
pub trait DepsStore: fmt::Debug + Send + Sync {
    /// All specs, sorted. Lines that are no specs are left out.
    async fn list(&self) -> Result<Vec<DepSpec>, StorageError>;
    /// Adds a spec, in place of another of the same package; whether that changed anything.
    async fn add(&self, spec: &DepSpec) -> Result<bool, StorageError>;
    /// Removes the spec of the package that a spec or a bare name is about; whether there was one.
    async fn remove(&self, spec_or_name: &str) -> Result<bool, StorageError>;
    /// Removes all specs.
    async fn clear(&self) -> Result<(), StorageError>;
    /// SHA-256 over the sorted specs, with line ends between them, in hexadecimal digits.
    async fn hash(&self) -> Result<String, StorageError> {
        Ok(crate::dep::hash(&self.list().await?))
    }
}

/// Something stored that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its name in the store.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}
