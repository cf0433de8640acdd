//! The calls of code in the sandbox, as typed ones.

mod artifacts;
mod deps;
mod tools;
mod workflows;

use std::sync::Arc;

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, NoHost, Payload};
use pcm_storage::{Storage, StorageError};
use pcm_tools::Registry;
use serde::Serialize;

use crate::budget::Budget;
use crate::deps::Deps;

/// The innermost port of a session.
#[derive(Debug)]
pub(crate) struct Namespaces {
    pub(crate) tools: Arc<Registry>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) deps: Arc<Deps>,
    pub(crate) budget: Budget,
}

#[async_trait]
impl HostPort for Namespaces {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        match call.namespace {
            Namespace::Tools => tools::answer(&self.tools, call).await,
            Namespace::Workflows => {
                workflows::answer(self.storage.workflows(), &self.budget, call).await
            }
            Namespace::Artifacts => {
                artifacts::answer(self.storage.artifacts(), &self.budget, call).await
            }
            Namespace::Deps => deps::answer(&self.deps, call).await,
            Namespace::Network => NoHost.call(call).await,
        }
    }
}

/// What is given back, as JSON.
fn reply(value: impl Serialize) -> Result<Payload, HostError> {
    match serde_json::to_value(value) {
        Ok(value) => Ok(value.into()),
        Err(error) => Err(HostError::new("TypeError", format!("the result is no JSON: {error}"))),
    }
}

/// An error of a store, as the guest sees it.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn refused(error: StorageError) -> HostError {
    HostError::new(error.error_type(), error.to_string())
}
