//! The host that the programs find behind the port: that of the conformance suite, with tools that
//! do what a host should not have to fear.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_conformance::MemoryHost;
use pcm_sandbox::{
    Error, HostCall, HostError, HostPort, Limits, Namespace, Payload, SandboxConfig, Session,
};
use serde_json::{Value, json};

use crate::wall::Wall;

/// A session and its host. The two hold each other until this is dropped.
#[derive(Debug)]
pub struct Hosted {
    /// The session.
    pub session: Session,
    host: Arc<Host>,
}

impl Hosted {
    /// Starts a session; `places` is where the canaries are.
    pub async fn start(wall: Wall, config: SandboxConfig, places: Value) -> Result<Self, Error> {
        let host = Arc::new(Host::new(places, wall, config.limits.clone()));
        let port = Arc::clone(&host) as Arc<dyn HostPort>;
        let builder = wall.builder().limits(config.limits).port(port);
        let builder = if config.rollback { builder.rollback() } else { builder };
        let session = builder.start().await?;
        *host.caller() = Some(session.clone());
        Ok(Self { session, host })
    }

    /// A session in the same state, with the same host.
    pub async fn fork(&self) -> Result<Self, Error> {
        let session = self.session.fork().await?;
        Ok(Self { session, host: Arc::clone(&self.host) })
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let session = self.host.caller().take();
        drop(session);
    }
}

/// Besides those of [`MemoryHost`], the tools
///
/// * `places()`: where the canaries are,
/// * `never()`: gives no answer,
/// * `big(bytes)`: gives a text of that length,
/// * `nest(code)`: runs code in the session that calls,
/// * `nest_fresh(code)`: runs code in another session, which has the same tools.
#[derive(Debug)]
struct Host {
    memory: MemoryHost,
    places: Value,
    wall: Wall,
    limits: Limits,
    caller: Mutex<Option<Session>>,
}

impl Host {
    fn new(places: Value, wall: Wall, limits: Limits) -> Self {
        let memory = MemoryHost::default();
        Self { memory, places, wall, limits, caller: Mutex::new(None) }
    }

    fn caller(&self) -> MutexGuard<'_, Option<Session>> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn use_tool(&self, name: &str, args: &Value) -> Option<Result<Payload, HostError>> {
        Some(match name {
            "places" => Ok(self.places.clone().into()),
            "never" => pending().await,
            "big" => big(args),
            "nest" => {
                let caller = self.caller().clone();
                match caller {
                    Some(session) => Ok(run(&session, args).await),
                    None => Err(HostError::new("RuntimeError", "there is no session")),
                }
            }
            "nest_fresh" => self.nest_fresh(args).await,
            _ => return None,
        })
    }

    async fn nest_fresh(&self, args: &Value) -> Result<Payload, HostError> {
        let other = Hosted::start(self.wall, self.limits.clone().into(), self.places.clone())
            .await
            .map_err(|error| HostError::new("RuntimeError", error.to_string()))?;
        Ok(run(&other.session, args).await)
    }
}

fn big(args: &Value) -> Result<Payload, HostError> {
    let length = args["bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    match length {
        Some(length) => Ok(Value::from("x".repeat(length)).into()),
        None => Err(HostError::new("ValueError", "bytes must be a number")),
    }
}

async fn run(session: &Session, args: &Value) -> Payload {
    let result = session.run(args["code"].as_str().unwrap_or_default()).await;
    let error = result.error.map(|error| error.to_string());
    json!({"value": result.value, "error": error}).into()
}

#[async_trait]
impl HostPort for Host {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        if call.namespace == Namespace::Tools && call.op == "call" {
            let args = &call.args.value;
            let name = args["name"].as_str().unwrap_or_default();
            if let Some(answer) = self.use_tool(name, &args["args"]).await {
                return answer;
            }
        }
        self.memory.call(call).await
    }
}
