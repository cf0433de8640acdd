//! The settings of a subprocess session by the names that people have in their configuration.

use std::path::PathBuf;

use pcm_runtime_subprocess::{KernelConfig, SubprocessEngine};
use serde::Deserialize;

use crate::settings::{Settings, seconds};
use crate::{Error, SessionBuilder};

/// The settings of a subprocess session, as a configuration file has them.
///
/// ```
/// use pcm_sandbox::{Session, SubprocessConfig};
///
/// let config: SubprocessConfig =
///     serde_json::from_str(r#"{"python_version": "3.12", "default_timeout": 10, "venv_dir": "env"}"#)?;
/// let builder = Session::builder().subprocess_config(&config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubprocessConfig {
    /// The Python, as `3.12`; None is the `python3` of this machine.
    pub python_version: Option<String>,
    /// The environment, which is made if it is missing; None is one of our own.
    #[serde(alias = "venv_dir")]
    pub venv_path: Option<PathBuf>,
    /// What every environment has.
    pub base_deps: Vec<String>,
    /// The seconds that a kernel may take to be ready.
    pub startup_timeout: f64,
    /// The seconds that a run may take; None is for ever.
    pub default_timeout: Option<f64>,
    /// Whether code may install packages.
    pub allow_runtime_deps: bool,
    /// Whether the environment is deleted when nobody needs it any more; None is: unless it is kept.
    pub cleanup_venv_on_close: Option<bool>,
    /// Whether an environment of our own is kept for later programs.
    pub cache_venv: bool,
    /// The folder of the tools.
    pub tools_path: Option<PathBuf>,
    /// Packages that the session has from its start.
    pub deps: Option<Vec<String>>,
    /// A file that lists more of them, one in a line.
    pub deps_file: Option<PathBuf>,
    /// The seconds that a call of the host may take; taken and not needed: a run has a timeout.
    pub ipc_timeout: Option<f64>,
}

impl Default for SubprocessConfig {
    /// A minute for a run, packages while it lives, and an environment that is kept.
    fn default() -> Self {
        let KernelConfig { base_deps, startup_timeout, cache_venv, .. } = KernelConfig::default();
        Self {
            python_version: None,
            venv_path: None,
            base_deps,
            startup_timeout: startup_timeout.as_secs_f64(),
            default_timeout: Some(60.0),
            allow_runtime_deps: true,
            cleanup_venv_on_close: None,
            cache_venv,
            tools_path: None,
            deps: None,
            deps_file: None,
            ipc_timeout: None,
        }
    }
}

impl SubprocessConfig {
    /// What its kernels are like.
    pub fn kernels(&self) -> KernelConfig {
        KernelConfig {
            python_version: self.python_version.clone(),
            venv_path: self.venv_path.clone(),
            base_deps: self.base_deps.clone(),
            // What is no time is refused when a kernel is wanted.
            startup_timeout: seconds(Some(self.startup_timeout)).unwrap_or_default(),
            cache_venv: self.cache_venv,
            cleanup_venv_on_close: self.cleanup_venv_on_close,
            ..KernelConfig::default()
        }
    }
}

impl SessionBuilder {
    /// A session of the subprocess backend with these settings, and kernels of its own.
    pub fn subprocess_config(self, config: &SubprocessConfig) -> Result<Self, Error> {
        let kernels = config.kernels();
        kernels.check()?;
        let builder = self.kernels(&SubprocessEngine::new(kernels));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;

    #[test]
    fn settings_that_cannot_be_are_refused_before_a_session_starts() {
        for text in [r#"{"python_version": "three"}"#, r#"{"startup_timeout": 0}"#] {
            let config: Option<SubprocessConfig> = serde_json::from_str(text).ok();
            let refused =
                config.map(|config| Session::builder().subprocess_config(&config).is_err());
            assert_eq!(refused, Some(true), "{text}");
        }
        assert!(serde_json::from_str::<SubprocessConfig>(r#"{"venv": "x"}"#).is_err());
    }
}
