//! What an embedder brings.

use std::fmt;

use async_trait::async_trait;
use pcm_session::{Session, SessionError};

/// Makes the sessions that a server hands out. It is the only one who knows which backend there is.
#[async_trait]
pub trait Sessions: fmt::Debug + Send + Sync {
    /// A session of its own, with a sandbox of its own. All have the same tools and the same storage. The
    /// server closes it.
    async fn start(&self) -> Result<Session, SessionError>;
}
