//! The wall around the code: which one, and in which process.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pcm_sandbox::worker::{JailMode, Pool, PoolConfig};
use pcm_sandbox::{BackendKind, Placement, SessionBuilder, worker};

use super::exit::Failure;

/// The wall around the code.
#[derive(Debug, clap::Args)]
pub(crate) struct WallArgs {
    /// The wall around the code; `pcm-sandbox doctor` tells which of them work here
    #[arg(short, long, alias = "executor", value_name = "KEY", default_value_t, value_parser = backend_keys())]
    backend: BackendKind,

    /// Run the engine in this process, or in a process of its own, in a jail; without this deno-sandbox
    /// gets one of its own and wasm does not
    #[arg(long, value_name = "PLACE", value_parser = placement_keys())]
    placement: Option<Placement>,

    /// How much of the jail a process of its own is in: what the system permits, all of it or nothing
    /// runs, or none; without this a worker has the first, a kernel of the subprocess backend the last
    #[arg(long, value_name = "MODE", value_parser = jail_modes())]
    jail: Option<JailMode>,

    /// The version of Python of the subprocess backend, as 3.12; without this it is the machine's python3
    #[cfg(feature = "subprocess")]
    #[arg(long, value_name = "VERSION")]
    python_version: Option<String>,

    /// The environment of the subprocess backend, which is made if it is missing; without this it is one
    /// of its own, with nothing but `IPython`
    #[cfg(feature = "subprocess")]
    #[arg(long, value_name = "FOLDER", visible_alias = "venv-dir")]
    venv_path: Option<std::path::PathBuf>,

    /// Run the code on a session server somewhere else, in the workspace that --workspace names; it has
    /// tools, packages and policies of its own
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "URL", conflicts_with_all = ["placement", "jail"])]
    #[cfg_attr(feature = "container", arg(conflicts_with = "tools_in"))]
    remote_url: Option<String>,

    /// The file with the token that the session server knows you by; without it `PCM_REMOTE_TOKEN` has it
    #[cfg(feature = "remote")]
    #[arg(long, value_name = "FILE", requires = "remote_url")]
    remote_token_file: Option<std::path::PathBuf>,

    /// The image of the container backend; without this it is pcm-sandbox:base, which is made when it is
    /// missing. `pcm-sandbox images` makes others
    #[cfg(feature = "container")]
    #[arg(long, value_name = "IMAGE")]
    container_image: Option<String>,

    /// Where the tools of the container backend run: on the host, behind the policy, or in the container,
    /// which has its own programs and takes --network full
    #[cfg(feature = "container")]
    #[arg(long, value_name = "PLACE", default_value = "host", value_parser = tool_places())]
    tools_in: pcm_sandbox::ToolsIn,
}

impl WallArgs {
    pub(crate) fn backend(&self) -> BackendKind {
        #[cfg(feature = "remote")]
        if self.remote_url.is_some() {
            return BackendKind::Container;
        }
        self.backend
    }

    /// Whether tools run in the container, behind a server of its own.
    #[cfg(feature = "mcp")]
    pub(crate) fn serves_tools(&self) -> bool {
        #[cfg(feature = "container")]
        return self.tools_in == pcm_sandbox::ToolsIn::Container;
        #[cfg(not(feature = "container"))]
        false
    }

    /// The builder with the session server, where one is named.
    #[cfg(feature = "remote")]
    fn add_remote(&self, builder: SessionBuilder, url: &str) -> Result<SessionBuilder, Failure> {
        let token = match &self.remote_token_file {
            Some(file) => Some(super::key::token(file)?),
            None => std::env::var("PCM_REMOTE_TOKEN").ok(),
        };
        let mut server = pcm_sandbox::RemoteConfig::new(url);
        server.token = token.map(pcm_sandbox::Token::new);
        Ok(builder.remote(server))
    }

    /// The builder with the wall, for one session: what waits for another is not made.
    pub(crate) fn add_to(&self, builder: SessionBuilder) -> Result<SessionBuilder, Failure> {
        #[cfg(feature = "deno")]
        pcm_sandbox::DenoEngine::shared().set_spares(0);
        self.add_for(builder, 0, 1)
    }

    /// The same for up to so many sessions at a time, so many of which wait ahead of time.
    pub(crate) fn add_for(
        &self,
        builder: SessionBuilder,
        warm: usize,
        most: usize,
    ) -> Result<SessionBuilder, Failure> {
        #[cfg(feature = "container")]
        if self.tools_in == pcm_sandbox::ToolsIn::Container
            && self.backend != BackendKind::Container
        {
            return Err(Failure::usage("--tools-in container is for --backend container"));
        }
        #[cfg(feature = "remote")]
        if let Some(url) = &self.remote_url {
            return self.add_remote(builder, url);
        }
        match self.placement.unwrap_or_else(|| Placement::of(self.backend)) {
            Placement::Worker if self.backend.is_built_in() => {
                let jail = self.jail.unwrap_or_default();
                let config = PoolConfig { jail, warm, most, ..worker::config(self.backend) };
                let pool =
                    Pool::new(config).map_err(|error| Failure::startup(error.to_string()))?;
                Ok(builder.workers(&pool))
            }
            #[cfg(feature = "subprocess")]
            _ if self.backend == BackendKind::Subprocess => {
                let config = self.kernels(warm);
                #[cfg(feature = "container")]
                let config =
                    pcm_sandbox::served_kernels().map_err(Failure::startup)?.unwrap_or(config);
                Ok(builder.kernels(&pcm_sandbox::SubprocessEngine::new(config)))
            }
            #[cfg(feature = "container")]
            _ if self.backend == BackendKind::Container => {
                let default = pcm_sandbox::ContainerSettings::default();
                let image = self.container_image.clone().unwrap_or(default.image);
                let settings = pcm_sandbox::ContainerSettings { image, warm, ..default };
                Ok(builder.container_settings(settings).tools_in(self.tools_in))
            }
            placement => Ok(builder.placement(placement)),
        }
    }
}

#[cfg(feature = "container")]
impl WallArgs {
    /// What containers are like, so many of which wait ahead of time.
    pub(crate) fn containers(&self, warm: usize) -> pcm_sandbox::ContainerConfig {
        let default = pcm_sandbox::ContainerConfig::default();
        let image = self.container_image.clone().unwrap_or(default.image);
        pcm_sandbox::ContainerConfig { image, tools_in: self.tools_in, warm, ..default }
    }
}

#[cfg(feature = "subprocess")]
impl WallArgs {
    /// What kernels of the subprocess backend are like, so many of which wait ahead of time.
    pub(crate) fn kernels(&self, warm: usize) -> pcm_sandbox::KernelConfig {
        pcm_sandbox::KernelConfig {
            python_version: self.python_version.clone(),
            venv_path: self.venv_path.clone(),
            jail: self.jail.unwrap_or(JailMode::Off),
            spares: warm,
            ..pcm_sandbox::KernelConfig::default()
        }
    }
}

fn backend_keys() -> impl TypedValueParser<Value = BackendKind> {
    PossibleValuesParser::new(BackendKind::ALL.map(BackendKind::key))
        .try_map(|key| key.parse::<BackendKind>())
}

fn placement_keys() -> impl TypedValueParser<Value = Placement> {
    PossibleValuesParser::new(Placement::ALL.map(Placement::key))
        .try_map(|key| key.parse::<Placement>())
}

#[cfg(feature = "container")]
fn tool_places() -> impl TypedValueParser<Value = pcm_sandbox::ToolsIn> {
    use pcm_sandbox::ToolsIn;
    PossibleValuesParser::new(["host", "container"])
        .map(|place| if place == "container" { ToolsIn::Container } else { ToolsIn::Host })
}

fn jail_modes() -> impl TypedValueParser<Value = JailMode> {
    PossibleValuesParser::new(["strict", "default", "off"]).try_map(|mode| mode.parse::<JailMode>())
}
