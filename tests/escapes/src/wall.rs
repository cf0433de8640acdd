//! Which wall is attacked.

use std::fmt;

use pcm_sandbox::{BackendKind, Placement, Session, SessionBuilder};

/// The backends that promise to hold code of strangers. What runs the Python of the machine does not.
const WALLS: [BackendKind; 2] = [BackendKind::Wasm, BackendKind::DenoSandbox];

/// A backend, and the process that its sessions are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// The backend.
    pub backend: BackendKind,
    /// The process.
    pub placement: Placement,
}

impl Wall {
    /// All of this build.
    pub fn all() -> Vec<Self> {
        let backends = WALLS.into_iter().filter(|backend| backend.is_built_in());
        let placed = backends
            .flat_map(|backend| Placement::ALL.map(|placement| Self { backend, placement }));
        placed.collect()
    }
}

impl Wall {
    /// A session behind it. The programs of these tests start their workers when they need one.
    pub(crate) fn builder(self) -> SessionBuilder {
        Session::builder().backend(self.backend).placement(self.placement)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, placement } = self;
        match placement {
            Placement::InProcess => write!(formatter, "{backend}"),
            placement => write!(formatter, "{backend}-{placement}"),
        }
    }
}
