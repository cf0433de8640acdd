//! The settings of a deno-sandbox session by the names that people have in their configuration.

use std::path::PathBuf;

use pcm_network::{HostRule, NetworkProfile};
use serde::Deserialize;

use crate::settings::{Settings, seconds};
use crate::{BackendKind, Error, SessionBuilder};

/// The settings of a deno-sandbox session, as a configuration file has them.
///
/// Those that only a Deno of its own process needed are taken and change nothing: see
/// [`not_needed`](Self::not_needed).
///
/// ```
/// use pcm_sandbox::DenoSandboxConfig;
///
/// let config: DenoSandboxConfig = serde_json::from_str(
///     r#"{"default_timeout": 10, "deno_executable": "/usr/bin/deno", "network_profile": "none"}"#,
/// )?;
/// assert_eq!(
///     config.not_needed(),
///     ["deno_executable is not needed: V8 is a part of this program"]
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenoSandboxConfig {
    /// The seconds that a run may take; None is for ever.
    pub default_timeout: Option<f64>,
    /// Whether code may install packages.
    pub allow_runtime_deps: bool,
    /// The folder of the tools.
    pub tools_path: Option<PathBuf>,
    /// Packages that the session has from its start.
    pub deps: Option<Vec<String>>,
    /// A file that lists more of them, one in a line.
    pub deps_file: Option<PathBuf>,
    /// Not needed.
    pub ipc_timeout: Option<f64>,
    /// The seconds that installing packages may take; None is for ever.
    pub deps_timeout: Option<f64>,
    /// Not needed.
    pub deno_executable: Option<String>,
    /// Not needed.
    pub runner_path: Option<PathBuf>,
    /// Not needed.
    pub deno_dir: Option<PathBuf>,
    /// What code may reach over the network.
    pub network_profile: DenoNetworkProfile,
    /// What it may reach under [`DenoNetworkProfile::DepsOnly`], as `index.example.org:443`.
    pub deps_net_allowlist: Vec<String>,
}

/// What code may reach over the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DenoNetworkProfile {
    /// Nothing.
    #[default]
    None,
    /// What [`DenoSandboxConfig::deps_net_allowlist`] lists.
    DepsOnly,
    /// All public addresses.
    Full,
}

impl Default for DenoSandboxConfig {
    /// A minute for a run, packages while it lives, and no network: packages come through the host.
    fn default() -> Self {
        Self {
            default_timeout: Some(60.0),
            allow_runtime_deps: true,
            tools_path: None,
            deps: None,
            deps_file: None,
            ipc_timeout: None,
            deps_timeout: Some(300.0),
            deno_executable: None,
            runner_path: None,
            deno_dir: None,
            network_profile: DenoNetworkProfile::None,
            deps_net_allowlist: Vec::new(),
        }
    }
}

impl DenoSandboxConfig {
    /// A sentence for each setting that was made and changes nothing.
    pub fn not_needed(&self) -> Vec<&'static str> {
        let said = [
            (
                self.deno_executable.is_some(),
                "deno_executable is not needed: V8 is a part of this program",
            ),
            (self.runner_path.is_some(), "runner_path is not needed: there is no runner"),
            (
                self.deno_dir.is_some(),
                "deno_dir is not needed: what is made once is kept in the cache of pcm-sandbox",
            ),
            (self.ipc_timeout.is_some(), "ipc_timeout is not needed: there is no other process"),
        ];
        said.into_iter().filter(|(made, _)| *made).map(|(_, sentence)| sentence).collect()
    }

    fn network(&self) -> Result<NetworkProfile, Error> {
        Ok(match self.network_profile {
            DenoNetworkProfile::None => NetworkProfile::None,
            DenoNetworkProfile::Full => NetworkProfile::Full,
            DenoNetworkProfile::DepsOnly => {
                let rules = self.deps_net_allowlist.iter().map(|rule| rule.parse::<HostRule>());
                NetworkProfile::DepsOnly(rules.collect::<Result<_, _>>()?)
            }
        })
    }
}

impl SessionBuilder {
    /// A session of the deno-sandbox backend with these settings.
    pub fn deno_config(self, config: &DenoSandboxConfig) -> Result<Self, Error> {
        let mut builder = self.backend(BackendKind::DenoSandbox).network(config.network()?);
        if let Some(timeout) = seconds(config.deps_timeout) {
            builder = builder.deps_timeout(timeout);
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
}
