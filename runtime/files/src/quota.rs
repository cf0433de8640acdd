//! How much a session may keep.

use pcm_fences::{Fence, holds};
use pcm_runtime_api::Limits;

/// The longest name of a file or folder, in bytes of UTF-8.
pub const LONGEST_NAME: usize = 255;
/// The longest path, in bytes of UTF-8.
pub const LONGEST_PATH: usize = 4096;
/// The most descriptors that are open at a time.
pub const MOST_DESCRIPTORS: usize = 256;

/// The bounds of a session's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The content of all files in memory, holes counted as if they were written; and the size of
    /// any one file that is written on the host.
    pub bytes: u64,
    /// The files and folders in memory, and the names that are deleted in overlays.
    pub entries: u64,
    /// The folders and the name in the deepest path that can be made.
    pub depth: u32,
}

impl From<&Limits> for Quota {
    fn from(limits: &Limits) -> Self {
        let bytes = if holds(Fence::Quota) { limits.vfs_bytes } else { u64::MAX };
        Self { bytes, entries: limits.vfs_entries, depth: limits.vfs_depth }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}
