//! What an embedder brings: sessions, storage and tools.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pcm_session::{Session, SessionError};
use pcm_storage::{Storage, StorageError, WorkspaceId};
use pcm_tools::Registry;

/// Makes what a server hands out. It is the only one who knows which backend there is.
#[async_trait]
pub trait Sessions: fmt::Debug + Send + Sync {
    /// A session of its own, with a sandbox of its own, over the storage of this workspace. The server
    /// closes it.
    async fn start(&self, workspace: Option<&WorkspaceId>) -> Result<Session, SessionError>;

    /// The storage of a workspace, or the one outside of all; the same that its sessions have.
    fn storage(&self, workspace: Option<&WorkspaceId>) -> Result<Arc<dyn Storage>, StorageError>;

    /// The tools, which all sessions share.
    fn tools(&self) -> Arc<Registry>;
}
