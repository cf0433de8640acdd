//! The packages of a session: which they are, and where the sandbox sees them.
//!
//! Most sandboxes have no network. A [`PackageSource`] makes a folder on the host, and the mount at
//! `/packages` becomes that folder, between two imports of the code that asked for it.

use std::sync::Arc;

use pcm_runtime_api::{
    DepsReport, FailedDep, Mount, MountAccess, MountSource, NoPackages, PackageSource,
    PackagesFolder, Progress, package_name,
};
use tokio::sync::Mutex;

/// Where every wall shows them.
pub const PACKAGES_FOLDER: &str = "/packages";

/// Shared between a session and its forks: they see the same folder.
#[derive(Debug)]
pub struct Packages {
    source: Arc<dyn PackageSource>,
    folder: PackagesFolder,
    /// What was asked for and is there.
    installed: Mutex<Vec<String>>,
}

impl Packages {
    /// None yet; `source` brings them.
    pub fn new(source: Arc<dyn PackageSource>) -> Self {
        Self { source, folder: PackagesFolder::default(), installed: Mutex::default() }
    }

    /// The folder in which they are, whichever that is.
    pub fn mount(&self) -> Mount {
        Mount {
            host: MountSource::Packages(self.folder.clone()),
            guest: PACKAGES_FOLDER.to_owned(),
            access: MountAccess::ReadOnly,
        }
    }

    /// All at once, or, if that fails, those that can be had.
    pub async fn install(&self, specs: &[String], progress: &Progress<'_>) -> DepsReport {
        let mut installed = self.installed.lock().await;
        let mut report = DepsReport::default();
        let (known, new): (Vec<String>, _) =
            specs.iter().cloned().partition(|spec| installed.contains(spec));
        report.unchanged = known;
        let reason = match self.change(&mut installed, &new, progress).await {
            Ok(()) => {
                report.changed = new;
                return report;
            }
            Err(NoPackages(reason)) => reason,
        };
        if let [spec] = new.as_slice() {
            report.failed.push(FailedDep { spec: spec.clone(), reason });
            return report;
        }
        for spec in new {
            match self.change(&mut installed, std::slice::from_ref(&spec), progress).await {
                Ok(()) => report.changed.push(spec),
                Err(NoPackages(reason)) => report.failed.push(FailedDep { spec, reason }),
            }
        }
        report
    }

    /// What the packages that are left require stays, whoever asked for it.
    pub async fn uninstall(&self, names: &[String]) -> DepsReport {
        let mut installed = self.installed.lock().await;
        let mut report = DepsReport::default();
        let mut left = installed.clone();
        for name in names {
            let before = left.len();
            left.retain(|spec| package_name(spec) != package_name(name));
            let known = left.len() < before;
            (if known { &mut report.changed } else { &mut report.unchanged }).push(name.clone());
        }
        if report.changed.is_empty() {
            return report;
        }
        match self.source.provide(&left, &|_| {}).await {
            Ok(folder) => {
                self.folder.replace(folder);
                *installed = left;
            }
            Err(NoPackages(reason)) => {
                let failed = std::mem::take(&mut report.changed).into_iter();
                let failed = failed.map(|spec| FailedDep { spec, reason: reason.clone() });
                report.failed.extend(failed);
            }
        }
        report
    }

    async fn change(
        &self,
        installed: &mut Vec<String>,
        new: &[String],
        progress: &Progress<'_>,
    ) -> Result<(), NoPackages> {
        if new.is_empty() {
            return Ok(());
        }
        let replaced: Vec<String> = new.iter().map(|spec| package_name(spec)).collect();
        let kept = installed.iter().filter(|spec| !replaced.contains(&package_name(spec)));
        let wanted: Vec<String> = kept.chain(new).cloned().collect();
        self.folder.replace(self.source.provide(&wanted, progress).await?);
        *installed = wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use async_trait::async_trait;

    use super::*;

    /// Has everything but what is named `no…`; the folder's name says what is in it.
    #[derive(Debug)]
    struct Shop;

    #[async_trait]
    impl PackageSource for Shop {
        async fn provide(
            &self,
            specs: &[String],
            _progress: &Progress<'_>,
        ) -> Result<PathBuf, NoPackages> {
            match specs.iter().find(|spec| spec.starts_with("no")) {
                Some(spec) => Err(NoPackages(format!("there is no {spec}"))),
                None => Ok(PathBuf::from(specs.join(" "))),
            }
        }
    }

    fn specs(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn folder(deps: &Packages) -> Option<String> {
        deps.mount().host.folder().and_then(|folder| folder.to_str().map(str::to_owned))
    }

    async fn install(deps: &Packages, text: &str) -> DepsReport {
        deps.install(&specs(text), &|_| {}).await
    }

    #[tokio::test]
    async fn packages_add_up_and_versions_replace_each_other() {
        let deps = Packages::new(Arc::new(Shop));
        assert_eq!(folder(&deps), None);
        assert_eq!(install(&deps, "one two>=1").await.changed, specs("one two>=1"));
        let report = install(&deps, "one Two>=2 three").await;
        assert_eq!((report.unchanged, report.changed), (specs("one"), specs("Two>=2 three")));
        assert_eq!(folder(&deps).as_deref(), Some("one Two>=2 three"));
    }

    #[tokio::test]
    async fn one_that_fails_keeps_none_of_the_others_out() {
        let deps = Packages::new(Arc::new(Shop));
        let report = install(&deps, "one nothing two").await;
        assert_eq!(report.changed, specs("one two"));
        let failed = report.failed.first().map(|failed| (&*failed.spec, &*failed.reason));
        assert_eq!(failed, Some(("nothing", "there is no nothing")));
        assert_eq!(folder(&deps).as_deref(), Some("one two"));
    }

    #[tokio::test]
    async fn what_is_removed_is_gone_from_the_folder() {
        let deps = Packages::new(Arc::new(Shop));
        install(&deps, "one two_x>=3").await;
        let report = deps.uninstall(&specs("Two-X four")).await;
        assert_eq!((report.changed, report.unchanged), (specs("Two-X"), specs("four")));
        assert_eq!(folder(&deps).as_deref(), Some("one"));
    }
}
