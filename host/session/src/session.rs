//! A session: an executor that was started with a host.

use std::sync::Arc;

use pcm_middleware::{Caller, Layer};
use pcm_runtime_api::{Capability, CheckpointId, ExecutionResult, Executor, HostPort, RunRequest};
use pcm_storage::Storage;

use crate::SessionError;
use crate::host::{Connected, Host};

/// A Python whose variables live from run to run, and the host that answers its calls.
///
/// Clones are the same session, so that one task can interrupt what another runs. The session ends
/// with [`close`](Self::close), or with its last clone.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) connected: Arc<Connected>,
    /// What it was started with, for forks.
    host: Arc<Host>,
}

impl Session {
    /// Starts an executor with a host, and installs the packages that it shall begin with.
    pub async fn start(executor: Arc<dyn Executor>, host: Host) -> Result<Self, SessionError> {
        let session = Self::connect(executor, Arc::new(host)).await?;
        let installed = session.install().await;
        if installed.is_err() {
            session.close().await;
        }
        installed.map(|()| session)
    }

    async fn install(&self) -> Result<(), SessionError> {
        let deps = &self.connected.deps;
        let mut changes = vec![deps.install_configured().await?];
        if self.connected.sync_deps {
            changes.push(deps.sync().await?);
        }
        match changes.into_iter().flat_map(|change| change.failed).next() {
            None => Ok(()),
            Some(failed) => Err(SessionError::Package { spec: failed.spec, reason: failed.reason }),
        }
    }

    async fn connect(executor: Arc<dyn Executor>, host: Arc<Host>) -> Result<Self, SessionError> {
        let connected = Host::clone(&host).connect(caller(&*executor, &host)?);
        connected.deps.install_with(&executor);
        connected.begin()?;
        executor.start(Arc::clone(&connected.port) as Arc<dyn HostPort>).await?;
        Ok(Self { executor, connected: Arc::new(connected), host })
    }

    /// What names it in audit logs and approvals.
    pub fn id(&self) -> &str {
        &self.connected.chain.caller().session_id
    }

    /// Runs code under the session's limits. Every outcome is a result, and after whatever outcome
    /// the next run works. Dropping the future cancels the run.
    pub async fn run(&self, code: impl Into<Vec<u8>>) -> ExecutionResult {
        self.run_request(RunRequest::new(code)).await
    }

    /// The same, with limits of its own, or with somebody who hears what happens.
    pub async fn run_request(&self, request: RunRequest) -> ExecutionResult {
        self.executor.run(request).await
    }

    /// Stops the run that goes on, if one does; its result says `cancelled`.
    pub fn interrupt(&self) {
        self.executor.interrupt();
    }

    /// Clears the variables. Workflows, artifacts and packages stay.
    pub async fn reset(&self) -> Result<(), SessionError> {
        Ok(self.executor.reset().await?)
    }

    /// Ends the session. Runs after it give an error of the kind `closed`. Harmless when repeated.
    pub async fn close(&self) {
        self.executor.close().await;
        if self.connected.end() {
            self.connected.tools.close().await;
        }
    }

    /// Makes these the layers that every call passes, in place of those there are. Calls that go on
    /// keep the ones they began with.
    pub fn replace_layers(&self, layers: impl IntoIterator<Item = Arc<dyn Layer>>) {
        self.connected.chain.replace(layers.into_iter().collect());
    }

    /// Keeps the session's state, to come back to with [`restore`](Self::restore).
    pub async fn checkpoint(&self) -> Result<CheckpointId, SessionError> {
        Ok(self.executor.checkpoint().await?)
    }

    /// Makes the session what it was at a checkpoint, which stays valid.
    pub async fn restore(&self, checkpoint: CheckpointId) -> Result<(), SessionError> {
        Ok(self.executor.restore(checkpoint).await?)
    }

    /// Gives up a checkpoint and what it holds. Harmless when repeated.
    pub async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        self.executor.drop_checkpoint(checkpoint).await;
    }

    /// Another session in the same state, with the same tools, storage and layers. From here on the two
    /// are independent, but for packages: what one of them installs is there for both.
    pub async fn fork(&self) -> Result<Self, SessionError> {
        let host = self.host.forked(&self.connected);
        Self::connect(self.executor.fork().await?, Arc::new(host)).await
    }

    /// The session's state as bytes that [`load`](Self::load) takes, in this process or another.
    /// They are signed with `key`, not encrypted.
    pub async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, SessionError> {
        Ok(self.executor.save(key).await?)
    }

    /// Makes the session what another one was when it was saved. What was changed since, signed with
    /// another key, or made by another version is refused.
    pub async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), SessionError> {
        Ok(self.executor.load(saved, key).await?)
    }

    /// The fuel that is left for all runs together; None where it is not counted.
    pub fn fuel(&self) -> Option<u64> {
        self.executor.fuel()
    }

    /// Refills the session's fuel.
    pub fn add_fuel(&self, fuel: u64) -> Result<(), SessionError> {
        Ok(self.executor.add_fuel(fuel)?)
    }

    /// Writes a file into the session's file system, with the folders above it.
    pub async fn put_file(
        &self,
        path: &str,
        content: impl Into<Vec<u8>>,
    ) -> Result<(), SessionError> {
        Ok(self.executor.put_file(path, content.into()).await?)
    }

    /// Reads a file of the session's file system, if it has at most `longest` bytes.
    pub async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, SessionError> {
        Ok(self.executor.get_file(path, longest).await?)
    }

    /// What its backend promises.
    pub fn capabilities(&self) -> &'static [Capability] {
        self.executor.capabilities()
    }

    /// Whether its backend promises this.
    pub fn supports(&self, capability: Capability) -> bool {
        self.capabilities().contains(&capability)
    }

    /// The key of its backend, as `wasm`.
    pub fn backend_key(&self) -> &'static str {
        self.executor.backend()
    }

    /// Where its workflows, artifacts and packages are kept.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.connected.storage
    }
}

/// Names the session by 128 random bits.
fn caller(executor: &dyn Executor, host: &Host) -> Result<Caller, SessionError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| SessionError::NoRandomness(error.to_string()))?;
    Ok(Caller {
        session_id: format!("{:032x}", u128::from_be_bytes(id)),
        backend: executor.backend().to_owned(),
        workspace: host.workspace(),
        origin: "sandbox".to_owned(),
    })
}
