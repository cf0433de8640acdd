//! Dependencies in a file.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cap_std::fs::Dir;

use crate::dep::{base_name, requirement_lines};
use crate::{DepSpec, DepsStore, StorageError};

use super::blocking;
use super::folder::{self, Aside};
use super::lock::Lock;

const FILE: &str = "requirements.txt";
const OWN: &str = ".requirements.";
const LOCK: &str = ".requirements.lock";
const MAX_BYTES: u64 = 1 << 20;
const WHAT: &str = "the list of dependencies";

/// The dependencies in a requirements file. Lines that are no specs are kept and not listed.
#[derive(Debug, Clone)]
pub(super) struct FileDeps(Arc<Deps>);

#[derive(Debug)]
struct Deps {
    folder: PathBuf,
    writer: Mutex<()>,
}

impl FileDeps {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(Arc::new(Deps { folder, writer: Mutex::new(()) }))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Deps) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let deps = self.0.clone();
        blocking(move || work(&deps)).await
    }
}

#[async_trait]
impl DepsStore for FileDeps {
    async fn list(&self) -> Result<Vec<DepSpec>, StorageError> {
        self.blocking(|deps| {
            let failed = || StorageError::reading(WHAT);
            let Some(folder) = folder::open(&deps.folder).map_err(failed())? else {
                return Ok(Vec::new());
            };
            let lines = read(&folder).map_err(failed())?;
            let specs: BTreeSet<DepSpec> =
                lines.iter().filter_map(|line| line.parse().ok()).collect();
            Ok(specs.into_iter().collect())
        })
        .await
    }

    async fn add(&self, spec: &DepSpec) -> Result<bool, StorageError> {
        let spec = spec.clone();
        self.blocking(move |deps| {
            deps.change(|lines| {
                lines.retain(|line| base_name(line) != spec.name());
                lines.insert(spec.to_string());
            })
        })
        .await
    }

    async fn remove(&self, spec_or_name: &str) -> Result<bool, StorageError> {
        let package = base_name(spec_or_name);
        self.blocking(move |deps| {
            deps.change_if_there(|lines| lines.retain(|line| base_name(line) != package))
        })
        .await
    }

    async fn clear(&self) -> Result<(), StorageError> {
        self.blocking(|deps| deps.change_if_there(BTreeSet::clear).map(drop)).await
    }
}

impl Deps {
    /// A change that makes nothing: a folder that is missing stays so.
    fn change_if_there(
        &self,
        change: impl FnOnce(&mut BTreeSet<String>),
    ) -> Result<bool, StorageError> {
        match folder::open(&self.folder).map_err(StorageError::writing(WHAT))? {
            Some(_) => self.change(change),
            None => Ok(false),
        }
    }

    /// Whether the change changed anything.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>)) -> Result<bool, StorageError> {
        let failed = || StorageError::writing(WHAT);
        let folder = folder::make(&self.folder).map_err(failed())?;
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = Lock::take(&folder, LOCK).map_err(failed())?;
        let before = read(&folder).map_err(failed())?;
        let mut lines = before.clone();
        change(&mut lines);
        if lines == before {
            return Ok(false);
        }
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let aside = Aside::write(&folder, OWN, text.as_bytes()).map_err(failed())?;
        aside.place(&folder, FILE).map_err(failed())?;
        folder::sync(&folder).map_err(failed())?;
        Ok(true)
    }
}

fn read(folder: &Dir) -> io::Result<BTreeSet<String>> {
    let Some(file) = folder::open_plain(folder, FILE)? else { return Ok(BTreeSet::new()) };
    let bytes = folder::read(&file, MAX_BYTES)?.ok_or(io::ErrorKind::FileTooLarge)?;
    let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(requirement_lines(&text).map(str::to_owned).collect())
}
