//! The files of a session, as its isolate and its embedder share them.
//!
//! They are those of `runtime/files`, where paths, mounts and quotas are looked after. Python reaches
//! them through Emscripten's `FS`, whose functions `js/src/files.js` replaces with calls of the ops in
//! `calls.rs`; the embedder reaches them here, in whatever thread, also while Python runs.

mod calls;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pcm_runtime_api::{FileChange, SandboxConfig};
use pcm_runtime_files::{Files, FilesError, Quota};

pub(crate) use self::calls::ops;

/// Times of files are no finer, in nanoseconds: nothing is told of the host that a clock of the
/// guest would not tell.
const RESOLUTION: u64 = 1_000;

/// The files of one session. What the isolate works on is in the state of its ops, and is replaced
/// there when the isolate is given to a session.
#[derive(Debug, Clone)]
pub(crate) struct SharedFiles(Arc<Mutex<Files>>);

impl SharedFiles {
    /// Those of a fresh session.
    pub(crate) fn new(config: &SandboxConfig) -> Result<Self, FilesError> {
        let quota = Quota::from(&config.limits);
        Files::with_mounts(quota, &config.mounts, now()).map(Self::from)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn put(&self, path: &str, content: &[u8]) -> Result<(), FilesError> {
        self.lock().put(path, content, now())
    }

    /// Reads a file, if it has at most `longest` bytes.
    pub(crate) fn get(&self, path: &str, longest: u64) -> Result<Vec<u8>, FilesError> {
        self.lock().get(path, longest)
    }

    /// All of them as they are now. It costs nothing until one of the two changes.
    pub(crate) fn snapshot(&self) -> Files {
        self.lock().clone()
    }

    /// The files that differ from those of a snapshot.
    pub(crate) fn changes_since(&self, before: &Files) -> Vec<FileChange> {
        self.snapshot().changes_since(before)
    }

    /// After a panic, which would be a defect, they are still the session's.
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Files> for SharedFiles {
    fn from(files: Files) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }
}

/// Of an isolate that has no session yet.
impl Default for SharedFiles {
    fn default() -> Self {
        Self::from(Files::new(Quota::default(), now()))
    }
}

/// The time that files are stamped with.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    now - now % RESOLUTION
}
