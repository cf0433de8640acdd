//! A host over a folder, as a case describes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use pcm_middleware::{PolicyFile, PolicySetup};
use pcm_session::Host;
use pcm_storage::{FileStorage, Storage};
use pcm_tools::{LoadOptions, Registry};
use serde::Deserialize;
use tempfile::TempDir;

/// `[case.host]`: what the sessions of a case find behind their port. All of them have the same
/// folder.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSetup {
    /// What is in the folder, by relative path. `{base}` in a file stands for the folder.
    pub files: BTreeMap<String, String>,
    /// Packages that the sessions begin with.
    pub requires: Vec<String>,
    /// Whether code must not add or remove packages.
    pub no_runtime_deps: bool,
    /// A policy file, as text.
    pub policy: Option<String>,
    /// What single sessions have of their own, by their names.
    pub sessions: BTreeMap<String, SessionSetup>,
}

/// `host.sessions.NAME`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSetup {
    /// The workspace of the session.
    pub workspace: Option<String>,
    /// Whether there can be no such session. It is tried before the first step.
    #[serde(default)]
    pub does_not_start: bool,
}

/// The folder of a case.
#[derive(Debug)]
pub(crate) struct Base {
    folder: TempDir,
    setup: HostSetup,
}

impl Base {
    pub(crate) fn new(setup: &HostSetup) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a folder")?;
        for (path, content) in &setup.files {
            let file = folder.path().join(path);
            let content = content.replace("{base}", &folder.path().to_string_lossy());
            fs::create_dir_all(file.parent().unwrap_or(folder.path()))?;
            fs::write(&file, content).with_context(|| path.clone())?;
        }
        Ok(Self { folder, setup: setup.clone() })
    }

    /// Tries the sessions that there cannot be.
    pub(crate) async fn try_refused(&self) -> Result<()> {
        let refused = self.setup.sessions.iter().filter(|(_, setup)| setup.does_not_start);
        for (name, setup) in refused {
            let started = self.host(name).await.is_ok();
            ensure!(!started, "the session {name} ({:?}) is not refused", setup.workspace);
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The host of one session.
    pub(crate) async fn host(&self, session: &str) -> Result<Host> {
        let tools = self.path().join("tools");
        let (registry, _problems) = Registry::load(&tools, LoadOptions::default()).await?;
        let mut host = Host::new()
            .own_tools(registry)
            .storage(self.storage(session)?)
            .requires(&self.setup.requires);
        if self.setup.no_runtime_deps {
            host = host.without_runtime_deps();
        }
        if let Some(policy) = &self.setup.policy {
            let policy: PolicyFile = policy.parse()?;
            host = host.layers(policy.activate(PolicySetup::default())?.layers());
        }
        Ok(host)
    }

    fn storage(&self, session: &str) -> Result<Arc<dyn Storage>> {
        let storage = FileStorage::open(self.path())?;
        let setup = self.setup.sessions.get(session);
        Ok(match setup.and_then(|setup| setup.workspace.as_deref()) {
            Some(workspace) => Arc::new(storage.workspace(&workspace.parse()?)),
            None => Arc::new(storage),
        })
    }
}

impl HostSetup {
    /// Whether it says what can be.
    pub(crate) fn check(&self) -> Result<()> {
        for path in self.files.keys() {
            let plain =
                Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(plain && !path.is_empty(), "{path:?} is no path within the folder");
        }
        Ok(())
    }
}
