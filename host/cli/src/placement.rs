//! Which process an engine runs in.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{BackendKind, Error};

/// Which process an engine runs in.
///
/// ```
/// use pcm_sandbox::{BackendKind, Placement};
///
/// assert_eq!(Placement::of(BackendKind::Wasm), Placement::InProcess);
/// assert_eq!(Placement::of(BackendKind::DenoSandbox), Placement::Worker);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Placement {
    /// This one: the fastest, and as strong as the engine.
    InProcess,
    /// A child of this program in a jail, one for each session: what ends the engine, or comes out of
    /// it, meets another wall. See [`worker`](crate::worker).
    Worker,
}

impl Placement {
    /// Both.
    pub const ALL: [Self; 2] = [Self::InProcess, Self::Worker];

    /// Where a backend runs unless told otherwise. V8 ends its process when it is out of memory, so it
    /// gets one of its own.
    pub fn of(backend: BackendKind) -> Self {
        match backend {
            BackendKind::DenoSandbox => Self::Worker,
            _ => Self::InProcess,
        }
    }

    /// Its name on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.key())
    }
}

impl FromStr for Placement {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let placement = Self::ALL.into_iter().find(|placement| placement.key() == name);
        placement.ok_or_else(|| Error::UnknownPlacement { name: name.to_owned() })
    }
}
