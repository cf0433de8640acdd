//! Files that cross the wall.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::HostFolder;

/// A folder of the host, shown to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder.
    pub host: MountSource,
    /// Where the sandbox sees it: an absolute path, as `/data`.
    pub guest: String,
    /// What the sandbox may do with it.
    pub access: MountAccess,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// This folder, from the session's start to its end.
    Folder(PathBuf),
    /// The packages of the session, which may become others while it lives.
    Packages(PackagesFolder),
    /// A folder that somebody else opens, for a sandbox that cannot open any itself.
    Served(ServedFolder),
}

impl MountSource {
    /// The folder as it is now; None as long as there are no packages, and for a folder that
    /// somebody else opens.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.clone()),
            Self::Packages(packages) => packages.folder(),
            Self::Served(_) => None,
        }
    }
}

impl<P: Into<PathBuf>> From<P> for MountSource {
    fn from(folder: P) -> Self {
        Self::Folder(folder.into())
    }
}

/// Where the packages of a session lie. Clones are the same: what one of them is told, all know.
///
/// The folders themselves never change; another set of packages is another folder.
#[derive(Debug, Clone, Default)]
pub struct PackagesFolder(Arc<RwLock<Option<PathBuf>>>);

impl PackagesFolder {
    /// The folder; None as long as there are no packages.
    pub fn folder(&self) -> Option<PathBuf> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is this folder.
    pub fn is(&self, folder: Option<&Path>) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_deref() == folder
    }

    /// From here on the packages are those in `folder`.
    pub fn replace(&self, folder: PathBuf) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(folder);
    }
}

impl PartialEq for PackagesFolder {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PackagesFolder {}

/// A folder of the host that somebody else opens. Clones are the same.
///
/// What is mounted of it is no more than both sides allow: the mount here, and whoever serves it.
#[derive(Debug, Clone)]
pub struct ServedFolder(Arc<dyn HostFolder>);

impl ServedFolder {
    /// The folder, by what can be done with it.
    pub fn folder(&self) -> &Arc<dyn HostFolder> {
        &self.0
    }
}

impl From<Arc<dyn HostFolder>> for ServedFolder {
    fn from(folder: Arc<dyn HostFolder>) -> Self {
        Self(folder)
    }
}

impl PartialEq for ServedFolder {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ServedFolder {}

/// What a sandbox may do with a folder of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountAccess {
    /// Read.
    #[default]
    ReadOnly,
    /// Read and write the folder itself.
    ReadWrite,
    /// Read the folder, and write to a layer of its own that ends with the session.
    Overlay,
}

/// A file that a run left different from how it found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The path in the sandbox.
    pub path: String,
    /// What became of it.
    pub change: ChangeKind,
    /// Its size afterwards.
    pub bytes: u64,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It was there and its content is another.
    Modified,
    /// It is gone.
    Deleted,
}
