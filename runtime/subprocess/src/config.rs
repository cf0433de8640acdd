//! What kernels are like.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pcm_runtime_jail::JailMode;

use crate::SubprocessError;

/// What kernels are like, and the environment that they run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelConfig {
    /// The Python, as `3.12`; None is the `python3` of this machine.
    pub python_version: Option<String>,
    /// The environment, which is made there if it is missing. None is one of our own, which sessions
    /// with the same settings share.
    pub venv_path: Option<PathBuf>,
    /// What every environment has.
    pub base_deps: Vec<String>,
    /// What this one has besides.
    pub deps: Vec<String>,
    /// How long a kernel may take to be ready.
    pub startup_timeout: Duration,
    /// Whether an environment of our own is kept for later programs.
    pub cache_venv: bool,
    /// Whether the environment is deleted in the end; None is: unless it is kept.
    pub cleanup_venv_on_close: Option<bool>,
    /// Variables of the environment that kernels are given. They have few besides, and none of the
    /// host's.
    pub env: BTreeMap<String, String>,
    /// How much of the walls of the system is wanted around a kernel. With `Off` there are bounds on
    /// what it uses, and it may open and reach what its user may.
    pub jail: JailMode,
    /// How many kernels wait for sessions.
    pub spares: usize,
    /// Whether a container is around all of this: it bounds processes and memory itself, and has the
    /// environment in `venv_path`, which is taken as it is.
    pub contained: bool,
    /// The folder that kernels import packages from, where somebody else puts them there.
    pub packages: Option<PathBuf>,
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            python_version: None,
            venv_path: None,
            base_deps: vec!["ipykernel>=6.29,<8".to_owned()],
            deps: Vec::new(),
            startup_timeout: Duration::from_secs(30),
            cache_venv: true,
            cleanup_venv_on_close: None,
            env: BTreeMap::new(),
            jail: JailMode::Off,
            spares: 1,
            contained: false,
            packages: None,
        }
    }
}

impl KernelConfig {
    /// Refuses settings that cannot be.
    pub fn check(&self) -> Result<(), SubprocessError> {
        if let Some(version) = &self.python_version
            && !is_version(version)
        {
            let rule = "it is a version with two numbers, as 3.12";
            let value = version.clone();
            return Err(SubprocessError::Setting { setting: "python_version", value, rule });
        }
        if self.startup_timeout.is_zero() {
            let (setting, rule) = ("startup_timeout", "it is longer than zero");
            return Err(SubprocessError::Setting { setting, value: "0".to_owned(), rule });
        }
        let strange = |spec: &&String| spec.trim_start().starts_with('-') || spec.contains('\n');
        match self.base_deps.iter().chain(&self.deps).find(strange) {
            Some(spec) => {
                let rule = "a package is named by a requirement, as pandas>=2";
                Err(SubprocessError::Setting { setting: "deps", value: spec.clone(), rule })
            }
            None => Ok(()),
        }
    }

    /// Whether the environment goes when nobody needs it any more.
    pub(crate) fn is_temporary(&self) -> bool {
        self.cleanup_venv_on_close.unwrap_or(!self.cache_venv && self.venv_path.is_none())
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let with = |version: &str| KernelConfig {
            python_version: Some(version.to_owned()),
            ..KernelConfig::default()
        };
        for version in ["", " ", "3", "3.12.1", "3.x", "three", "-3.1", "3.12\n"] {
            assert!(with(version).check().is_err(), "{version:?}");
        }
        assert!(with("3.12").check().is_ok());
        let config = KernelConfig { startup_timeout: Duration::ZERO, ..KernelConfig::default() };
        assert!(config.check().is_err());
        let config = KernelConfig { deps: vec!["--pre".to_owned()], ..KernelConfig::default() };
        assert!(config.check().is_err());
    }

    #[test]
    fn only_what_is_nobodys_goes_by_itself() {
        let config = KernelConfig::default();
        assert!(!config.is_temporary());
        assert!(KernelConfig { cache_venv: false, ..config.clone() }.is_temporary());
        let named = KernelConfig { venv_path: Some("venv".into()), ..config };
        assert!(!KernelConfig { cache_venv: false, ..named.clone() }.is_temporary());
        assert!(KernelConfig { cleanup_venv_on_close: Some(true), ..named }.is_temporary());
    }
}
