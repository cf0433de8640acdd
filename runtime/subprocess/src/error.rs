//! Why there is no kernel.

use std::io;
use std::time::Duration;

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubprocessError {
    /// A setting that cannot be.
    #[error("{setting} cannot be {value:?}: {rule}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// What it was.
        value: String,
        /// What it has to be.
        rule: &'static str,
    },
    /// Nothing that makes environments was found.
    #[error(
        "neither uv nor a Python with the module venv was found: install uv (`pip install uv`), or \
         Python 3.11 or newer with venv (Debian: python3-venv)"
    )]
    NoTool,
    /// The environment could not be made.
    #[error("{step} failed: {reason}")]
    Venv {
        /// What was done.
        step: &'static str,
        /// What the tool said.
        reason: String,
    },
    /// The kernel did not come up.
    #[error("the kernel did not start: {0}")]
    Start(String),
    /// The kernel did not come up in time.
    #[error("the kernel was not ready after {0:?}; a longer startup_timeout lets it take more")]
    Slow(Duration),
    /// A file or a process of ours.
    #[error("{0}")]
    System(#[from] io::Error),
}
