//! Files that cross the wall.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A folder of the host, shown to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The folder.
    pub host: PathBuf,
    /// Where the sandbox sees it: an absolute path, as `/data`.
    pub guest: String,
    /// What the sandbox may do with it.
    pub access: MountAccess,
}

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
