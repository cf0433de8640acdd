//! From what a session shall be like to the session.

use std::sync::Arc;

#[cfg(feature = "network")]
use pcm_network::{NetworkPort, NetworkProfile, WithNetwork};
use pcm_runtime_api::Executor;
#[cfg(feature = "container")]
use pcm_runtime_container::{
    ContainerEngine, ContainerSandbox, Network, ServedStorage, ServingSettings, ToolsInside,
};
#[cfg(feature = "remote")]
use pcm_runtime_remote::RemoteSandbox;
#[cfg(feature = "subprocess")]
use pcm_runtime_subprocess::{
    EnvironmentPackages, KernelConfig, SubprocessEngine, SubprocessSandbox,
};
#[cfg(feature = "wasm")]
use pcm_runtime_wasm::WasmSandbox;
use pcm_session::Host;
#[cfg(feature = "container")]
use pcm_storage::RedisStorage;
use pcm_storage::Storage;
use pcm_tools::{Functions, Problem, Registry};

#[cfg(feature = "container")]
use super::Containers;
use super::{Layers, SessionBuilder};
#[cfg(feature = "container")]
use crate::container::{self, ContainerPackages};
use crate::packages::HostPackages;
#[cfg(feature = "in-process")]
use crate::packages::InProcessPackages;
#[cfg(feature = "container")]
use crate::places::StoragePlace;
use crate::places::Storages;
use crate::template::SessionTemplate;
use crate::worker::{self, JailMode};
use crate::{BackendKind, Error, Placement, Session};

/// The way in.
impl SessionBuilder {
    /// Starts the sandbox.
    pub async fn start(mut self) -> Result<Session, Error> {
        self.choose_containers()?;
        let (tools, problems) = self.load_tools().await?;
        let storage = match self.storage.take() {
            Some(storage) => storage,
            None => self.places.open_storage()?,
        };
        let backend = self.backend;
        let host = self.host(storage)?.own_tools(tools);
        let session = self.start_with(host).await?;
        Ok(Session::new(session, backend, problems.into()))
    }

    /// Any number of sessions like this, which share their tools.
    pub async fn template(mut self) -> Result<SessionTemplate, Error> {
        self.choose_containers()?;
        #[cfg(feature = "container")]
        if let Some(Containers::Like(settings)) = self.containers {
            self.containers = Some(Containers::Of(ContainerEngine::new(*settings)));
        }
        let (tools, problems) = self.load_tools().await?;
        #[cfg(feature = "subprocess")]
        if self.backend == BackendKind::Subprocess && self.kernels.is_none() {
            self.kernels = Some(kernels_in(self.jail.unwrap_or(JailMode::Off)));
        }
        let storages = match self.storage.take() {
            Some(storage) => Storages::One(storage),
            None => self.places.storages()?,
        };
        let workspace = self.places.workspace.as_deref().map(str::parse).transpose()?;
        Ok(SessionTemplate::new(self, tools, storages, workspace, problems))
    }

    /// The one backend of the sessions.
    pub(crate) fn backend_kind(&self) -> BackendKind {
        self.backend
    }

    /// Starts a sandbox of a template.
    pub(crate) async fn start_over(
        mut self,
        tools: Arc<Registry>,
        storage: Arc<dyn Storage>,
    ) -> Result<pcm_session::Session, Error> {
        let host = self.host(storage)?.tools(tools);
        self.start_with(host).await
    }

    async fn start_with(self, host: Host) -> Result<pcm_session::Session, Error> {
        // Large: what any of the backends needs to start.
        let executor = Box::pin(self.executor()).await?;
        Ok(pcm_session::Session::start(executor, host).await?)
    }

    /// The tools, and what was wrong with those that are not there.
    async fn load_tools(&mut self) -> Result<(Registry, Vec<Problem>), Error> {
        let has_tools = !(self.functions.is_empty() && self.adapters.is_empty());
        #[cfg(feature = "container")]
        if self.serving().is_some() {
            self.places.create()?;
            return Ok((Registry::new(), Vec::new()));
        }
        #[cfg(feature = "remote")]
        if has_tools && self.remote.is_some() {
            return Err(Error::RemoteHasIt { what: "tools" });
        }
        if self.port.is_some() && (has_tools || self.places.has_tools()) {
            return Err(Error::ToolsAndPort);
        }
        self.places.create()?;
        let (registry, problems) = self.places.load_tools().await?;
        if !self.functions.is_empty() {
            let mut functions = Functions::new();
            for function in self.functions.drain(..) {
                functions.add(function)?;
            }
            registry.add(Arc::new(functions))?;
        }
        for adapter in self.adapters.drain(..) {
            registry.add(adapter)?;
        }
        Ok((registry, problems))
    }

    /// What the code reaches, but for the tools.
    fn host(&mut self, storage: Arc<dyn Storage>) -> Result<Host, Error> {
        self.config.limits.timeout = self.timeout.or(self.config.limits.timeout);
        self.check_network()?;
        #[cfg(feature = "remote")]
        self.check_remote(&*storage)?;
        #[cfg(feature = "container")]
        if let Some(serving) = &mut self.inside {
            serving.workspace = storage.workspace().map(ToString::to_string);
        }
        let progress = self.progress.clone();
        let mut host = Host::new()
            .storage(storage)
            .layers(self.layers.iter().flat_map(Layers::of_a_session))
            .requires(self.places.read_requirements()?)
            .requires(std::mem::take(&mut self.packages))
            .on_progress(move |line| progress.say(line));
        if let Some(bytes) = self.stored_bytes {
            host = host.stored_bytes(bytes);
        }
        if let Some(log) = self.audit.take() {
            host = host.audit(log);
        }
        if self.no_runtime_deps {
            host = host.without_runtime_deps();
        }
        if self.sync_deps_on_start {
            host = host.sync_deps_on_start();
        }
        #[cfg(feature = "network")]
        if let Some(profile) = self.profile() {
            let most = self.config.limits.host_call_bytes;
            host = host.wrapped(move |port| {
                let network = NetworkPort::new(profile.clone()).call_bytes(most);
                Arc::new(WithNetwork::new(network, port))
            });
        }
        Ok(if let Some(port) = self.port.take() { host.port(port) } else { host })
    }

    /// Nobody shall rely on what the server would not hear of.
    #[cfg(feature = "remote")]
    fn check_remote(&mut self, storage: &dyn Storage) -> Result<(), Error> {
        let Some(remote) = &mut self.remote else { return Ok(()) };
        let said = [
            (!self.layers.is_empty(), "a policy"),
            (self.port.is_some(), "a port"),
            (self.places.tools.is_some(), "tools"),
            (!self.packages.is_empty() || !self.wheels.is_empty(), "packages"),
        ];
        if let Some((_, what)) = said.into_iter().find(|(is_said, _)| *is_said) {
            return Err(Error::RemoteHasIt { what });
        }
        if remote.workspace.is_none() {
            remote.workspace = storage.workspace().map(ToString::to_string);
        }
        Ok(())
    }

    /// Who says which hosts may be reached relies on it.
    #[cfg(feature = "network")]
    fn check_network(&self) -> Result<(), Error> {
        let has_its_own = matches!(self.backend, BackendKind::Subprocess | BackendKind::InProcess);
        match &self.network {
            Some(NetworkProfile::Allow(_) | NetworkProfile::DepsOnly(_)) if has_its_own => {
                Err(Error::NoNetworkFilter { backend: self.backend })
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(feature = "network"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with the feature")]
    fn check_network(&self) -> Result<(), Error> {
        Ok(())
    }

    #[cfg(feature = "network")]
    fn profile(&mut self) -> Option<NetworkProfile> {
        match self.network.take() {
            // Who asks for the network is told how to get it.
            None if self.port.is_none() => Some(NetworkProfile::None),
            profile => profile,
        }
    }

    async fn executor(self) -> Result<Arc<dyn Executor>, Error> {
        #[cfg(feature = "remote")]
        if let Some(server) = &self.remote {
            return Ok(Arc::new(RemoteSandbox::new(server, self.config)?));
        }
        #[cfg(feature = "subprocess")]
        if self.backend == BackendKind::Subprocess && self.placement != Some(Placement::Worker) {
            return self.kernel().await;
        }
        #[cfg(feature = "container")]
        if self.backend == BackendKind::Container && self.placement != Some(Placement::Worker) {
            return self.container().await;
        }
        let Self { backend, mut config, wheels, deps_timeout: timeout, .. } = self;
        config.packages = Some(match backend {
            #[cfg(feature = "in-process")]
            BackendKind::InProcess => Arc::new(InProcessPackages::new(wheels, timeout)),
            _ => Arc::new(HostPackages { backend, wheels, timeout }),
        });
        let placement = self.placement.unwrap_or_else(|| Placement::of(backend));
        if placement == Placement::Worker {
            #[cfg(feature = "wasm")]
            if self.image.is_some() {
                return Err(Error::ImageInWorker);
            }
            if !backend.is_built_in() {
                return Err(Error::BackendNotBuilt { backend });
            }
            let pool = match self.workers {
                Some(pool) => pool,
                None => worker::pool(backend, self.jail.unwrap_or_default())?,
            };
            worker::prepare(backend, &pool, |line| self.progress.say(line)).await?;
            return worker::sandbox(backend, pool, config);
        }
        backend.prepare(self.progress).await?;
        #[cfg(feature = "wasm")]
        match self.image {
            Some(_) if backend != BackendKind::Wasm => return Err(Error::OnlyWasm { backend }),
            Some(image) => return Ok(Arc::new(WasmSandbox::new(image.engine(), config))),
            None => {}
        }
        backend.executor(config).await
    }

    /// Says which containers the sessions are in, before their network is given away.
    #[cfg_attr(
        not(feature = "container"),
        expect(
            clippy::unnecessary_wraps,
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "as with the feature"
        )
    )]
    fn choose_containers(&mut self) -> Result<(), Error> {
        #[cfg(feature = "container")]
        {
            self.check_inside()?;
            self.containers = self.find_containers()?;
        }
        Ok(())
    }

    /// What is said of the server in the container, where the tools are there.
    #[cfg(feature = "container")]
    fn serving(&self) -> Option<&ServingSettings> {
        self.inside.as_ref().filter(|_| self.backend == BackendKind::Container)
    }

    /// Nobody shall rely on what the container would not hear of.
    #[cfg(feature = "container")]
    fn check_inside(&self) -> Result<(), Error> {
        if self.serving().is_none() {
            return Ok(());
        }
        let has_packages = !(self.packages.is_empty() && self.wheels.is_empty());
        let said = [
            (!self.layers.is_empty(), "a policy"),
            (self.port.is_some(), "a port"),
            (!(self.functions.is_empty() && self.adapters.is_empty()), "tools"),
            (has_packages || self.sync_deps_on_start, "packages"),
            (!self.places.read_requirements()?.is_empty(), "packages"),
            (self.storage.is_some(), "a storage"),
            (self.stored_bytes.is_some(), "a bound for what is stored"),
        ];
        match said.into_iter().find(|(is_said, _)| *is_said) {
            Some((_, what)) => Err(Error::RemoteHasIt { what }),
            None => Ok(()),
        }
    }

    /// The containers, with the network that the session shall have.
    #[cfg(feature = "container")]
    fn find_containers(&mut self) -> Result<Option<Containers>, Error> {
        #[cfg(feature = "network")]
        let wanted = match &self.network {
            None | Some(NetworkProfile::None) => None,
            // Its port is on the bridge, which knows no rules.
            Some(NetworkProfile::Full) if self.serving().is_some() => Some(Network::Bridge),
            Some(profile) => Some(container::listed(profile.clone())),
        };
        #[cfg(not(feature = "network"))]
        let wanted: Option<Network> = None;
        let containers = self.containers.take();
        let Some(wanted) = wanted.filter(|_| self.backend == BackendKind::Container) else {
            return Ok(containers);
        };
        let mut settings = match containers {
            Some(Containers::Like(settings)) => settings,
            None => Box::default(),
            Some(Containers::Of(_)) => {
                let rule = "an engine of containers has its own network";
                return Err(container::refused("network", "a profile", rule));
            }
        };
        if !matches!(settings.network, Network::None) {
            let rule = "the settings of the containers have another one";
            return Err(container::refused("network", "a profile", rule));
        }
        settings.network = wanted;
        Ok(Some(Containers::Like(settings)))
    }

    #[cfg(feature = "container")]
    async fn container(self) -> Result<Arc<dyn Executor>, Error> {
        let serving = self.serving().cloned();
        let Self { mut config, containers, wheels, deps_timeout, progress, places, .. } = self;
        let engine = match containers {
            Some(Containers::Of(engine)) => engine,
            Some(Containers::Like(settings)) => ContainerEngine::new(*settings),
            None => ContainerEngine::shared(),
        };
        if let Some(serving) = &serving {
            serving.check(engine.settings())?;
        }
        engine.prepare(&|line| progress.say(line)).await.map_err(|error| {
            pcm_runtime_api::ExecutorError::Startup {
                backend: BackendKind::Container.key(),
                reason: error.to_string(),
            }
        })?;
        if let Some(serving) = serving {
            let storage = match places.storage_place() {
                None => ServedStorage::Memory,
                Some(StoragePlace::Folder(folder)) => ServedStorage::Folder(folder),
                Some(StoragePlace::Redis { url, prefix }) => {
                    let usual = || RedisStorage::DEFAULT_PREFIX.to_owned();
                    ServedStorage::Redis { url, prefix: prefix.unwrap_or_else(usual) }
                }
            };
            let tools = places.tools_folder().filter(|folder| folder.is_dir());
            let serving = ServingSettings { tools, storage, ..serving };
            return Ok(Arc::new(ToolsInside::new(engine, serving, config)?));
        }
        let packages = ContainerPackages::new(engine.clone(), wheels, deps_timeout);
        config.packages = Some(Arc::new(packages));
        Ok(Arc::new(ContainerSandbox::new(engine, config)))
    }

    #[cfg(feature = "subprocess")]
    async fn kernel(self) -> Result<Arc<dyn Executor>, Error> {
        let Self { mut config, jail, kernels, wheels, deps_timeout, progress, .. } = self;
        let engine = kernels.unwrap_or_else(|| kernels_in(jail.unwrap_or(JailMode::Off)));
        engine.prepare(&|line| progress.say(line)).await?;
        let packages =
            EnvironmentPackages::new(engine.clone()).wheels(wheels).timeout(deps_timeout);
        config.packages = Some(Arc::new(packages));
        Ok(Arc::new(SubprocessSandbox::new(engine, config)))
    }
}

/// Kernels in so much of a jail.
#[cfg(feature = "subprocess")]
fn kernels_in(jail: JailMode) -> SubprocessEngine {
    match jail {
        JailMode::Off => SubprocessEngine::shared(),
        jail => SubprocessEngine::new(KernelConfig { jail, ..KernelConfig::default() }),
    }
}

#[cfg(test)]
mod tests {
    use pcm_runtime_api::NoHost;

    use super::*;

    #[tokio::test]
    async fn tools_and_a_port_exclude_each_other() {
        let builder = Session::builder()
            .tool("echo", "Gives back what it gets", |args| async move { Ok(args) })
            .port(Arc::new(NoHost));
        assert!(matches!(builder.start().await, Err(Error::ToolsAndPort)));
    }

    #[tokio::test]
    async fn a_workspace_needs_a_storage_that_stays() {
        let builder = Session::builder().workspace("one");
        assert!(matches!(builder.start().await, Err(Error::WorkspaceOfNothing)));
    }
}
