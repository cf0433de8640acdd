//! A storage in a folder.
//!
//! `folder` writes files whole and `lock` keeps writers apart, in this process and in others;
//! `workflows`, `artifacts` with their `index`, and `deps` are the three stores over them. Readers
//! take no lock: what they open is whole.

mod artifacts;
mod deps;
mod folder;
mod index;
mod lock;
mod notes;
mod stamp;
mod workflows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::Details;
use crate::{
    ArtifactStore, DepsStore, Lexical, Ranker, Storage, StorageError, WorkflowStore, WorkspaceId,
};

use artifacts::FileArtifacts;
use deps::FileDeps;
use workflows::FileWorkflows;

/// A storage in a folder of the host. Several processes may use one folder at once.
///
/// Its calls run on threads of tokio for blocking work. Nothing is made before something is stored:
/// a folder that is missing is an empty storage.
#[derive(Debug, Clone)]
pub struct FileStorage {
    base: PathBuf,
    workspace: Option<WorkspaceId>,
    ranker: Arc<dyn Ranker>,
    workflows: FileWorkflows,
    artifacts: FileArtifacts,
    deps: FileDeps,
}

impl FileStorage {
    /// The storage in this folder, which need not be there.
    pub fn open(base: &Path) -> Result<Self, StorageError> {
        let whole = std::path::absolute(base)
            .map_err(|_| unusable("the path of its folder cannot be made absolute"))?;
        if whole.exists() && !whole.is_dir() {
            return Err(unusable("its folder is a file"));
        }
        Ok(Self::of(whole, None, Arc::new(Lexical)))
    }

    /// The same storage, with workflows and artifacts of this workspace.
    #[must_use]
    pub fn workspace(&self, id: &WorkspaceId) -> Self {
        Self::of(self.base.clone(), Some(id.clone()), self.ranker.clone())
    }

    /// The same storage, in which workflows are found by this ranker.
    #[must_use]
    pub fn ranker(&self, ranker: Arc<dyn Ranker>) -> Self {
        Self::of(self.base.clone(), self.workspace.clone(), ranker)
    }

    fn of(base: PathBuf, workspace: Option<WorkspaceId>, ranker: Arc<dyn Ranker>) -> Self {
        let inside = match &workspace {
            Some(id) => format!("workspaces/{id}/"),
            None => String::new(),
        };
        let root = base.join(&inside);
        Self {
            workflows: FileWorkflows::new(root.join("workflows"), ranker.clone()),
            artifacts: FileArtifacts::new(root.join("artifacts"), format!("{inside}artifacts")),
            deps: FileDeps::new(base.join("deps")),
            base,
            workspace,
            ranker,
        }
    }

    fn root(&self) -> PathBuf {
        match &self.workspace {
            Some(id) => self.base.join("workspaces").join(id.as_str()),
            None => self.base.clone(),
        }
    }
}

impl Storage for FileStorage {
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
        let root = self.root();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let vectors = root.join("vectors");
        json!({
            "workflows_path": text(root.join("workflows")),
            "artifacts_path": text(root.join("artifacts")),
            "vectors_path": vectors.is_dir().then(|| text(vectors)),
            "root_path": text(root),
        })
    }
}

fn unusable(reason: &str) -> StorageError {
    StorageError::Configuration { reason: reason.to_owned() }
}

/// Does work that waits for a disk where waiting disturbs nobody. Once begun, it is done to its end,
/// even if nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StorageError::Write {
            what: "the storage".to_owned(),
            reason: "the work was not done".to_owned(),
            details: Some(Details::new(error)),
        }),
    }
}

/// The workflows in any folder.
pub(crate) fn workflows_in(folder: &Path) -> Box<dyn WorkflowStore> {
    Box::new(FileWorkflows::new(folder.to_owned(), Arc::new(Lexical)))
}

/// Writes a file in a folder, which is made if it is missing: whole or not at all.
pub(crate) async fn write_file(
    folder: PathBuf,
    name: String,
    content: Vec<u8>,
    what: String,
) -> Result<(), StorageError> {
    blocking(move || {
        let written = || {
            let folder = folder::make(&folder)?;
            folder::Aside::write(&folder, ".", &content)?.place(&folder, &name)?;
            folder::sync(&folder)
        };
        written().map_err(StorageError::writing(what))
    })
    .await
}
