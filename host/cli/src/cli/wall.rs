//! The wall around the code: which one, and in which process.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pcm_sandbox::worker::{JailMode, Pool, PoolConfig};
use pcm_sandbox::{BackendKind, Error, Placement, SessionBuilder, worker};

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
}

impl WallArgs {
    pub(crate) fn backend(&self) -> BackendKind {
        self.backend
    }

    /// The builder with the wall, for one session: what waits for another is not made.
    pub(crate) fn add_to(&self, builder: SessionBuilder) -> Result<SessionBuilder, Error> {
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
    ) -> Result<SessionBuilder, Error> {
        match self.placement.unwrap_or_else(|| Placement::of(self.backend)) {
            Placement::Worker if self.backend.is_built_in() => {
                let jail = self.jail.unwrap_or_default();
                let config = PoolConfig { jail, warm, most, ..worker::config(self.backend) };
                Ok(builder.workers(&Pool::new(config)?))
            }
            #[cfg(feature = "subprocess")]
            _ if self.backend == BackendKind::Subprocess => {
                Ok(builder.kernels(&pcm_sandbox::SubprocessEngine::new(self.kernels(warm))))
            }
            placement => Ok(builder.placement(placement)),
        }
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

fn jail_modes() -> impl TypedValueParser<Value = JailMode> {
    PossibleValuesParser::new(["strict", "default", "off"]).try_map(|mode| mode.parse::<JailMode>())
}
