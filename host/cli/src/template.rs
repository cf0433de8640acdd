//! Many sessions that are alike, for programs that hand them out.

use std::fmt;
use std::sync::Arc;

use pcm_storage::{Storage, WorkspaceId};
use pcm_tools::{Problem, Registry};

use crate::places::Storages;
use crate::{BackendKind, Error, Session, SessionBuilder};

/// Any number of sessions that are alike: made by [`SessionBuilder::template`].
///
/// They share their tools and the place where things are kept. Sandboxes, variables and the counts of a
/// policy are each one's own.
///
/// ```
/// use pcm_sandbox::{Session, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let template = Session::builder()
///     .tool("greet", "Greets", |_| async { Ok(json!("hello")) })
///     .template()
///     .await?;
/// let (one, other) = (template.start(None).await?, template.start(None).await?);
/// one.run("x = tools.greet()").await;
/// assert_eq!(one.run("x").await.value, json!("hello"));
/// assert!(!other.run("x").await.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct SessionTemplate {
    builder: SessionBuilder,
    tools: Arc<Registry>,
    storages: Storages,
    workspace: Option<WorkspaceId>,
    problems: Arc<[Problem]>,
}

impl SessionTemplate {
    pub(crate) fn new(
        builder: SessionBuilder,
        tools: Registry,
        storages: Storages,
        workspace: Option<WorkspaceId>,
        problems: Vec<Problem>,
    ) -> Self {
        let (tools, problems) = (Arc::new(tools), problems.into());
        Self { builder, tools, storages, workspace, problems }
    }

    /// A session over the storage of this workspace; None is the builder's, or what is outside of all
    /// workspaces.
    pub async fn start(&self, workspace: Option<&WorkspaceId>) -> Result<Session, Error> {
        let storage = self.storage(workspace)?;
        let session = self.builder.clone().start_over(Arc::clone(&self.tools), storage).await?;
        Ok(Session::new(session, self.backend(), Arc::clone(&self.problems)))
    }

    /// The storage of a workspace; the same that its sessions have.
    pub fn storage(&self, workspace: Option<&WorkspaceId>) -> Result<Arc<dyn Storage>, Error> {
        let workspace = workspace.or(self.workspace.as_ref());
        self.storages.of(workspace).ok_or(Error::WorkspaceOfNothing)
    }

    /// The tools, which are there as long as this is or a session of it.
    pub fn tools(&self) -> &Arc<Registry> {
        &self.tools
    }

    /// What was wrong with declared tools. Those with an error are not there, all others are.
    pub fn tool_problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The backend of the sessions.
    pub fn backend(&self) -> BackendKind {
        self.builder.backend_kind()
    }
}

#[cfg(feature = "server")]
#[async_trait::async_trait]
impl pcm_server::Sessions for SessionTemplate {
    async fn start(
        &self,
        workspace: Option<&WorkspaceId>,
    ) -> Result<pcm_session::Session, pcm_session::SessionError> {
        let started = Self::start(self, workspace).await;
        started.map(Session::into_inner).map_err(|error| error.into_session(self.backend()))
    }

    fn storage(
        &self,
        workspace: Option<&WorkspaceId>,
    ) -> Result<Arc<dyn Storage>, pcm_storage::StorageError> {
        Self::storage(self, workspace).map_err(|error| match error {
            Error::Storage(error) => error,
            other => pcm_storage::StorageError::Configuration { reason: other.to_string() },
        })
    }

    fn tools(&self) -> Arc<Registry> {
        Arc::clone(&self.tools)
    }
}

#[cfg(feature = "mcp")]
#[async_trait::async_trait]
impl pcm_mcp::Sessions for SessionTemplate {
    async fn start(&self) -> Result<pcm_session::Session, pcm_session::SessionError> {
        let started = Self::start(self, None).await;
        started.map(Session::into_inner).map_err(|error| error.into_session(self.backend()))
    }
}

impl fmt::Debug for SessionTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionTemplate")
            .field("builder", &self.builder)
            .field("storages", &self.storages)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_of_a_template_know_each_other_by_their_workspaces() -> Result<(), Error> {
        let folder = tempfile::tempdir()
            .map_err(|source| Error::Folder { path: "temporary".into(), source })?;
        let template = Session::from_base(folder.path()).workspace("usual").template().await?;
        let name = "a.txt".parse()?;
        let data = || pcm_storage::ArtifactData::Text("one".to_owned());
        template.storage(None)?.artifacts().save(&name, data(), "", serde_json::Map::new()).await?;
        let (usual, other) = ("usual".parse()?, "other".parse()?);
        let has = async |workspace: &WorkspaceId| {
            let storage = template.storage(Some(workspace))?;
            Ok::<bool, Error>(storage.artifacts().exists(&name).await?)
        };
        assert_eq!((has(&usual).await?, has(&other).await?), (true, false));
        Ok(())
    }

    #[tokio::test]
    async fn in_memory_there_are_no_workspaces() -> Result<(), Error> {
        let template = Session::builder().template().await?;
        let refused = template.storage(Some(&"one".parse()?));
        assert!(matches!(refused, Err(Error::WorkspaceOfNothing)));
        Ok(())
    }
}
