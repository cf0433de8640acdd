//! A storage that ends with its last handle, for sessions without a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::artifact::{self, DataType, JsonLayout, Record};
use crate::catalogue::Catalogue;
use crate::dep::base_name;
use crate::{
    ArtifactData, ArtifactInfo, ArtifactName, ArtifactStore, DepSpec, DepsStore, Lexical, Problem,
    Ranker, Storage, StorageError, Workflow, WorkflowName, WorkflowStore, WorkspaceId,
};

/// A storage in memory. Clones and workspaces of it share what they have.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
    workspace: Option<WorkspaceId>,
    workflows: MemoryWorkflows,
    artifacts: MemoryArtifacts,
}

#[derive(Debug, Default)]
struct Shared {
    scopes: Mutex<BTreeMap<Option<WorkspaceId>, Arc<Scope>>>,
    deps: MemoryDeps,
}

#[derive(Debug, Default)]
struct Scope {
    workflows: Mutex<Workflows>,
    artifacts: Mutex<BTreeMap<ArtifactName, Artifact>>,
}

#[derive(Debug, Default)]
struct Workflows {
    by_name: BTreeMap<WorkflowName, Arc<Workflow>>,
    catalogue: Option<Arc<Catalogue>>,
}

struct Artifact {
    bytes: Arc<[u8]>,
    data_type: DataType,
    record: Record,
}

impl fmt::Debug for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.bytes.len())
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::of(Arc::default(), None, Arc::new(Lexical))
    }

    /// The same storage, with workflows and artifacts of this workspace.
    #[must_use]
    pub fn workspace(&self, id: &WorkspaceId) -> Self {
        Self::of(self.shared.clone(), Some(id.clone()), self.workflows.ranker.clone())
    }

    /// The same storage, in which workflows are found by this ranker.
    #[must_use]
    pub fn ranker(&self, ranker: Arc<dyn Ranker>) -> Self {
        Self::of(self.shared.clone(), self.workspace.clone(), ranker)
    }

    fn of(shared: Arc<Shared>, workspace: Option<WorkspaceId>, ranker: Arc<dyn Ranker>) -> Self {
        let scope = lock(&shared.scopes).entry(workspace.clone()).or_default().clone();
        let folder = match &workspace {
            Some(id) => format!("workspaces/{id}/artifacts"),
            None => "artifacts".to_owned(),
        };
        Self {
            shared,
            workspace,
            workflows: MemoryWorkflows { scope: scope.clone(), ranker },
            artifacts: MemoryArtifacts { scope, folder },
        }
    }
}

impl Storage for MemoryStorage {
    fn workflows(&self) -> &dyn WorkflowStore {
        &self.workflows
    }

    fn artifacts(&self) -> &dyn ArtifactStore {
        &self.artifacts
    }

    fn deps(&self) -> &dyn DepsStore {
        &self.shared.deps
    }

    fn workspace(&self) -> Option<&WorkspaceId> {
        self.workspace.as_ref()
    }

    fn describe(&self) -> Value {
        json!({"type": "memory"})
    }
}

#[derive(Debug, Clone)]
struct MemoryWorkflows {
    scope: Arc<Scope>,
    ranker: Arc<dyn Ranker>,
}

impl MemoryWorkflows {
    fn catalogue(&self) -> Arc<Catalogue> {
        let mut workflows = lock(&self.scope.workflows);
        if let Some(catalogue) = &workflows.catalogue {
            return catalogue.clone();
        }
        let catalogue = Arc::new(Catalogue::new(workflows.by_name.values().cloned().collect()));
        workflows.catalogue = Some(catalogue.clone());
        catalogue
    }
}

#[async_trait]
impl WorkflowStore for MemoryWorkflows {
    async fn list(&self) -> Result<Vec<Arc<Workflow>>, StorageError> {
        Ok(self.catalogue().list())
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<Arc<Workflow>>, StorageError> {
        Ok(self.catalogue().search(self.ranker.as_ref(), query, limit))
    }

    async fn get(&self, name: &WorkflowName) -> Result<Option<Arc<Workflow>>, StorageError> {
        Ok(lock(&self.scope.workflows).by_name.get(name).cloned())
    }

    async fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError> {
        let workflow = Arc::new(Workflow::new(name, source, description)?);
        let mut workflows = lock(&self.scope.workflows);
        workflows.by_name.insert(name.clone(), workflow.clone());
        workflows.catalogue = None;
        Ok(workflow)
    }

    async fn delete(&self, name: &WorkflowName) -> Result<bool, StorageError> {
        let mut workflows = lock(&self.scope.workflows);
        workflows.catalogue = None;
        Ok(workflows.by_name.remove(name).is_some())
    }

    async fn problems(&self) -> Result<Vec<Problem>, StorageError> {
        Ok(Vec::new()) // nothing gets in that cannot be read
    }
}

#[derive(Debug, Clone)]
struct MemoryArtifacts {
    scope: Arc<Scope>,
    folder: String,
}

impl MemoryArtifacts {
    fn info(&self, name: &ArtifactName, artifact: &Artifact) -> ArtifactInfo {
        artifact.record.info(name, format!("{}/{name}", self.folder), SystemTime::now)
    }
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn list(&self) -> Result<Vec<ArtifactInfo>, StorageError> {
        let artifacts = lock(&self.scope.artifacts);
        Ok(artifacts.iter().map(|(name, artifact)| self.info(name, artifact)).collect())
    }

    async fn get(&self, name: &ArtifactName) -> Result<Option<ArtifactInfo>, StorageError> {
        let artifacts = lock(&self.scope.artifacts);
        Ok(artifacts.get(name).map(|artifact| self.info(name, artifact)))
    }

    async fn exists(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        Ok(lock(&self.scope.artifacts).contains_key(name))
    }

    async fn save(
        &self,
        name: &ArtifactName,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, StorageError> {
        let encoded = artifact::encode(name, data, JsonLayout::Line)?;
        let record = Record::new(name, description, metadata, encoded.data_type)?;
        let artifact =
            Artifact { bytes: encoded.bytes.into(), data_type: encoded.data_type, record };
        let info = self.info(name, &artifact);
        lock(&self.scope.artifacts).insert(name.clone(), artifact);
        Ok(info)
    }

    async fn load(&self, name: &ArtifactName) -> Result<ArtifactData, StorageError> {
        let found = lock(&self.scope.artifacts)
            .get(name)
            .map(|artifact| (artifact.bytes.clone(), artifact.data_type));
        let missing = || StorageError::ArtifactNotFound { name: name.clone() };
        let (bytes, data_type) = found.ok_or_else(missing)?;
        Ok(artifact::decode(name, bytes.to_vec(), Some(data_type)))
    }

    async fn delete(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        Ok(lock(&self.scope.artifacts).remove(name).is_some())
    }

    fn path(&self) -> String {
        self.folder.clone()
    }
}

#[derive(Debug, Default)]
struct MemoryDeps {
    by_package: Mutex<BTreeMap<String, DepSpec>>,
}

#[async_trait]
impl DepsStore for MemoryDeps {
    async fn list(&self) -> Result<Vec<DepSpec>, StorageError> {
        let mut specs: Vec<_> = lock(&self.by_package).values().cloned().collect();
        specs.sort();
        Ok(specs)
    }

    async fn add(&self, spec: &DepSpec) -> Result<bool, StorageError> {
        let before = lock(&self.by_package).insert(spec.name().to_owned(), spec.clone());
        Ok(before.as_ref() != Some(spec))
    }

    async fn remove(&self, spec_or_name: &str) -> Result<bool, StorageError> {
        Ok(lock(&self.by_package).remove(&base_name(spec_or_name)).is_some())
    }

    async fn clear(&self) -> Result<(), StorageError> {
        lock(&self.by_package).clear();
        Ok(())
    }
}

/// Each change is whole when the lock is let go, so what a panic leaves behind is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
