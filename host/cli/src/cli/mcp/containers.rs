//! The settings of containers, by the names that the original system's server gives them.

use std::time::Duration;

use pcm_sandbox::{Limits, SessionBuilder};

use super::super::exit::Failure;
use super::super::session::time;
use super::super::wall::WallArgs;

/// Those of a container. Its image is a setting of the wall.
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_field_names, reason = "as the flags are called")]
pub(crate) struct ContainerArgs {
    /// The port of this machine at which tools are served that run in the container; any that is free
    /// unless told otherwise
    #[arg(long, value_name = "PORT", hide_short_help = true)]
    container_port: Option<u16>,

    /// The name by which this machine reaches that port
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    container_host: Option<String>,

    /// How long a container may take to be ready
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    container_startup_timeout: Option<Duration>,

    /// Taken and not needed: a run has a timeout
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    container_ipc_timeout: Option<Duration>,

    /// The same as --remote-url
    #[cfg_attr(feature = "remote", arg(conflicts_with = "remote_url"))]
    #[arg(long, value_name = "URL", hide_short_help = true)]
    container_remote_url: Option<String>,

    /// Refuse to start when the image is missing or stale, in place of making it
    #[arg(long, hide_short_help = true)]
    container_no_auto_build: bool,

    /// Keep a container that has ended, to be looked at
    #[arg(long, hide_short_help = true)]
    container_keep_container: bool,

    /// The token of the session server; every user of this machine can read it here, where
    /// `PCM_REMOTE_TOKEN` and --remote-token-file keep it
    #[arg(long, value_name = "TOKEN", hide_short_help = true)]
    container_auth_token: Option<String>,

    /// The session server asks for no token
    #[arg(long, hide_short_help = true, conflicts_with = "container_auth_token")]
    container_auth_disabled: bool,
}

const FOR_SERVERS: &str = "tools run on the host, so nothing is served from the container";

impl ContainerArgs {
    /// Every flag, and whether it was given.
    pub(super) fn flags(&self) -> [(bool, &'static str); 9] {
        [
            (self.container_port.is_some(), "container-port"),
            (self.container_host.is_some(), "container-host"),
            (self.container_startup_timeout.is_some(), "container-startup-timeout"),
            (self.container_ipc_timeout.is_some(), "container-ipc-timeout"),
            (self.container_remote_url.is_some(), "container-remote-url"),
            (self.container_no_auto_build, "container-no-auto-build"),
            (self.container_keep_container, "container-keep-container"),
            (self.container_auth_token.is_some(), "container-auth-token"),
            (self.container_auth_disabled, "container-auth-disabled"),
        ]
    }

    /// Those that were given and change nothing, with the reason.
    pub(super) fn not_needed(&self, wall: &WallArgs) -> Vec<(&'static str, &'static str)> {
        let is_served = self.container_remote_url.is_some() || wall.serves_tools();
        let for_servers =
            ["container-port", "container-host", "container-auth-token", "container-auth-disabled"];
        let why = |flag: &'static str| match flag {
            "container-ipc-timeout" => Some((flag, "a run has a timeout")),
            _ if for_servers.contains(&flag) && !is_served => Some((flag, FOR_SERVERS)),
            _ => None,
        };
        let flags = self.flags().into_iter();
        flags.filter(|(is_given, _)| *is_given).filter_map(|(_, flag)| why(flag)).collect()
    }

    /// The builder with what they say.
    #[cfg(feature = "container")]
    pub(super) fn add_to(
        &self,
        builder: SessionBuilder,
        wall: &WallArgs,
        limits: &Limits,
        warm: usize,
    ) -> Result<SessionBuilder, Failure> {
        if self.flags().iter().all(|(is_given, _)| !is_given) {
            return Ok(builder);
        }
        let mut config = wall.containers(warm);
        config.port = self.container_port.unwrap_or(config.port);
        if let Some(host) = &self.container_host {
            config.host.clone_from(host);
        }
        if let Some(timeout) = self.container_startup_timeout {
            config.startup_timeout = timeout.as_secs_f64();
        }
        config.remote_url.clone_from(&self.container_remote_url);
        config.auto_build = !self.container_no_auto_build;
        config.remove_on_exit = !self.container_keep_container;
        config.auth_token.clone_from(&self.container_auth_token);
        config.auth_disabled = self.container_auth_disabled;
        config.default_timeout = limits.timeout.map(|timeout| timeout.as_secs_f64());
        builder.container_config(&config).map_err(|error| Failure::usage(error.to_string()))
    }

    #[cfg(not(feature = "container"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the backend")]
    pub(super) fn add_to(
        &self,
        builder: SessionBuilder,
        _wall: &WallArgs,
        _limits: &Limits,
        _warm: usize,
    ) -> Result<SessionBuilder, Failure> {
        Ok(builder)
    }
}
