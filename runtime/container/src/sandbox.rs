//! A session in a container.

use pcm_runtime_api::{Capability, SandboxConfig};
use pcm_runtime_worker::{Kind, WorkerSandbox};

use crate::ContainerEngine;

pub(crate) const BACKEND: &str = "container";

/// Sessions in containers: workers of a [`ContainerEngine`].
#[derive(Debug, Clone, Copy)]
pub struct ContainerSandbox;

impl ContainerSandbox {
    /// What it promises where somebody brings packages.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::ProcessIsolation,
        Capability::NetworkIsolation,
        Capability::NetworkFiltering,
        Capability::FilesystemIsolation,
        Capability::MemoryLimit,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// The same where the bridge of the engine leads out.
    const ON_A_BRIDGE: &'static [Capability] = &[
        Capability::Timeout,
        Capability::ProcessIsolation,
        Capability::FilesystemIsolation,
        Capability::MemoryLimit,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// A session that has not started. It has no host until [`Executor::start`](pcm_runtime_api::Executor::start).
    #[expect(clippy::new_ret_no_self, reason = "a session in a container is one in a worker")]
    pub fn new(engine: ContainerEngine, config: impl Into<SandboxConfig>) -> WorkerSandbox {
        let is_open = matches!(engine.settings().network, crate::Network::Bridge);
        let capabilities = if is_open { Self::ON_A_BRIDGE } else { Self::CAPABILITIES };
        let kind = Kind { backend: BACKEND, capabilities, resign: None };
        WorkerSandbox::new(engine, kind, config)
    }
}
