//! The wall around the code: which one, and in which process.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pcm_sandbox::worker::{JailMode, Pool, PoolConfig};
use pcm_sandbox::{BackendKind, Error, Placement, SessionBuilder, worker};

/// The wall around the code.
#[derive(Debug, clap::Args)]
pub(crate) struct WallArgs {
    /// The wall around the code; `pcm-sandbox doctor` tells which of them work here
    #[arg(short, long, value_name = "KEY", default_value_t, value_parser = backend_keys())]
    backend: BackendKind,

    /// Run the engine in this process, or in a process of its own, in a jail; without this deno-sandbox
    /// gets one of its own and wasm does not
    #[arg(long, value_name = "PLACE", value_parser = placement_keys())]
    placement: Option<Placement>,

    /// How much of the jail a process of its own is in: what the system permits, all of it or nothing
    /// runs, or none
    #[arg(long, value_name = "MODE", default_value_t, value_parser = jail_modes())]
    jail: JailMode,
}

impl WallArgs {
    pub(crate) fn backend(&self) -> BackendKind {
        self.backend
    }

    /// The builder with the wall. In this process one session comes, and none waits for another.
    pub(crate) fn add_to(&self, builder: SessionBuilder) -> Result<SessionBuilder, Error> {
        match self.placement.unwrap_or_else(|| Placement::of(self.backend)) {
            Placement::Worker if self.backend.is_built_in() => {
                let config =
                    PoolConfig { jail: self.jail, warm: 0, ..worker::config(self.backend) };
                Ok(builder.workers(&Pool::new(config)?))
            }
            placement => Ok(builder.placement(placement)),
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
