//! The file system that sandboxed code sees.
//!
//! A [`Files`] is a session's whole tree: files and folders in memory, under a [`Quota`], and
//! folders of the host that are mounted into it. A clone costs nothing and shares everything until
//! one of the two changes: that is how checkpoints and forks of a session get theirs. The open
//! descriptors are part of it.
//!
//! In from one side: what the guest asks for, by descriptor and path; the answer is a value or a
//! bare [`Errno`], which can hold no name of the host. In from the other side: files that the
//! embedder puts, gets, lists and saves; the answer is a value or a [`FilesError`].
//!
//! A folder of the host is only ever reached from its own handle, one name after the other, and
//! symbolic links are resolved here, inside the mount. What lies elsewhere has no path that leads
//! to it.
//!
//! What must never live here: WebAssembly, WASI numbers, clocks (the caller says what time it is),
//! policy about who may mount what.

mod changes;
mod content;
mod descriptors;
mod entries;
mod errno;
mod error;
mod files;
mod folders;
mod handles;
mod host;
mod host_stat;
mod listing;
mod local;
mod metadata;
mod mounts;
mod node;
mod open;
mod overlay;
mod packages;
mod paths;
mod protected;
mod quota;
mod rename;
mod saved;
mod stat;
mod tree;
mod walk;

pub use changes::MOST_CHANGES;
pub use descriptors::{Access, Fd, ROOT};
pub use errno::Errno;
pub use error::FilesError;
pub use files::{Files, Whence};
pub use listing::FolderEntry;
pub use local::LocalFolder;
pub use open::Opening;
pub use pcm_runtime_api::{FileKind as Kind, FileTimes as Times, SetTime};
pub use protected::PROTECTED_NAMES;
pub use quota::{LONGEST_NAME, LONGEST_PATH, MOST_DESCRIPTORS, Quota};
pub use stat::Stat;
