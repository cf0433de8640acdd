//! Which wall is attacked.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fmt};

use pcm_sandbox::worker::JailMode;
use pcm_sandbox::{
    BackendKind, ContainerEngine, ContainerSettings, DEFAULT_IMAGE, KernelConfig, Placement,
    Session, SessionBuilder, SubprocessEngine,
};

/// The backends that are in this process or in a worker.
const PLACED: [BackendKind; 2] = [BackendKind::Wasm, BackendKind::DenoSandbox];
/// Those that promise less, and are attacked with what they promise to hold: a kernel in its jail, a
/// container, and the Python of this process.
const OTHERS: [BackendKind; 3] =
    [BackendKind::Subprocess, BackendKind::Container, BackendKind::InProcess];

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
        let placed = PLACED
            .into_iter()
            .flat_map(|backend| Placement::ALL.map(|placement| Self { backend, placement }));
        let others =
            OTHERS.map(|backend| Self { backend, placement: Placement::InProcess }).into_iter();
        placed.chain(others).filter(|wall| wall.backend.is_built_in()).collect()
    }

    /// Whether its sessions are where those of the backend are unless somebody says otherwise.
    pub fn is_usual(self) -> bool {
        self.placement == Placement::of(self.backend)
    }

    /// Whether its sessions are in this process.
    pub(crate) fn is_here(self) -> bool {
        let elsewhere = [BackendKind::Subprocess, BackendKind::Container];
        self.placement == Placement::InProcess && !elsewhere.contains(&self.backend)
    }

    /// Why nothing can be behind it on this machine, where that is so.
    pub fn is_missing(self) -> Option<&'static str> {
        let no_engine = "DOCKER_HOST names no engine; ./x test starts one where it can";
        let needs_engine = self.backend == BackendKind::Container;
        (needs_engine && env::var_os("DOCKER_HOST").is_none()).then_some(no_engine)
    }

    /// A session behind it. The programs of these tests start their workers when they need one.
    pub(crate) fn builder(self) -> SessionBuilder {
        let builder = Session::builder().backend(self.backend);
        match self.backend {
            BackendKind::Subprocess => builder.kernels(&KERNELS),
            BackendKind::Container => builder.containers(&CONTAINERS),
            BackendKind::InProcess => builder,
            _ => builder.placement(self.placement),
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, placement } = self;
        match placement {
            Placement::Worker => write!(formatter, "{backend}-{placement}"),
            _ => write!(formatter, "{backend}"),
        }
    }
}

/// In the jail: without it a kernel promises nothing that could be attacked.
static KERNELS: LazyLock<SubprocessEngine> = LazyLock::new(|| {
    let jail = JailMode::Default;
    SubprocessEngine::new(KernelConfig { jail, spares: 0, ..KernelConfig::default() })
});

/// Of the image that `./x test` makes, of the program that it has built.
static CONTAINERS: LazyLock<ContainerEngine> = LazyLock::new(|| {
    ContainerEngine::new(ContainerSettings {
        image: env::var("PCM_CONTAINER_IMAGE").unwrap_or_else(|_| DEFAULT_IMAGE.to_owned()),
        program: env::var_os("PCM_CONTAINER_PROGRAM").map(PathBuf::from),
        auto_build: false,
        warm: 0,
        ..ContainerSettings::default()
    })
});
