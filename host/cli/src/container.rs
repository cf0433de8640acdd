//! The settings of a container session by the names that people have in their configuration, and what joins
//! containers with the rules of the network.

use std::collections::BTreeMap;
use std::path::PathBuf;
#[cfg(feature = "network")]
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "network")]
use pcm_network::{NetworkPort, NetworkProfile};
use pcm_runtime_api::{NoPackages, PackageSource, Progress};
#[cfg(feature = "network")]
use pcm_runtime_container::Connect;
use pcm_runtime_container::{
    ContainerEngine, ContainerError, ContainerSettings, Network, ServingSettings, Token,
};
use pcm_runtime_subprocess::EnvironmentPackages;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::settings::{Settings, seconds};
use crate::{Error, SessionBuilder};

/// The settings of a container session, as a configuration file has them.
///
/// ```
/// use pcm_sandbox::{ContainerConfig, Session};
///
/// let config: ContainerConfig = serde_json::from_str(
///     r#"{"memory_limit": "512m", "cpu_quota": 50000, "network": ["https://api.example.org"]}"#,
/// )?;
/// let builder = Session::builder().container_config(&config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the names that people have")]
pub struct ContainerConfig {
    /// The image.
    pub image: String,
    /// Whether an image of ours that is missing or stale is made.
    pub auto_build: bool,
    /// The port of this machine at which tools are served from a container; 0 is any.
    pub port: u16,
    /// The name by which this machine reaches that port.
    pub host: String,
    /// The seconds that a request to that port may take.
    pub timeout: f64,
    /// The seconds that a container may take to be ready.
    pub startup_timeout: f64,
    /// The seconds between two looks at whether it is.
    pub health_check_interval: f64,
    /// The seconds that a run may take; None is for ever.
    pub default_timeout: Option<f64>,
    /// Variables of the environment of the code.
    pub environment: BTreeMap<String, String>,
    /// Whether a container that has ended is removed.
    pub remove_on_exit: bool,
    /// What the name of a container begins with.
    #[serde(alias = "container_name")]
    pub name: Option<String>,
    /// Whether code may install packages.
    pub allow_runtime_deps: bool,
    /// The token of a server of sessions.
    pub auth_token: Option<String>,
    /// Whether such a server asks for none.
    pub auth_disabled: bool,
    /// A server of sessions somewhere else, in place of containers.
    pub remote_url: Option<String>,
    /// The folder of the tools.
    pub tools_path: Option<PathBuf>,
    /// Packages that the session has from its start.
    pub deps: Option<Vec<String>>,
    /// A file that lists more of them, one in a line.
    pub deps_file: Option<PathBuf>,
    /// The seconds that a call of the host may take; taken and not needed: a run has a timeout.
    pub ipc_timeout: Option<f64>,
    /// Whether code reaches no network. Without it: whatever the engine's bridge reaches.
    pub network_disabled: bool,
    /// The only hosts that code reaches, as the rules of [`HostRule`](crate::HostRule) name them.
    pub network: Option<Vec<String>>,
    /// The memory of a container, in bytes or as `512m`.
    #[serde(alias = "mem_limit")]
    pub memory_limit: Option<Size>,
    /// Microseconds of processor time in every 100 000.
    pub cpu_quota: Option<u32>,
    /// Processes and threads.
    pub pids_limit: Option<u32>,
    /// What fits into `/tmp`, in bytes or as `64m`.
    pub tmpfs_size: Option<Size>,
    /// A file with a seccomp profile, in place of the engine's own.
    pub seccomp: Option<PathBuf>,
    /// The engine's runtime, as `runsc`.
    pub runtime: Option<String>,
    /// The user of all processes, as `UID` or `UID:GID`.
    pub user: Option<String>,
    /// How many containers wait for sessions.
    pub warm: usize,
    /// Where tools run.
    pub tools_in: ToolsIn,
}

/// Where the tools of a container session run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ToolsIn {
    /// On the host, behind the layers of the session: as on every backend.
    #[default]
    Host,
    /// In the container, which has the programs and sees the folder of the tools.
    Container,
}

/// A number of bytes: `1048576`, or `512k`, `512m`, `2g` of 1024 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SizeText")]
pub struct Size(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Bytes(u64),
    Text(String),
}

impl TryFrom<SizeText> for Size {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, String> {
        let text = match text {
            SizeText::Bytes(bytes) => return Ok(Self(bytes)),
            SizeText::Text(text) => text.trim().to_ascii_lowercase(),
        };
        let strange = || format!("{text:?} is no size: write bytes, or 512k, 512m, 2g");
        let number = text.trim_end_matches("ib").trim_end_matches('b');
        let (number, shift) = match number.char_indices().next_back() {
            Some((end, 'k')) => (number.get(..end), 10),
            Some((end, 'm')) => (number.get(..end), 20),
            Some((end, 'g')) => (number.get(..end), 30),
            _ => (Some(number), 0),
        };
        let number: u64 =
            number.and_then(|number| number.trim().parse().ok()).ok_or_else(strange)?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(strange)
    }
}

impl Default for ContainerConfig {
    /// No network, no rights, a minute for a run, and one container that waits.
    fn default() -> Self {
        let settings = ContainerSettings::default();
        Self {
            image: settings.image,
            auto_build: settings.auto_build,
            port: 0,
            host: "localhost".to_owned(),
            timeout: 30.0,
            startup_timeout: settings.startup_timeout.as_secs_f64(),
            health_check_interval: 0.5,
            default_timeout: Some(60.0),
            environment: settings.environment,
            remove_on_exit: settings.remove_on_exit,
            name: None,
            allow_runtime_deps: true,
            auth_token: None,
            auth_disabled: false,
            remote_url: None,
            tools_path: None,
            deps: None,
            deps_file: None,
            ipc_timeout: None,
            network_disabled: true,
            network: None,
            memory_limit: None,
            cpu_quota: None,
            pids_limit: None,
            tmpfs_size: None,
            seccomp: None,
            runtime: None,
            user: None,
            warm: settings.warm,
            tools_in: ToolsIn::Host,
        }
    }
}

impl ContainerConfig {
    /// What its containers are like.
    pub fn settings(&self) -> Result<ContainerSettings, Error> {
        let default = ContainerSettings::default();
        let settings = ContainerSettings {
            image: self.image.clone(),
            auto_build: self.auto_build,
            network: self.reach()?,
            memory_bytes: self.memory_limit.map(|Size(bytes)| bytes),
            cpu_quota: self.cpu_quota,
            pids: self.pids_limit.unwrap_or(default.pids),
            tmpfs_bytes: self.tmpfs_size.map_or(default.tmpfs_bytes, |Size(bytes)| bytes),
            seccomp: self.seccomp.clone(),
            runtime: self.runtime.clone(),
            user: self.user.clone().unwrap_or(default.user),
            name: self.name.clone(),
            environment: self.environment.clone(),
            // What is no time is refused with the other settings that cannot be.
            startup_timeout: seconds(Some(self.startup_timeout)).unwrap_or_default(),
            remove_on_exit: self.remove_on_exit,
            warm: self.warm,
            ..default
        };
        settings.check()?;
        Ok(settings)
    }

    /// What the server in a container is told that has the tools.
    fn serving(&self) -> Result<ServingSettings, Error> {
        if self.auth_disabled && self.auth_token.is_none() {
            let rule = "with tools_in: container there is a token, which costs nothing: leave it out, or say \
                        auth_token";
            return Err(refused("auth_disabled", "true", rule));
        }
        Ok(ServingSettings {
            token: self.token(),
            host: self.host.clone(),
            port: self.port,
            timeout: time("timeout", self.timeout)?,
            health_check_interval: time("health_check_interval", self.health_check_interval)?,
            ..ServingSettings::default()
        })
    }

    fn token(&self) -> Option<Token> {
        self.auth_token.as_ref().map(Token::new)
    }

    fn reach(&self) -> Result<Network, Error> {
        match &self.network {
            None if self.network_disabled => Ok(Network::None),
            None => Ok(Network::Bridge),
            #[cfg(feature = "network")]
            Some(rules) => {
                let rules = rules.iter().map(|rule| rule.parse()).collect::<Result<_, _>>()?;
                Ok(listed(NetworkProfile::Allow(rules)))
            }
            #[cfg(not(feature = "network"))]
            Some(_) => {
                Err(refused("network", "a list", "this build is without the feature `network`"))
            }
        }
    }
}

impl SessionBuilder {
    /// A session of the container backend with these settings, and containers of its own.
    pub fn container_config(self, config: &ContainerConfig) -> Result<Self, Error> {
        let mut builder = match (&config.remote_url, config.tools_in) {
            (Some(url), _) => self.on_server(url, config)?,
            (None, ToolsIn::Host) => self.container_settings(config.settings()?),
            (None, ToolsIn::Container) => {
                let (containers, serving) = (config.settings()?, config.serving()?);
                serving.check(&containers)?;
                self.container_settings(containers).tools_inside(serving)
            }
        };
        if let Some(Size(bytes)) = config.memory_limit {
            builder = builder.memory_at_most(bytes);
        }
        let settings = Settings {
            default_timeout: config.default_timeout,
            allow_runtime_deps: config.allow_runtime_deps,
            tools_path: config.tools_path.as_deref(),
            deps: config.deps.as_deref(),
            deps_file: config.deps_file.as_deref(),
        };
        Ok(settings.add_to(builder))
    }

    /// A session of a server somewhere else.
    #[cfg(feature = "remote")]
    fn on_server(self, url: &str, config: &ContainerConfig) -> Result<Self, Error> {
        let mut server = pcm_runtime_remote::RemoteConfig::new(url);
        server.token = config.token();
        server.timeout = time("timeout", config.timeout)?;
        Ok(self.remote(server))
    }

    #[cfg(not(feature = "remote"))]
    fn on_server(self, _: &str, _: &ContainerConfig) -> Result<Self, Error> {
        Err(refused("remote_url", "a server", "this build is without the feature `remote`"))
    }
}

/// A time that is one.
fn time(setting: &'static str, value: f64) -> Result<Duration, Error> {
    let time = seconds(Some(value)).filter(|time| !time.is_zero());
    time.ok_or_else(|| refused(setting, &value.to_string(), "it is a number of seconds above 0"))
}

pub(crate) fn refused(setting: &'static str, value: &str, rule: &'static str) -> Error {
    ContainerError::Setting { setting, value: value.to_owned(), rule }.into()
}

/// The way to what a profile allows.
#[cfg(feature = "network")]
pub(crate) fn listed(profile: NetworkProfile) -> Network {
    Network::Listed(Arc::new(Rules(NetworkPort::new(profile))))
}

/// Connects containers by the rules of the network.
#[cfg(feature = "network")]
#[derive(Debug)]
struct Rules(NetworkPort);

#[cfg(feature = "network")]
#[async_trait]
impl Connect for Rules {
    async fn connect(&self, host: &str, port: u16) -> Result<tokio::net::TcpStream, String> {
        self.0.connect(host, port).await.map_err(|error| error.to_string())
    }
}

/// Brings packages for the Python of an image.
#[derive(Debug)]
pub(crate) struct ContainerPackages {
    engine: ContainerEngine,
    wheels: Vec<PathBuf>,
    timeout: Option<Duration>,
    made: OnceCell<EnvironmentPackages>,
}

impl ContainerPackages {
    pub(crate) fn new(
        engine: ContainerEngine,
        wheels: Vec<PathBuf>,
        timeout: Option<Duration>,
    ) -> Self {
        Self { engine, wheels, timeout, made: OnceCell::new() }
    }
}

#[async_trait]
impl PackageSource for ContainerPackages {
    async fn provide(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<PathBuf, NoPackages> {
        let make = || async {
            let version = self.engine.python(progress).await;
            let version =
                version.map_err(|_| NoPackages("packages cannot be installed here".to_owned()))?;
            let made = EnvironmentPackages::of_version(version).wheels(self.wheels.clone());
            Ok(made.timeout(self.timeout))
        };
        self.made.get_or_try_init(make).await?.provide(specs, progress).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;

    fn config(text: &str) -> Result<ContainerConfig, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_names_of_the_settings_are_those_that_people_have() -> Result<(), String> {
        let all = r#"{
            "image": "mine", "auto_build": false, "port": 0, "host": "localhost", "timeout": 30,
            "startup_timeout": 60, "health_check_interval": 0.5, "environment": {"A": "b"},
            "remove_on_exit": true, "name": "agent", "allow_runtime_deps": true, "auth_token": null,
            "auth_disabled": true, "remote_url": null, "tools_path": null, "deps": ["numpy"],
            "deps_file": null, "ipc_timeout": 30, "network_disabled": true, "memory_limit": "512m",
            "cpu_quota": 50000, "pids_limit": 64, "tmpfs_size": 1048576, "seccomp": null,
            "runtime": "runsc", "user": "1000:1000", "warm": 2, "tools_in": "host"
        }"#;
        let settings = config(all)?.settings().map_err(|error| error.to_string())?;
        assert_eq!(settings.memory_bytes, Some(512 << 20));
        assert_eq!(
            (settings.cpu_quota, settings.pids, settings.tmpfs_bytes),
            (Some(50_000), 64, 1 << 20)
        );
        assert!(matches!(settings.network, Network::None));
        let open = config(r#"{"network_disabled": false}"#)?.settings();
        assert!(open.is_ok_and(|settings| matches!(settings.network, Network::Bridge)));
        assert!(config(r#"{"mem": 1}"#).is_err());
        Ok(())
    }

    #[cfg(feature = "network")]
    #[test]
    fn a_list_holds_over_an_open_network() -> Result<(), String> {
        let settings =
            config(r#"{"network_disabled": false, "network": ["example.org"]}"#)?.settings();
        assert!(settings.is_ok_and(|settings| matches!(settings.network, Network::Listed(_))));
        assert!(config(r#"{"network": ["a b"]}"#)?.settings().is_err());
        Ok(())
    }

    #[test]
    fn sizes_are_written_as_engines_write_them() -> Result<(), String> {
        for (text, expected) in [
            ("1", 1),
            ("\"1k\"", 1 << 10),
            ("\"512m\"", 512 << 20),
            ("\"2GiB\"", 2 << 30),
            ("\"7b\"", 7),
        ] {
            let size: Size = serde_json::from_str(text).map_err(|error| error.to_string())?;
            assert_eq!(size, Size(expected), "{text}");
        }
        for text in ["\"\"", "\"m\"", "-1", "\"1t\"", "\"1.5g\"", "\"99999999999g\""] {
            assert!(serde_json::from_str::<Size>(text).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn settings_that_cannot_be_are_refused_before_a_session_starts() -> Result<(), String> {
        for text in [
            r#"{"startup_timeout": 0}"#,
            r#"{"user": "root"}"#,
            r#"{"memory_limit": "1m"}"#,
            r#"{"tools_in": "container"}"#,
            r#"{"tools_in": "container", "network_disabled": false, "auth_disabled": true}"#,
            r#"{"tools_in": "container", "network_disabled": false, "auth_token": " "}"#,
            r#"{"tools_in": "container", "network_disabled": false, "health_check_interval": 0}"#,
        ] {
            assert!(Session::builder().container_config(&config(text)?).is_err(), "{text}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn what_the_container_would_not_hear_of_is_refused() -> Result<(), Error> {
        let inside = ContainerConfig {
            tools_in: ToolsIn::Container,
            network_disabled: false,
            auth_token: Some("t".to_owned()),
            ..ContainerConfig::default()
        };
        let with = |change: fn(SessionBuilder) -> SessionBuilder| {
            Session::builder().container_config(&inside).map(change)
        };
        for builder in [
            with(|builder| builder.tool("own", "Own", |args| async move { Ok(args) })),
            with(|builder| builder.packages(["jinja2"])),
            with(|builder| builder.port(Arc::new(pcm_runtime_api::NoHost))),
            with(|builder| builder.stored_bytes(1)),
            with(|builder| builder.storage(Arc::new(pcm_storage::MemoryStorage::new()))),
        ] {
            let refused = builder?.start().await;
            assert!(matches!(refused, Err(Error::RemoteHasIt { .. })));
        }
        Ok(())
    }
}
