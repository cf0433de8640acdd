//! Packages for kernels: wheels for the Python of their environment, in folders of a session's own.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pcm_runtime_api::{NoPackages, PackageSource, Progress};
use tempfile::TempDir;

use crate::venv::{For, install};
use crate::{SubprocessEngine, SubprocessError};

/// Installs packages with the user's own `uv` or `pip`, from the user's own indexes. Nothing is built from
/// source, and what one session installs no other one sees.
#[derive(Debug)]
pub struct EnvironmentPackages {
    python: Of,
    wheels: Vec<PathBuf>,
    timeout: Option<Duration>,
    /// Those that were made, which go with the session.
    folders: Mutex<Vec<TempDir>>,
}

/// Whose packages they are.
#[derive(Debug)]
enum Of {
    Kernels(SubprocessEngine),
    Python(PathBuf),
    Version(String),
}

impl EnvironmentPackages {
    /// For kernels of that engine.
    pub fn new(engine: SubprocessEngine) -> Self {
        Self::of(Of::Kernels(engine))
    }

    /// For that Python, wherever it runs.
    pub fn of_python(python: PathBuf) -> Self {
        Self::of(Of::Python(python))
    }

    /// For a Python of that version, as `3.12`, which is somewhere else: on Linux, on a processor as this
    /// one.
    pub fn of_version(version: impl Into<String>) -> Self {
        Self::of(Of::Version(version.into()))
    }

    fn of(python: Of) -> Self {
        Self { python, wheels: Vec::new(), timeout: None, folders: Mutex::default() }
    }

    /// Looks for packages also among the wheels in these folders.
    #[must_use]
    pub fn wheels(mut self, folders: Vec<PathBuf>) -> Self {
        self.wheels = folders;
        self
    }

    /// The longest that installing some may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

#[async_trait]
impl PackageSource for EnvironmentPackages {
    async fn provide(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<PathBuf, NoPackages> {
        let system = |error: std::io::Error| NoPackages(error.kind().to_string());
        if let Some(spec) = specs.iter().find(|spec| !is_requirement(spec)) {
            return Err(NoPackages(format!("{spec:?} does not name a package, as pandas>=2")));
        }
        let folder = tempfile::Builder::new().prefix("pcm-packages-").tempdir().map_err(system)?;
        if !specs.is_empty() {
            progress(&format!("installing {}", specs.join(", ")));
            let python = match &self.python {
                Of::Kernels(engine) => engine.python(progress).await,
                Of::Python(python) => Ok(python.clone()),
                Of::Version(_) => Ok(PathBuf::new()),
            };
            let installed = async {
                let (into, longest, here) = (folder.path(), self.timeout, python?);
                let python = match &self.python {
                    Of::Version(version) => For::Version(version),
                    _ => For::Interpreter(&here),
                };
                install(python, into, specs, &self.wheels, longest).await
            };
            installed.await.map_err(|error| NoPackages(told(&error)))?;
        }
        let path = folder.path().to_owned();
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        Ok(path)
    }
}

/// Whether it is a requirement by its name: no option, path or address.
fn is_requirement(spec: &str) -> bool {
    let spec = spec.trim();
    spec.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !spec.contains(['/', '\\', '@', '\n', '\r'])
}

/// What the code may know of a failure: neither paths of the host nor addresses of its indexes, which may
/// have passwords in them.
fn told(error: &SubprocessError) -> String {
    let SubprocessError::Venv { reason, .. } = error else {
        return "packages cannot be installed here".to_owned();
    };
    let plain = |word: &str| match word {
        word if word.contains("://") => "(an address)".to_owned(),
        word if word.trim_start_matches(['`', '\'', '"', '(']).starts_with('/') => {
            "(a path)".to_owned()
        }
        word => word.to_owned(),
    };
    let lines = reason.lines().map(|line| line.split(' ').map(plain).collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_packages_are_installed() {
        for spec in ["attrs", "pandas>=2", "uvicorn[standard]", " six "] {
            assert!(is_requirement(spec), "{spec}");
        }
        for spec in ["--pre", "./here", "/there", "git+https://x/y", "a @ file:///x", "", "a\n-r b"]
        {
            assert!(!is_requirement(spec), "{spec}");
        }
    }

    #[test]
    fn the_code_learns_nothing_of_the_host() {
        let reason =
            "no wheel at https://user:secret@host/simple or `/home/somebody/wheels`".to_owned();
        let told = told(&SubprocessError::Venv { step: "installing packages", reason });
        assert_eq!(told, "no wheel at (an address) or (a path)");
    }
}
