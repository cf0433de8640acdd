//! What every command takes that makes sessions.

use pcm_sandbox::SessionBuilder;

use super::exit::Failure;
use super::host::HostArgs;
use super::network::NetworkArgs;
use super::packages::PackageArgs;
use super::policy::PolicyArgs;
use super::session::{LimitArgs, SandboxArgs};
use super::wall::WallArgs;

/// The sessions of a command.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    pub(crate) wall: WallArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) sandbox: SandboxArgs,

    #[command(flatten)]
    pub(crate) packages: PackageArgs,

    #[command(flatten)]
    pub(crate) host: HostArgs,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

impl CommonArgs {
    /// One session whose calls the person at the terminal decides about; its packages are still to be added.
    pub(crate) fn one(&self) -> Result<SessionBuilder, Failure> {
        let limits = self.policy.limits(self.limits.limits(), self.limits.has_timeout());
        let builder = self.sandbox.builder(self.wall.backend(), limits)?;
        let builder = builder.places(self.host.places()?).network(self.network.profile()?);
        self.wall.add_to(self.policy.add_to(builder)?)
    }
}
