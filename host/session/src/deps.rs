//! The packages of a session: what it begins with, what was added, and who installs them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use pcm_runtime_api::{DepsReport, Executor, ExecutorError, FailedDep, HostError, package_name};
use pcm_storage::{DepSpec, Storage};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::host::Progress;
use crate::namespaces::refused;

/// What became of packages that were to be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DepsChange {
    /// Installed now.
    pub installed: Vec<String>,
    /// There before.
    pub already_present: Vec<String>,
    /// Not to be had, and why.
    pub failed: Vec<FailedDep>,
}

/// As the original system gives it, with the reasons beside it.
impl Serialize for DepsChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failed: Vec<&str> = self.failed.iter().map(|failed| &*failed.spec).collect();
        let reasons: BTreeMap<&str, &str> =
            self.failed.iter().map(|failed| (&*failed.spec, &*failed.reason)).collect();
        let mut fields = serializer.serialize_struct("DepsChange", 4)?;
        fields.serialize_field("installed", &self.installed)?;
        fields.serialize_field("already_present", &self.already_present)?;
        fields.serialize_field("failed", &failed)?;
        fields.serialize_field("reasons", &reasons)?;
        fields.end()
    }
}

/// What became of a package that was to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DepsRemoval {
    /// No longer installed.
    pub removed: Vec<String>,
    /// Was not there.
    pub not_found: Vec<String>,
    /// Could not be removed.
    pub failed: Vec<String>,
    /// Whether it was among the configured or stored ones, and is not any more.
    pub removed_from_config: bool,
}

/// The packages of one session.
#[derive(Debug)]
pub(crate) struct Deps {
    storage: Arc<dyn Storage>,
    /// What the session began with, by name.
    configured: Mutex<BTreeMap<String, String>>,
    allow_runtime: bool,
    /// How often packages were added, or tried to be.
    added: AtomicU64,
    progress: Progress,
    executor: OnceLock<Weak<dyn Executor>>,
}

/// Every package is fetched and kept, for a week at least: many would fill the disk.
const MOST_ADDED: u64 = 100;

impl Deps {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        configured: &[String],
        allow_runtime: bool,
        progress: Progress,
    ) -> Self {
        let configured = configured.iter().map(|spec| (package_name(spec), spec.clone())).collect();
        let (configured, executor) = (Mutex::new(configured), OnceLock::new());
        let added = AtomicU64::new(0);
        Self { storage, configured, allow_runtime, added, progress, executor }
    }

    /// Names the one who installs. Before that nothing can be installed.
    pub(crate) fn install_with(&self, executor: &Arc<dyn Executor>) {
        // A session has one executor, and tells it once.
        let _ = self.executor.set(Arc::downgrade(executor));
    }

    /// Refuses what agents may do only where the host allows it.
    pub(crate) fn check_runtime(&self) -> Result<(), HostError> {
        if self.allow_runtime {
            return Ok(());
        }
        let message = "packages cannot be added or removed at run time: this is disabled here; \
                       the host can configure them before the session starts";
        Err(HostError::new("RuntimeDepsDisabledError", message))
    }

    /// What the session was configured with and what the storage knows, by name.
    pub(crate) async fn list(&self) -> Result<Vec<String>, HostError> {
        let stored = self.storage.deps().list().await.map_err(refused)?;
        let mut all = self.configured().clone();
        all.extend(stored.iter().map(|spec| (package_name(spec.name()), spec.to_string())));
        Ok(all.into_values().collect())
    }

    /// Installs a package, and remembers it if that went well.
    pub(crate) async fn add(&self, spec: &str) -> Result<DepsChange, HostError> {
        let spec: DepSpec = spec.parse().map_err(refused)?;
        if self.added.fetch_add(1, Ordering::Relaxed) >= MOST_ADDED {
            let message = format!(
                "{MOST_ADDED} packages were added in this session already; the host can configure more \
                 before a session starts"
            );
            return Err(HostError::new("LimitExceeded", message));
        }
        let change = self.install(&[spec.to_string()]).await?;
        if change.failed.is_empty() {
            let name = package_name(spec.name());
            self.remove_stored(&name, |other| other.name() != spec.name()).await?;
            self.storage.deps().add(&spec).await.map_err(refused)?;
            self.configured().remove(&name);
        }
        Ok(change)
    }

    /// Takes the specs of a package out of the storage that are to go; whether there were any. A name
    /// has more spellings than the storage holds together: `zope.interface` is `zope-interface`.
    async fn remove_stored(
        &self,
        name: &str,
        goes: impl Fn(&DepSpec) -> bool,
    ) -> Result<bool, HostError> {
        let deps = self.storage.deps();
        let mut is_removed = false;
        for spec in deps.list().await.map_err(refused)? {
            if package_name(spec.name()) == name && goes(&spec) {
                is_removed |= deps.remove(spec.name()).await.map_err(refused)?;
            }
        }
        Ok(is_removed)
    }

    /// Takes a package out of what is configured and stored; it stays installed.
    pub(crate) async fn forget(&self, spec: &str) -> Result<bool, HostError> {
        let name = package_name(spec);
        let stored = self.remove_stored(&name, |_| true).await?;
        Ok(self.configured().remove(&name).is_some() || stored)
    }

    /// The same, and removes what was installed of it.
    pub(crate) async fn remove(&self, spec: &str) -> Result<DepsRemoval, HostError> {
        let (name, wall) = (package_name(spec), self.executor()?);
        if !self.forget(&name).await? {
            return Ok(DepsRemoval { not_found: vec![name], ..DepsRemoval::default() });
        }
        let report = wall.uninstall_deps(&[name]).await.map_err(executor)?;
        Ok(DepsRemoval {
            removed: report.changed,
            not_found: report.unchanged,
            failed: report.failed.into_iter().map(|failed| failed.spec).collect(),
            removed_from_config: true,
        })
    }

    /// Installs everything that is configured or stored.
    pub(crate) async fn sync(&self) -> Result<DepsChange, HostError> {
        let all = self.list().await?;
        self.install(&all).await
    }

    /// Installs what the session was configured with.
    pub(crate) async fn install_configured(&self) -> Result<DepsChange, HostError> {
        self.install(&self.configured_specs()).await
    }

    /// What the session was configured with, less what was removed or replaced since.
    pub(crate) fn configured_specs(&self) -> Vec<String> {
        self.configured().values().cloned().collect()
    }

    async fn install(&self, specs: &[String]) -> Result<DepsChange, HostError> {
        if specs.is_empty() {
            return Ok(DepsChange::default());
        }
        let progress = |line: &str| self.progress.say(line);
        let report = self.executor()?.install_deps(specs, &progress).await;
        let DepsReport { changed, unchanged, failed } = report.map_err(executor)?;
        Ok(DepsChange { installed: changed, already_present: unchanged, failed })
    }

    fn executor(&self) -> Result<Arc<dyn Executor>, HostError> {
        let executor = self.executor.get().and_then(Weak::upgrade);
        executor.ok_or_else(|| self::executor(ExecutorError::Closed))
    }

    fn configured(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn executor(error: ExecutorError) -> HostError {
    let kind = if matches!(error, ExecutorError::Closed) { "ClosedError" } else { "InstallError" };
    HostError::new(kind, error.to_string())
}
