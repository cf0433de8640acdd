//! A storage that ends with its last handle, for sessions without a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// What knowing of one thing takes, at most: its name, its place in a tree, the parts of a workflow.
const OVERHEAD: u64 = 4096;

/// A storage in memory, with a limit. Clones and workspaces of it share what they have.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
    workspace: Option<WorkspaceId>,
    workflows: MemoryWorkflows,
    artifacts: MemoryArtifacts,
}

#[derive(Debug)]
struct Shared {
    scopes: Mutex<BTreeMap<Option<WorkspaceId>, Arc<Scope>>>,
    room: Arc<Room>,
    deps: MemoryDeps,
}

#[derive(Debug)]
struct Scope {
    room: Arc<Room>,
    workflows: Mutex<Workflows>,
    artifacts: Mutex<BTreeMap<ArtifactName, Artifact>>,
}

/// How much memory is left, for guests that would take all of it.
#[derive(Debug)]
struct Room {
    limit: u64,
    used: AtomicU64,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
struct Held {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    /// Takes room for something of so many bytes, and for knowing of it.
    fn hold(self: &Arc<Self>, what: &str, bytes: usize) -> Result<Held, StorageError> {
        let bytes = bytes as u64 + OVERHEAD;
        let after = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, after) {
            Ok(_) => Ok(Held { room: self.clone(), bytes }),
            Err(used) => {
                let (limit, free) = (self.limit, self.limit.saturating_sub(used));
                let reason = format!(
                    "this storage is in memory and takes {limit} bytes, of which {free} are free; \
                     delete something, or use a storage in a folder"
                );
                Err(StorageError::write(what, reason))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[derive(Debug, Default)]
struct Workflows {
    by_name: BTreeMap<WorkflowName, (Arc<Workflow>, Held)>,
    catalogue: Option<Arc<Catalogue>>,
}

struct Artifact {
    bytes: Arc<[u8]>,
    data_type: DataType,
    record: Record,
    _held: Held,
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
    /// What a storage takes that is given no other limit.
    pub const DEFAULT_LIMIT: u64 = 256 << 20;

    /// An empty storage.
    pub fn new() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }

    /// An empty storage that takes so many bytes, all workspaces together.
    pub fn with_limit(bytes: u64) -> Self {
        let room = Arc::new(Room { limit: bytes, used: AtomicU64::new(0) });
        let deps = MemoryDeps { room: room.clone(), by_package: Mutex::default() };
        let shared = Shared { scopes: Mutex::default(), room, deps };
        Self::of(Arc::new(shared), None, Arc::new(Lexical))
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
        let new_scope = || {
            let (workflows, artifacts) = (Mutex::default(), Mutex::default());
            Arc::new(Scope { room: shared.room.clone(), workflows, artifacts })
        };
        let scope = lock(&shared.scopes).entry(workspace.clone()).or_insert_with(new_scope).clone();
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
        let catalogue = Arc::new(Catalogue::new(
            workflows.by_name.values().map(|(workflow, _)| workflow.clone()).collect(),
        ));
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
        let workflows = lock(&self.scope.workflows);
        Ok(workflows.by_name.get(name).map(|(workflow, _)| workflow.clone()))
    }

    async fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError> {
        let workflow = Arc::new(Workflow::new(name, source, description)?);
        let what = format!("the workflow {name:?}");
        let held = self.scope.room.hold(&what, source.len() + description.len())?;
        let mut workflows = lock(&self.scope.workflows);
        workflows.by_name.insert(name.clone(), (workflow.clone(), held));
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
        let size = encoded.bytes.len() + record.value().to_string().len();
        let held = self.scope.room.hold(&format!("the artifact {name:?}"), size)?;
        let artifact = Artifact {
            bytes: encoded.bytes.into(),
            data_type: encoded.data_type,
            record,
            _held: held,
        };
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

#[derive(Debug)]
struct MemoryDeps {
    room: Arc<Room>,
    by_package: Mutex<BTreeMap<String, (DepSpec, Held)>>,
}

#[async_trait]
impl DepsStore for MemoryDeps {
    async fn list(&self) -> Result<Vec<DepSpec>, StorageError> {
        let mut specs: Vec<_> =
            lock(&self.by_package).values().map(|(spec, _)| spec.clone()).collect();
        specs.sort();
        Ok(specs)
    }

    async fn add(&self, spec: &DepSpec) -> Result<bool, StorageError> {
        let held = self.room.hold("the list of dependencies", spec.as_str().len())?;
        let added = (spec.clone(), held);
        let before = lock(&self.by_package).insert(spec.name().to_owned(), added);
        Ok(before.is_none_or(|(before, _)| before != *spec))
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_has_an_end_and_what_is_deleted_or_replaced_makes_room() {
        let storage = MemoryStorage::with_limit(100_000);
        let scoped = storage.workspace(&"a".parse().unwrap());
        let name: ArtifactName = "a".parse().unwrap();
        let data = |size| ArtifactData::Bytes(vec![0; size]);
        for _ in 0..10 {
            storage.artifacts().save(&name, data(40_000), "", Map::new()).await.unwrap();
        }
        let saved = scoped.artifacts().save(&name, data(60_000), "", Map::new()).await;
        let error = saved.unwrap_err();
        assert_eq!(error.error_type(), "StorageWriteError");
        assert!(error.to_string().contains("takes 100000 bytes"), "{error}");
        assert!(storage.artifacts().delete(&name).await.unwrap());
        scoped.artifacts().save(&name, data(60_000), "", Map::new()).await.unwrap();

        let source = format!("async def run(): pass\n#{}", "#".repeat(40_000));
        let workflow = "w".parse().unwrap();
        assert!(storage.workflows().create(&workflow, &source, "").await.is_err());
        let mut count = 0;
        while storage.deps().add(&format!("p{count}").parse().unwrap()).await.is_ok() {
            count += 1;
        }
        assert!((1..20).contains(&count), "many small things are no way around: {count}");
    }
}
