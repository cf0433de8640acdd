//! What the programs find behind the port: where nothing else is said the host of the conformance suite,
//! with tools that do what a host should not have to fear, and a network that begins with no address.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use async_trait::async_trait;
use pcm_conformance::MemoryHost;
use pcm_sandbox::{
    Error, HostCall, HostError, HostPort, HostRule, Limits, Mount, Namespace, NetworkError,
    NetworkPort, NetworkProfile, Payload, Resolver, SandboxConfig, Session, SessionBuilder,
    WithNetwork,
};
use serde_json::{Value, json};

use crate::canary::Canaries;
use crate::case::{Header, HostKind};
use crate::echo::Echo;
use crate::processes::span;
use crate::wall::Wall;
use crate::workshop::Workshop;

/// What the sessions of a case find behind their port, and where they are.
#[derive(Debug)]
pub struct Setting {
    wall: Wall,
    places: Value,
    /// None for the memory.
    workshop: Option<Workshop>,
    network: NetworkProfile,
    names: Names,
    mounts: Vec<Mount>,
    workspaces: bool,
}

impl Setting {
    /// What a case says. `echo` is the server of its network.
    pub fn new(wall: Wall, header: &Header, canaries: &Canaries, echo: Echo) -> Result<Self> {
        let mut setting = Self::plain(wall, canaries.places());
        if header.host == HostKind::Workshop {
            let workshop = Workshop::open(header, canaries, echo)?;
            setting.places["folder"] = workshop.folder().to_string_lossy().into();
            setting.mounts = if header.mounts { workshop.mounts() } else { Vec::new() };
            setting.workspaces = header.workspaces;
            setting.workshop = Some(workshop);
        }
        setting.places["echo"] = echo.port().into();
        setting.places["span"] = span().into();
        let rules = header.network.iter();
        let rules = rules.map(|rule| rule.replace("{echo}", &echo.port().to_string()).parse());
        let rules: Vec<HostRule> = rules.collect::<Result<_, NetworkError>>()?;
        if !rules.is_empty() {
            setting.network = NetworkProfile::Allow(rules);
        }
        setting.names.listed = header.network.iter().flat_map(|rule| words(rule)).collect();
        Ok(setting)
    }

    /// Of a session that is not attacked.
    pub fn plain(wall: Wall, places: Value) -> Self {
        Self {
            wall,
            places,
            workshop: None,
            network: NetworkProfile::None,
            names: Names::default(),
            mounts: Vec::new(),
            workspaces: false,
        }
    }

    /// Starts a session for the program of this number.
    pub async fn start(&self, config: SandboxConfig, number: usize) -> Result<Hosted, Error> {
        let builder = self.wall.builder().limits(config.limits.clone());
        let builder = if config.rollback { builder.rollback() } else { builder };
        let builder = self.mounts.iter().cloned().fold(builder, SessionBuilder::mount);
        let Some(workshop) = &self.workshop else {
            return self.start_over_memory(builder, config.limits).await;
        };
        let mut builder = workshop.furnish(builder, &self.places);
        if self.workspaces {
            builder = builder.workspace(format!("program{number}"));
        }
        Ok(Hosted { session: builder.start().await?, host: None })
    }

    async fn start_over_memory(
        &self,
        builder: SessionBuilder,
        limits: Limits,
    ) -> Result<Hosted, Error> {
        let network = NetworkPort::new(self.network.clone()).call_bytes(limits.host_call_bytes);
        let host = Arc::new(Host::new(self.places.clone(), self.wall, limits));
        let port =
            WithNetwork::new(network.resolver(Arc::new(self.names.clone())), Arc::clone(&host));
        let session = builder.port(Arc::new(port)).start().await?;
        *host.caller() = Some(session.clone());
        Ok(Hosted { session, host: Some(host) })
    }

    /// What should not have happened in the workshop, and which names should not have been looked up.
    pub fn faults(&self) -> Result<Vec<String>> {
        let mut faults = self.names.faults();
        if let Some(workshop) = &self.workshop {
            faults.extend(workshop.faults()?);
        }
        Ok(faults)
    }
}

/// Whoever answers for a name may point it anywhere: `rebound.test` at this machine, `metadata.test` at
/// what clouds tell their machines, `both.test` at one and the other. To be asked for a name is to be told
/// something: only those on the list may be looked up.
#[derive(Debug, Clone, Default)]
struct Names {
    listed: Vec<String>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The parts of a rule, its name among them.
fn words(rule: &str) -> impl Iterator<Item = String> {
    rule.split([':', '/']).map(str::to_owned)
}

impl Names {
    fn faults(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let strange = asked.iter().filter(|name| !self.listed.contains(name));
        strange.map(|name| format!("{name} was looked up, which is not on the list")).collect()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        Ok(match name {
            "rebound.test" => vec![Ipv4Addr::LOCALHOST.into()],
            "metadata.test" => vec![metadata.into()],
            "both.test" => vec![metadata.into(), Ipv4Addr::LOCALHOST.into()],
            _ => return Err(io::ErrorKind::NotFound.into()),
        })
    }
}

/// A session and its host. The two hold each other until this is dropped.
#[derive(Debug)]
pub struct Hosted {
    /// The session.
    pub session: Session,
    host: Option<Arc<Host>>,
}

impl Hosted {
    /// A session in the same state, with the same host.
    pub async fn fork(&self) -> Result<Self, Error> {
        let session = self.session.fork().await?;
        Ok(Self { session, host: self.host.clone() })
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let session = self.host.as_ref().and_then(|host| host.caller().take());
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
        let other = Setting::plain(self.wall, self.places.clone())
            .start(self.limits.clone().into(), 1)
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
