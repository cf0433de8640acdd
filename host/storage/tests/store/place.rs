//! Storages of every kind, twice: as this process has them, and as another would.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pcm_storage::{
    ArtifactName, ArtifactStore, DepsStore, FileStorage, MemoryStorage, RedisStorage, Storage,
    WorkflowName, WorkflowStore, WorkspaceId,
};

use crate::server::Server;

pub(crate) struct Place {
    pub(crate) storage: Arc<dyn Storage>,
    /// Another handle, which knows nothing of what this one has read.
    pub(crate) other: Arc<dyn Storage>,
    _folder: Option<tempfile::TempDir>,
    _server: Option<Server>,
}

impl Place {
    pub(crate) fn memory(workspace: Option<&str>) -> Self {
        let storage = MemoryStorage::new();
        let scoped = || match workspace {
            Some(id) => storage.workspace(&workspace_id(id)),
            None => storage.clone(),
        };
        Self::of(scoped(), scoped(), None, None)
    }

    pub(crate) fn file(workspace: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scoped = || {
            let storage = FileStorage::open(folder.path()).unwrap();
            match workspace {
                Some(id) => storage.workspace(&workspace_id(id)),
                None => storage,
            }
        };
        Self::of(scoped(), scoped(), Some(folder), None)
    }

    pub(crate) fn redis(workspace: Option<&str>) -> Self {
        let server = Server::start();
        let scoped = || {
            let storage = RedisStorage::connect(&server.url(), "app").unwrap();
            match workspace {
                Some(id) => storage.workspace(&workspace_id(id)),
                None => storage,
            }
        };
        Self::of(scoped(), scoped(), None, Some(server))
    }

    fn of(
        storage: impl Storage + 'static,
        other: impl Storage + 'static,
        folder: Option<tempfile::TempDir>,
        server: Option<Server>,
    ) -> Self {
        let (storage, other) = (Arc::new(storage), Arc::new(other));
        Self { storage, other, _folder: folder, _server: server }
    }

    pub(crate) fn workflows(&self) -> &dyn WorkflowStore {
        self.storage.workflows()
    }

    pub(crate) fn artifacts(&self) -> &dyn ArtifactStore {
        self.storage.artifacts()
    }

    pub(crate) fn deps(&self) -> &dyn DepsStore {
        self.storage.deps()
    }
}

pub(crate) fn workflow(name: &str) -> WorkflowName {
    name.parse().unwrap()
}

pub(crate) fn artifact(name: &str) -> ArtifactName {
    name.parse().unwrap()
}

pub(crate) fn workspace_id(id: &str) -> WorkspaceId {
    id.parse().unwrap()
}

/// A file storage in a folder of its own.
pub(crate) fn folder() -> (tempfile::TempDir, FileStorage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::open(folder.path()).unwrap();
    (folder, storage)
}

/// The names in a folder, all but those that begin with a dot.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// Files that were written aside and not put in their places.
pub(crate) fn left_aside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "tmp")).collect()
}
