//! The settings of single backends, by the names that the original system's server gives them.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use pcm_sandbox::{BackendKind, HostRule, Limits, NetworkProfile, SessionBuilder};

use super::super::exit::Failure;
use super::super::output::{Stream, Streams};
use super::super::session::time;
use super::super::wall::WallArgs;
use super::containers::ContainerArgs;

/// Settings of one backend each.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings of one backend")]
pub(crate) struct BackendArgs {
    /// The same as --python-version
    #[arg(long, value_name = "VERSION", hide_short_help = true)]
    subprocess_python_version: Option<String>,

    /// The same as --venv-path
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    subprocess_venv_path: Option<PathBuf>,

    /// How long a kernel may take to be ready
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    subprocess_startup_timeout: Option<Duration>,

    /// Taken and not needed: a run has a timeout
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    subprocess_ipc_timeout: Option<Duration>,

    /// Keep no environment for later programs
    #[arg(long, hide_short_help = true)]
    subprocess_no_cache_venv: bool,

    /// Delete the environment when nobody needs it any more
    #[arg(long, hide_short_help = true)]
    subprocess_cleanup_venv_on_close: bool,

    /// Taken and not needed: a run has a timeout
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    inprocess_ipc_timeout: Option<Duration>,

    /// Taken and not needed: V8 is a part of this program
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    deno_executable: Option<PathBuf>,

    /// Taken and not needed: there is no runner
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    deno_runner_path: Option<PathBuf>,

    /// Taken and not needed: pcm-sandbox has a cache of its own
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    deno_dir: Option<PathBuf>,

    /// What code may reach over the network; --network can say more
    #[arg(long, value_name = "PROFILE", value_enum, hide_short_help = true)]
    deno_network_profile: Option<Profile>,

    /// Taken and not needed: a run has a timeout
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    deno_ipc_timeout: Option<Duration>,

    /// How long bringing packages may take
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    deno_deps_timeout: Option<Duration>,

    /// A host that code may reach under the profile deps-only
    #[arg(long, value_name = "HOST", hide_short_help = true)]
    deno_deps_net_allowlist: Vec<HostRule>,

    #[command(flatten)]
    container: ContainerArgs,
}

/// What code may reach over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Nothing
    None,
    /// What --deno-deps-net-allowlist lists
    DepsOnly,
    /// All public addresses
    Full,
}

impl BackendArgs {
    /// Refuses what is about another backend than the one that runs the code.
    pub(crate) fn check(&self, wall: &WallArgs) -> Result<(), Failure> {
        let backend = wall.backend();
        for (needed, flags) in self.given() {
            let Some(flag) = flags.first().filter(|_| needed != backend) else { continue };
            return Err(Failure::usage(format!("--{flag} requires --executor {needed}")));
        }
        let not_needed = [
            (
                self.subprocess_ipc_timeout.is_some(),
                "subprocess-ipc-timeout",
                "a run has a timeout",
            ),
            (self.inprocess_ipc_timeout.is_some(), "inprocess-ipc-timeout", "a run has a timeout"),
            (self.deno_ipc_timeout.is_some(), "deno-ipc-timeout", "a run has a timeout"),
            (self.deno_executable.is_some(), "deno-executable", "V8 is a part of this program"),
            (self.deno_runner_path.is_some(), "deno-runner-path", "there is no runner"),
            (self.deno_dir.is_some(), "deno-dir", "pcm-sandbox has a cache of its own"),
        ];
        for (_, flag, why) in not_needed.into_iter().filter(|(is_given, ..)| *is_given) {
            tell(&format!("--{flag} is not needed: {why}"));
        }
        for (flag, why) in self.container.not_needed(wall) {
            tell(&format!("--{flag} is not needed: {why}"));
        }
        Ok(())
    }

    /// The flags that were given, by the backend that each is about.
    fn given(&self) -> [(BackendKind, Vec<&'static str>); 4] {
        let given = |flags: &[(bool, &'static str)]| {
            flags.iter().filter(|(is_given, _)| *is_given).map(|(_, flag)| *flag).collect()
        };
        [
            (
                BackendKind::Subprocess,
                given(&[
                    (self.subprocess_python_version.is_some(), "subprocess-python-version"),
                    (self.subprocess_venv_path.is_some(), "subprocess-venv-path"),
                    (self.subprocess_startup_timeout.is_some(), "subprocess-startup-timeout"),
                    (self.subprocess_ipc_timeout.is_some(), "subprocess-ipc-timeout"),
                    (self.subprocess_no_cache_venv, "subprocess-no-cache-venv"),
                    (self.subprocess_cleanup_venv_on_close, "subprocess-cleanup-venv-on-close"),
                ]),
            ),
            (
                BackendKind::InProcess,
                given(&[(self.inprocess_ipc_timeout.is_some(), "inprocess-ipc-timeout")]),
            ),
            (
                BackendKind::DenoSandbox,
                given(&[
                    (self.deno_executable.is_some(), "deno-executable"),
                    (self.deno_runner_path.is_some(), "deno-runner-path"),
                    (self.deno_dir.is_some(), "deno-dir"),
                    (self.deno_network_profile.is_some(), "deno-network-profile"),
                    (self.deno_ipc_timeout.is_some(), "deno-ipc-timeout"),
                    (self.deno_deps_timeout.is_some(), "deno-deps-timeout"),
                    (!self.deno_deps_net_allowlist.is_empty(), "deno-deps-net-allowlist"),
                ]),
            ),
            (BackendKind::Container, given(&self.container.flags())),
        ]
    }

    /// What the code may reach, where --network has said `said`.
    pub(crate) fn network(&self, said: NetworkProfile) -> Result<NetworkProfile, Failure> {
        let Some(profile) = self.deno_network_profile else { return Ok(said) };
        if said != NetworkProfile::None {
            return Err(Failure::usage(
                "--network and --deno-network-profile say the same: use one",
            ));
        }
        Ok(match profile {
            Profile::None => NetworkProfile::None,
            Profile::DepsOnly => NetworkProfile::DepsOnly(self.deno_deps_net_allowlist.clone()),
            Profile::Full => NetworkProfile::Full,
        })
    }

    /// The builder with what is left of them.
    pub(crate) fn add_to(
        &self,
        builder: SessionBuilder,
        wall: &WallArgs,
        limits: &Limits,
        warm: usize,
    ) -> Result<SessionBuilder, Failure> {
        let builder = self.container.add_to(builder, wall, limits, warm)?;
        let builder = match self.deno_deps_timeout {
            Some(timeout) => builder.deps_timeout(timeout),
            None => builder,
        };
        self.add_kernels(builder, wall, warm)
    }

    #[cfg(feature = "subprocess")]
    fn add_kernels(
        &self,
        builder: SessionBuilder,
        wall: &WallArgs,
        warm: usize,
    ) -> Result<SessionBuilder, Failure> {
        if wall.backend() != BackendKind::Subprocess {
            return Ok(builder);
        }
        let mut kernels = wall.kernels(warm);
        if self.subprocess_python_version.is_some() {
            kernels.python_version.clone_from(&self.subprocess_python_version);
        }
        if self.subprocess_venv_path.is_some() {
            kernels.venv_path.clone_from(&self.subprocess_venv_path);
        }
        if let Some(timeout) = self.subprocess_startup_timeout {
            kernels.startup_timeout = timeout;
        }
        if self.subprocess_no_cache_venv {
            kernels.cache_venv = false;
        }
        if self.subprocess_cleanup_venv_on_close {
            kernels.cleanup_venv_on_close = Some(true);
        }
        kernels.check().map_err(|error| Failure::usage(error.to_string()))?;
        Ok(builder.kernels(&pcm_sandbox::SubprocessEngine::new(kernels)))
    }

    #[cfg(not(feature = "subprocess"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the backend")]
    fn add_kernels(
        &self,
        builder: SessionBuilder,
        _wall: &WallArgs,
        _warm: usize,
    ) -> Result<SessionBuilder, Failure> {
        Ok(builder)
    }
}

fn tell(line: &str) {
    let mut streams = Streams::standard();
    streams.write_text(Stream::Err, &format!("{line}\n"));
    streams.flush();
}
