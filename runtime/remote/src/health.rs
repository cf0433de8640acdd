//! Whether there is a server.

use pcm_runtime_api::ExecutorError;
use reqwest::Method;
use serde::Deserialize;

use crate::RemoteConfig;
use crate::client::{Ask, Client};
use crate::sandbox::BACKEND;

/// Asks a server whether it is well, for whoever has started one and waits for it.
#[derive(Debug)]
pub struct HealthCheck(Client);

impl HealthCheck {
    /// Of the server at this address. It is not told the token: what answers may be something else.
    pub fn new(config: &RemoteConfig) -> Result<Self, ExecutorError> {
        let config = RemoteConfig { token: None, workspace: None, ..config.clone() };
        let startup = |reason| ExecutorError::Startup { backend: BACKEND, reason };
        Client::new(&config).map(Self).map_err(startup)
    }

    /// Whether it says now that it is healthy.
    pub async fn is_healthy(&self) -> bool {
        #[derive(Deserialize)]
        struct Health {
            status: String,
        }
        let answer = self.0.ask(Ask::new(Method::GET, "health"), None).await;
        let health = answer.ok().and_then(|answer| serde_json::from_slice::<Health>(&answer).ok());
        health.is_some_and(|health| health.status == "healthy")
    }
}
