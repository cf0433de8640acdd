//! What a session shall be like; `starting` makes one of it.

mod starting;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pcm_middleware::{ActivePolicy, AuditLog, Layer};
#[cfg(feature = "network")]
use pcm_network::NetworkProfile;
use pcm_runtime_api::{HostError, HostPort, Limits, Mount, SandboxConfig};
#[cfg(feature = "container")]
use pcm_runtime_container::{ContainerEngine, ContainerSettings, ServingSettings};
#[cfg(feature = "remote")]
use pcm_runtime_remote::RemoteConfig;
#[cfg(feature = "subprocess")]
use pcm_runtime_subprocess::SubprocessEngine;
use pcm_storage::Storage;
use pcm_tools::{Adapter, Function};
use serde_json::Value;

#[cfg(feature = "wasm")]
use crate::Image;
#[cfg(feature = "container")]
use crate::container::ToolsIn;
use crate::places::{Places, StoragePlace};
use crate::progress::Progress;
use crate::worker::{JailMode, Pool};
use crate::{BackendKind, Placement};

/// What a session shall be like. Made by [`Session::builder`](crate::Session::builder).
#[derive(Debug, Clone, Default)]
#[must_use = "nothing happens before `start`"]
pub struct SessionBuilder {
    backend: BackendKind,
    placement: Option<Placement>,
    jail: Option<JailMode>,
    workers: Option<Pool>,
    #[cfg(feature = "subprocess")]
    kernels: Option<SubprocessEngine>,
    #[cfg(feature = "remote")]
    remote: Option<RemoteConfig>,
    #[cfg(feature = "container")]
    containers: Option<Containers>,
    #[cfg(feature = "container")]
    inside: Option<ServingSettings>,
    config: SandboxConfig,
    timeout: Option<Duration>,
    functions: Vec<Function>,
    adapters: Vec<Arc<dyn Adapter>>,
    places: Places,
    storage: Option<Arc<dyn Storage>>,
    stored_bytes: Option<u64>,
    layers: Vec<Layers>,
    audit: Option<AuditLog>,
    packages: Vec<String>,
    wheels: Vec<PathBuf>,
    deps_timeout: Option<Duration>,
    no_runtime_deps: bool,
    sync_deps_on_start: bool,
    port: Option<Arc<dyn HostPort>>,
    progress: Progress,
    #[cfg(feature = "wasm")]
    image: Option<Image>,
    #[cfg(feature = "network")]
    network: Option<NetworkProfile>,
}

/// Layers that a session is to have.
#[derive(Debug, Clone)]
enum Layers {
    /// This one, whichever sessions share it.
    One(Arc<dyn Layer>),
    /// Those of a policy, which count for each session by itself, around these.
    Policy(ActivePolicy, Vec<Arc<dyn Layer>>),
}

impl Layers {
    fn of_a_session(&self) -> Vec<Arc<dyn Layer>> {
        match self {
            Self::One(layer) => vec![Arc::clone(layer)],
            Self::Policy(policy, own) => policy.layers_with(own.clone()),
        }
    }
}

/// Where the containers of a session come from.
#[cfg(feature = "container")]
#[derive(Debug, Clone)]
enum Containers {
    Of(ContainerEngine),
    Like(Box<ContainerSettings>),
}

/// The wall and what it holds.
impl SessionBuilder {
    /// Runs the code behind this wall.
    pub fn backend(mut self, backend: BackendKind) -> Self {
        self.backend = backend;
        self
    }

    /// Runs the engine in this process, or in one of its own; [`Placement::of`] says where it runs when
    /// nobody says anything.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }

    /// How much of a jail a worker is in; or a kernel of the subprocess backend, which has none unless
    /// this is called.
    pub fn jail(mut self, jail: JailMode) -> Self {
        self.jail = Some(jail);
        self
    }

    /// Runs the code on a kernel of this engine, in place of one of those that sessions of the subprocess
    /// backend share. How much of a jail it is in is the engine's to say.
    #[cfg(feature = "subprocess")]
    pub fn kernels(mut self, engine: &SubprocessEngine) -> Self {
        self.kernels = Some(engine.clone());
        self.backend(BackendKind::Subprocess)
    }

    /// Runs the code on a session server somewhere else, in the workspace of the session's storage. The
    /// server has the tools, the packages, and what decides about calls: to name any of these here is an
    /// error. Of the limits, the timeout is told to it.
    #[cfg(feature = "remote")]
    pub fn remote(mut self, server: RemoteConfig) -> Self {
        self.remote = Some(server);
        self.backend(BackendKind::Container)
    }

    /// Runs the code in a container of this engine, in place of one of those that sessions of the container
    /// backend share. What it reaches of the network is the engine's to say.
    #[cfg(feature = "container")]
    pub fn containers(mut self, engine: &ContainerEngine) -> Self {
        self.containers = Some(Containers::Of(engine.clone()));
        self.backend(BackendKind::Container)
    }

    /// The same with containers of its own that are like this. Where they have no network, they get what
    /// [`network`](Self::network) says.
    #[cfg(feature = "container")]
    pub fn container_settings(mut self, settings: ContainerSettings) -> Self {
        self.containers = Some(Containers::Like(Box::new(settings)));
        self.backend(BackendKind::Container)
    }

    /// Runs the tools in the container, by a session server that is its main process, or on the host as
    /// everywhere. In the container they have its programs, and see the folder of their declarations; what
    /// decides about calls on the host does not hear of them, so to name a policy besides is an error. It
    /// takes containers on the engine's bridge.
    ///
    /// ```no_run
    /// use pcm_sandbox::{ContainerSettings, Network, Session, ToolsIn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), pcm_sandbox::Error> {
    /// let settings = ContainerSettings { network: Network::Bridge, ..ContainerSettings::default() };
    /// let builder = Session::from_base("agent").container_settings(settings);
    /// let session = builder.tools_in(ToolsIn::Container).start().await?;
    /// session.run("tools.nmap(target='host.docker.internal')").await;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "container")]
    pub fn tools_in(mut self, place: ToolsIn) -> Self {
        self.inside = match place {
            ToolsIn::Host => None,
            ToolsIn::Container => Some(self.inside.take().unwrap_or_default()),
        };
        self.backend(BackendKind::Container)
    }

    /// The same with all that can be said of the server.
    #[cfg(feature = "container")]
    pub(crate) fn tools_inside(mut self, serving: ServingSettings) -> Self {
        self.inside = Some(serving);
        self.backend(BackendKind::Container)
    }

    /// Bounds the memory of the session by that of what surrounds it.
    #[cfg(feature = "container")]
    pub(crate) fn memory_at_most(mut self, bytes: u64) -> Self {
        self.config.limits.memory_bytes = self.config.limits.memory_bytes.min(bytes);
        self
    }

    /// Runs the engine in a worker of this pool, in place of one of those that sessions share. How much of
    /// a jail it is in is the pool's to say.
    pub fn workers(mut self, pool: &Pool) -> Self {
        self.workers = Some(pool.clone());
        self.placement(Placement::Worker)
    }

    /// Bounds every run that does not bring limits of its own.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// The longest that a run may take, in place of what the limits say.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same where None is for ever.
    #[cfg(any(feature = "subprocess", all(feature = "deno", feature = "network")))]
    pub(crate) fn run_timeout(mut self, timeout: Option<Duration>) -> Self {
        (self.timeout, self.config.limits.timeout) = (timeout, timeout);
        self
    }

    /// The fuel of all runs together; [`add_fuel`](pcm_session::Session::add_fuel) refills it. See
    /// [`Limits::fuel`] for that of one run.
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.config.fuel = Some(fuel);
        self
    }

    /// The same program gives the same bytes and uses the same fuel, wherever and whenever it runs:
    /// clocks and random numbers are made up, the same each time.
    pub fn deterministic(mut self) -> Self {
        self.config.deterministic = true;
        self
    }

    /// A run that has to be stopped the hard way leaves variables and files as it found them, in
    /// place of a fresh sandbox. Costs a checkpoint before every run.
    pub fn rollback(mut self) -> Self {
        self.config.rollback = true;
        self
    }

    /// Shows a folder of the host to the sandbox.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.config.mounts.push(mount);
        self
    }

    /// Begins as this image: with its packages, which are imported already.
    #[cfg(feature = "wasm")]
    pub fn image(mut self, image: &Image) -> Self {
        self.image = Some(image.clone());
        self
    }

    /// Hears what is being done: every step before the session starts, and later of packages that
    /// are added, that may take a second.
    pub fn on_progress(mut self, hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Progress::new(hears);
        self
    }
}

/// What the code reaches.
impl SessionBuilder {
    /// Takes everything from these places, but for what is named besides.
    pub fn places(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// Works over a folder, which is made if it is missing: tools come from its `tools`, workflows
    /// are kept in its `workflows`, artifacts in its `artifacts`, and packages are those of its
    /// `requirements.txt` and of `deps`.
    pub fn base(mut self, base: impl Into<PathBuf>) -> Self {
        self.places.base = Some(base.into());
        self
    }

    /// Takes the tools from the YAML files of a folder, in place of those of the base.
    pub fn tools(mut self, folder: impl Into<PathBuf>) -> Self {
        self.places.tools = Some(folder.into());
        self
    }

    /// Adds tools of any kind.
    pub fn adapter(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.adapters.push(adapter);
        self
    }

    /// Lets code call `tools.<name>(key=value)`; a dot in the name makes a group.
    ///
    /// The closure gets the keyword arguments as a JSON object; what JSON cannot say arrives as a string (`bytes` as
    /// base64). The model that wrote the code chose them: check them, or declare them with a
    /// [`function`](Self::function). An error is raised in the sandbox as `ToolError` with the
    /// message as it is, so it must tell no secret.
    pub fn tool<Call, Reply>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        call: Call,
    ) -> Self
    where
        Call: Fn(Value) -> Reply + Send + Sync + 'static,
        Reply: Future<Output = Result<Value, HostError>> + Send + 'static,
    {
        self.function(Function::new(name, description, call))
    }

    /// The same with more said about it: the parameters, for the model and to be checked; tags.
    pub fn function(mut self, function: Function) -> Self {
        self.functions.push(function);
        self
    }

    /// Keeps workflows, artifacts and packages here, in place of the base.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// The same, by its place.
    pub fn storage_at(mut self, place: StoragePlace) -> Self {
        self.places.storage = Some(place);
        self
    }

    /// How many bytes the code may store, in artifacts and workflows together; 1 GiB unless told
    /// otherwise.
    pub fn stored_bytes(mut self, bytes: u64) -> Self {
        self.stored_bytes = Some(bytes);
        self
    }

    /// Shares workflows and artifacts with the sessions of this workspace, and with no others.
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.places.workspace = Some(workspace.into());
        self
    }

    /// Lets code import these packages, given as `pydantic`, `jinja2>=3`, and what they require.
    ///
    /// They are resolved and fetched when the session starts, by this machine's `uv` or `pip`, and
    /// kept for the next time. On the wasm backend pure Python only: the sandbox loads no native
    /// code. An [`Image`](crate::Image) has them imported.
    ///
    /// ```no_run
    /// use pcm_sandbox::{Session, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), pcm_sandbox::Error> {
    /// let session = Session::builder().packages(["tabulate"]).start().await?;
    /// let result = session.run("import tabulate; tabulate.tabulate([[1]], tablefmt='plain')").await;
    /// assert_eq!(result.value, json!("1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn packages<Spec: Into<String>>(mut self, specs: impl IntoIterator<Item = Spec>) -> Self {
        self.packages.extend(specs.into_iter().map(Into::into));
        self
    }

    /// The same for the lines of a file. Empty lines and those that begin with `#` do not count.
    pub fn requirements(mut self, file: impl Into<PathBuf>) -> Self {
        self.places.requirements.push(file.into());
        self
    }

    /// Looks for packages also among the wheels in this folder. Those that fit the backend and the
    /// versions that are asked for are taken before any of an index.
    pub fn wheels(mut self, folder: impl Into<PathBuf>) -> Self {
        self.wheels.push(folder.into());
        self
    }

    /// The longest that bringing packages may take, at the start and later; unlimited where nothing
    /// is said.
    pub fn deps_timeout(mut self, timeout: Duration) -> Self {
        self.deps_timeout = Some(timeout);
        self
    }

    /// Refuses packages that code in the sandbox wants to add or remove.
    pub fn without_runtime_deps(mut self) -> Self {
        self.no_runtime_deps = true;
        self
    }

    /// Installs when the session starts also the packages that earlier sessions added.
    pub fn sync_deps_on_start(mut self) -> Self {
        self.sync_deps_on_start = true;
        self
    }

    /// Adds a layer that every call of the sandbox passes, inside of those that were added before.
    pub fn layer(mut self, layer: Arc<dyn Layer>) -> Self {
        self.layers.push(Layers::One(layer));
        self
    }

    /// Adds the layers of a policy, and writes to its log when the session starts and ends.
    pub fn policy(self, policy: &ActivePolicy) -> Self {
        self.policy_with(policy, Vec::new())
    }

    /// The same, with layers that may rewrite calls before the policy sees them.
    pub fn policy_with(mut self, policy: &ActivePolicy, own: Vec<Arc<dyn Layer>>) -> Self {
        self.audit = policy.audit().cloned();
        self.layers.push(Layers::Policy(policy.clone(), own));
        self
    }

    /// Answers all calls of the sandbox, in place of tools, storage and packages.
    pub fn port(mut self, port: Arc<dyn HostPort>) -> Self {
        self.port = Some(port);
        self
    }

    /// Lets `urllib.request` and `http.client` reach what the profile says. Without this a session
    /// has no network, unless its [`port`](Self::port) answers the namespace `network` itself. What
    /// the profile cannot say (times, names, certificates) a [`NetworkPort`](crate::NetworkPort) can: see
    /// [`WithNetwork`](crate::WithNetwork).
    ///
    /// ```
    /// use pcm_sandbox::{NetworkProfile, Session};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rules = vec!["https://api.example.org".parse()?];
    /// let session = Session::builder().network(NetworkProfile::Allow(rules)).start().await?;
    /// # let code = "import urllib.request; urllib.request.urlopen('http://localhost/')";
    /// # let error = session.run(code).await.error;
    /// # assert_eq!(error.map(|error| error.error_type).as_deref(), Some("URLError"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "network")]
    pub fn network(mut self, profile: NetworkProfile) -> Self {
        self.network = Some(profile);
        self
    }
}
