//! What a session keeps from run to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use pcm_runtime_api::{CheckpointId, ExecutorError, HostPort};

use crate::instance::{Instance, State};
use crate::pages::Image;

pub(crate) struct Session {
    pub(crate) port: Arc<dyn HostPort>,
    /// None before the first run, and after an interpreter was lost.
    pub(crate) instance: Option<Instance>,
    /// What the session goes back to when it loses its interpreter, where it goes back.
    pub(crate) safe: Option<Arc<State>>,
    checkpoints: BTreeMap<CheckpointId, Arc<State>>,
    last_checkpoint: u64,
}

impl Session {
    pub(crate) fn new(port: Arc<dyn HostPort>) -> Self {
        Self { port, instance: None, safe: None, checkpoints: BTreeMap::new(), last_checkpoint: 0 }
    }

    /// The state of the interpreter now, which must be there.
    pub(crate) fn state(&mut self, image: &Image<'_>) -> wasmtime::Result<Arc<State>> {
        match &mut self.instance {
            Some(instance) => instance.state(image),
            None => wasmtime::bail!("the session has no interpreter"),
        }
    }

    /// Makes a state one to come back to.
    pub(crate) fn keep(&mut self, state: Arc<State>) -> CheckpointId {
        self.last_checkpoint += 1;
        let id = CheckpointId(self.last_checkpoint);
        self.checkpoints.insert(id, state);
        id
    }

    pub(crate) fn kept(&self, id: CheckpointId) -> Result<Arc<State>, ExecutorError> {
        self.checkpoints.get(&id).cloned().ok_or(ExecutorError::NoCheckpoint(id))
    }

    pub(crate) fn drop_checkpoint(&mut self, id: CheckpointId) {
        self.checkpoints.remove(&id);
    }

    /// Drops the interpreter and its states, but for the checkpoints.
    pub(crate) fn forget(&mut self) {
        (self.instance, self.safe) = (None, None);
    }

    pub(crate) fn drop_all(&mut self) {
        self.checkpoints.clear();
    }
}
