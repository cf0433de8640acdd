//! Tools, workflows, artifacts and packages, for the program that has the session.
//!
//! Tool calls pass the same layers as those of code in the sandbox. What is the host's own, its
//! storage, is used directly.

use std::sync::Arc;

use pcm_middleware::Caller;
use pcm_runtime_api::{ExecutorError, HostCall, Namespace, Payload};
use pcm_storage::{ArtifactData, ArtifactInfo, Workflow};
use pcm_tools::{Registry, Tool};
use serde_json::{Map, Value, json};

use crate::deps::{DepsChange, DepsRemoval};
use crate::{Session, SessionError};

impl Session {
    /// The tools that code can call.
    pub fn tools(&self) -> &Arc<Registry> {
        &self.connected.tools
    }

    /// The tools that code can call, by name.
    pub fn list_tools(&self) -> Vec<Arc<Tool>> {
        self.connected.tools.list()
    }

    /// The tools that fit a query, the best first: the same as `tools.search` in the sandbox.
    pub fn search_tools(&self, query: &str, limit: usize) -> Vec<Arc<Tool>> {
        self.connected.tools.search(query, limit)
    }

    /// Calls a tool, as `curl` or `curl.get`, as code in the sandbox would: through all layers.
    pub async fn call_tool(
        &self,
        name: &str,
        args: Map<String, Value>,
    ) -> Result<Payload, SessionError> {
        let args = json!({"name": name, "args": args}).into();
        let call = HostCall { namespace: Namespace::Tools, op: "call".to_owned(), args };
        self.call("host", call).await
    }

    /// Makes a call for somebody who may do no more than code in the sandbox: through all layers. `origin`
    /// is the door that it came by, for the log.
    pub async fn call(&self, origin: &str, call: HostCall) -> Result<Payload, SessionError> {
        if self.connected.is_closed() {
            return Err(ExecutorError::Closed.into());
        }
        let caller = Caller::clone(self.connected.chain.caller());
        let caller = Caller { origin: origin.to_owned(), ..caller };
        Ok(self.connected.port.call_as(Arc::new(caller), call).await?)
    }

    /// The stored workflows, by name.
    pub async fn list_workflows(&self) -> Result<Vec<Arc<Workflow>>, SessionError> {
        Ok(self.storage().workflows().list().await?)
    }

    /// The stored workflows that fit a query, the best first.
    pub async fn search_workflows(
        &self,
        query: &str,
        limit: usize,
    ) -> Result<Vec<Arc<Workflow>>, SessionError> {
        Ok(self.storage().workflows().search(query, limit).await?)
    }

    /// A stored workflow; None if there is none of that name.
    pub async fn get_workflow(&self, name: &str) -> Result<Option<Arc<Workflow>>, SessionError> {
        Ok(self.storage().workflows().get(&name.parse()?).await?)
    }

    /// Stores a workflow, in place of one of the same name. Nothing of it is executed.
    pub async fn add_workflow(
        &self,
        name: &str,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, SessionError> {
        Ok(self.storage().workflows().create(&name.parse()?, source, description).await?)
    }

    /// Removes a stored workflow; says whether there was one.
    pub async fn remove_workflow(&self, name: &str) -> Result<bool, SessionError> {
        Ok(self.storage().workflows().delete(&name.parse()?).await?)
    }

    /// What is known of the artifacts, by name.
    pub async fn list_artifacts(&self) -> Result<Vec<ArtifactInfo>, SessionError> {
        Ok(self.storage().artifacts().list().await?)
    }

    /// Stores data, in place of what has the same name.
    pub async fn save_artifact(
        &self,
        name: &str,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, SessionError> {
        Ok(self.storage().artifacts().save(&name.parse()?, data, description, metadata).await?)
    }

    /// Stored data.
    pub async fn load_artifact(&self, name: &str) -> Result<ArtifactData, SessionError> {
        Ok(self.storage().artifacts().load(&name.parse()?).await?)
    }

    /// Removes stored data, if there is any of that name.
    pub async fn delete_artifact(&self, name: &str) -> Result<(), SessionError> {
        self.storage().artifacts().delete(&name.parse()?).await?;
        Ok(())
    }

    /// The packages that are configured or stored, by name.
    pub async fn list_deps(&self) -> Result<Vec<String>, SessionError> {
        Ok(self.connected.deps.list().await?)
    }

    /// Installs a package and stores that it is wanted.
    pub async fn add_dep(&self, spec: &str) -> Result<DepsChange, SessionError> {
        self.connected.deps.check_runtime()?;
        Ok(self.connected.deps.add(spec).await?)
    }

    /// Removes a package from what is configured and stored, and from the session.
    pub async fn remove_dep(&self, spec: &str) -> Result<DepsRemoval, SessionError> {
        self.connected.deps.check_runtime()?;
        Ok(self.connected.deps.remove(spec).await?)
    }

    /// Installs packages for the program itself: whatever the code may add, and nothing is stored.
    pub async fn install_deps(&self, specs: &[String]) -> Result<DepsChange, SessionError> {
        let report = self.executor.install_deps(specs, &|_: &str| ()).await?;
        Ok(DepsChange {
            installed: report.changed,
            already_present: report.unchanged,
            failed: report.failed,
        })
    }

    /// Removes packages for the program itself: whatever the code may remove, and what is stored stays.
    pub async fn uninstall_deps(&self, names: &[String]) -> Result<DepsRemoval, SessionError> {
        let report = self.executor.uninstall_deps(names).await?;
        Ok(DepsRemoval {
            removed: report.changed,
            not_found: report.unchanged,
            failed: report.failed.into_iter().map(|failed| failed.spec).collect(),
            removed_from_config: false,
        })
    }

    /// Installs everything that is configured or stored.
    pub async fn sync_deps(&self) -> Result<DepsChange, SessionError> {
        Ok(self.connected.deps.sync().await?)
    }
}
