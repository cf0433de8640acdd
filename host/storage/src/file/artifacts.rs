//! Artifacts in files.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use cap_std::fs::Dir;
use serde_json::{Map, Value};

use crate::artifact::{self, JsonLayout, Record, check_size};
use crate::name::is_own_file;
use crate::{
    ArtifactData, ArtifactInfo, ArtifactName, ArtifactStore, MAX_ARTIFACT_BYTES, StorageError,
};

use super::blocking;
use super::folder::{self, Aside};
use super::index::{Change, INDEX, Index};
use super::lock::Lock;

const OWN: &str = ".artifacts.";
const LOCK: &str = ".artifacts.lock";
/// Names have no more segments.
const MAX_DEPTH: usize = 32;

/// The artifacts in a folder. Names are resolved from the folder's own handle, so that no link in it
/// leads out of it.
#[derive(Debug, Clone)]
pub(super) struct FileArtifacts(Arc<Artifacts>);

#[derive(Debug)]
struct Artifacts {
    folder: PathBuf,
    /// The folder as guests may know it.
    shown: String,
    index: Index,
    writer: Mutex<()>,
    swept: Once,
}

impl FileArtifacts {
    pub(super) fn new(folder: PathBuf, shown: String) -> Self {
        let index = Index::default();
        let writer = Mutex::new(());
        Self(Arc::new(Artifacts { folder, shown, index, writer, swept: Once::new() }))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Artifacts) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let artifacts = self.0.clone();
        blocking(move || work(&artifacts)).await
    }
}

#[async_trait]
impl ArtifactStore for FileArtifacts {
    async fn list(&self) -> Result<Vec<ArtifactInfo>, StorageError> {
        self.blocking(Artifacts::list).await
    }

    async fn get(&self, name: &ArtifactName) -> Result<Option<ArtifactInfo>, StorageError> {
        let name = name.clone();
        self.blocking(move |artifacts| artifacts.get(&name)).await
    }

    async fn exists(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let name = name.clone();
        self.blocking(move |artifacts| artifacts.exists(&name)).await
    }

    async fn save(
        &self,
        name: &ArtifactName,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, StorageError> {
        let name = name.clone();
        let description = description.to_owned();
        self.blocking(move |artifacts| artifacts.save(&name, data, &description, metadata)).await
    }

    async fn load(&self, name: &ArtifactName) -> Result<ArtifactData, StorageError> {
        let name = name.clone();
        self.blocking(move |artifacts| artifacts.load(&name)).await
    }

    async fn delete(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let name = name.clone();
        self.blocking(move |artifacts| artifacts.delete(&name)).await
    }

    fn path(&self) -> String {
        self.0.shown.clone()
    }
}

impl Artifacts {
    fn list(&self) -> Result<Vec<ArtifactInfo>, StorageError> {
        let failed = || StorageError::reading("the list of artifacts");
        let Some(folder) = folder::open(&self.folder).map_err(failed())? else {
            return Ok(Vec::new());
        };
        let mut names = BTreeSet::new();
        walk(&folder, "", 1, &mut names).map_err(failed())?;
        let infos = self.index.look(&folder, |entries| {
            let info = |name: &ArtifactName| match entries.record(name.as_str()) {
                Some(record) => self.info(&folder, name, record),
                None => self.info(&folder, name, &Record::unknown()),
            };
            names.iter().map(info).collect()
        });
        infos.map_err(failed())
    }

    fn get(&self, name: &ArtifactName) -> Result<Option<ArtifactInfo>, StorageError> {
        let failed = || StorageError::reading(format!("the artifact {name:?}"));
        let Some(folder) = folder::open(&self.folder).map_err(failed())? else { return Ok(None) };
        if !is_there(&folder, name) {
            return Ok(None);
        }
        let record = self.index.look(&folder, |entries| entries.record(name.as_str()).cloned());
        let record = record.map_err(failed())?.unwrap_or_else(Record::unknown);
        Ok(Some(self.info(&folder, name, &record)))
    }

    fn exists(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let failed = StorageError::reading(format!("the artifact {name:?}"));
        Ok(folder::open(&self.folder)
            .map_err(failed)?
            .is_some_and(|folder| is_there(&folder, name)))
    }

    fn load(&self, name: &ArtifactName) -> Result<ArtifactData, StorageError> {
        let failed = || StorageError::reading(format!("the artifact {name:?}"));
        let missing = || StorageError::ArtifactNotFound { name: name.clone() };
        let folder = folder::open(&self.folder).map_err(failed())?.ok_or_else(missing)?;
        let file = folder::open_plain(&folder, name.as_str()).map_err(failed())?;
        let file = file.ok_or_else(missing)?;
        let Some(bytes) = folder::read(&file, MAX_ARTIFACT_BYTES).map_err(failed())? else {
            let size = file.metadata().map_err(failed())?.len();
            return Err(check_size(name, size).err().unwrap_or_else(|| {
                StorageError::read(format!("the artifact {name:?}"), "it is being written to")
            }));
        };
        let data_type = self
            .index
            .look(&folder, |entries| entries.record(name.as_str()).and_then(Record::data_type));
        Ok(artifact::decode(name, bytes, data_type.map_err(failed())?))
    }

    fn save(
        &self,
        name: &ArtifactName,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, StorageError> {
        let encoded = artifact::encode(name, data, JsonLayout::Indented)?;
        let record = Record::new(name, description, metadata, encoded.data_type)?;
        let failed = || StorageError::writing(format!("the artifact {name:?}"));
        let folder = folder::make(&self.folder).map_err(failed())?;
        self.swept.call_once(|| folder::sweep(&folder, OWN));
        let data = Aside::write(&folder, OWN, &encoded.bytes).map_err(failed())?;

        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = Lock::take(&folder, LOCK).map_err(failed())?;
        make_way(&folder, name)?;
        let written = self.place(&folder, name, data, &record);
        if written.is_err() {
            prune(&folder, name);
        }
        written.map_err(failed())?;
        Ok(self.info(&folder, name, &record))
    }

    /// Nothing is moved before everything is on the disk: if that is full, all stays as it was.
    fn place(
        &self,
        folder: &Dir,
        name: &ArtifactName,
        data: Aside<'_>,
        record: &Record,
    ) -> io::Result<()> {
        let change = Change::put(name.as_str(), record)?;
        let text = self.index.changed(folder, &change)?;
        let index = Aside::write(folder, OWN, &text)?;
        data.place(folder, name.as_str())?;
        index.place(folder, INDEX)?;
        sync_way(folder, name)?;
        self.index.is_changed(folder, change);
        Ok(())
    }

    fn delete(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let failed = || StorageError::writing(format!("the artifact {name:?}"));
        let Some(folder) = folder::open(&self.folder).map_err(failed())? else { return Ok(false) };
        if !is_there(&folder, name) {
            return Ok(false);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = Lock::take(&folder, LOCK).map_err(failed())?;
        match folder.remove_file(name.as_str()) {
            Ok(()) => {}
            Err(error) if folder::is_missing(&error) => return Ok(false),
            Err(error) => return Err(failed()(error)),
        }
        // An entry without a file counts for nothing, so a disk that is too full to write the index
        // does not keep anybody from making room on it.
        let _ = self.forget(&folder, name);
        sync_way(&folder, name).map_err(failed())?;
        prune(&folder, name);
        Ok(true)
    }

    fn forget(&self, folder: &Dir, name: &ArtifactName) -> io::Result<()> {
        let change = Change::remove(name.as_str());
        let text = self.index.changed(folder, &change)?;
        Aside::write(folder, OWN, &text)?.place(folder, INDEX)?;
        self.index.is_changed(folder, change);
        Ok(())
    }

    fn info(&self, folder: &Dir, name: &ArtifactName, record: &Record) -> ArtifactInfo {
        record.info(name, format!("{}/{name}", self.shown), || {
            let modified = folder.metadata(name.as_str()).and_then(|data| data.modified());
            modified.map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std)
        })
    }
}

fn is_there(folder: &Dir, name: &ArtifactName) -> bool {
    folder.metadata(name.as_str()).is_ok_and(|metadata| metadata.is_file())
}

/// Makes the folders that a name needs, and refuses names that are a folder or below a file.
fn make_way(folder: &Dir, name: &ArtifactName) -> Result<(), StorageError> {
    let clash = |reason| StorageError::Clash { name: name.clone(), reason };
    if folder.symlink_metadata(name.as_str()).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(clash("it is the folder of other artifacts"));
    }
    let (Some(inner), _) = name.split() else { return Ok(()) };
    match folder.create_dir_all(inner) {
        Ok(()) => Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                Err(clash("a part of it is an artifact, and no folder"))
            }
            _ => Err(StorageError::writing(format!("the artifact {name:?}"))(error)),
        },
    }
}

/// Makes what happened in the folders of a name, and in that of all artifacts, last.
fn sync_way(folder: &Dir, name: &ArtifactName) -> io::Result<()> {
    let (mut inner, _) = name.split();
    while let Some(path) = inner {
        folder::sync(&folder.open_dir(path)?)?;
        inner = path.rsplit_once('/').map(|(parent, _)| parent);
    }
    folder::sync(folder)
}

/// Removes the folders of a name that have nothing in them any more.
fn prune(folder: &Dir, name: &ArtifactName) {
    let (mut inner, _) = name.split();
    while let Some(path) = inner {
        if folder.remove_dir(path).is_err() {
            return; // not empty
        }
        inner = path.rsplit_once('/').map(|(parent, _)| parent);
    }
}

/// The names of all artifacts in a folder and below. Folders that are links are not entered.
fn walk(
    folder: &Dir,
    inside: &str,
    depth: usize,
    names: &mut BTreeSet<ArtifactName>,
) -> io::Result<()> {
    for entry in folder.entries()? {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(last) = file_name.to_str().filter(|name| !is_own_file(name)) else { continue };
        let name = format!("{inside}{last}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if depth < MAX_DEPTH
                && let Ok(inner) = folder.open_dir(last)
            {
                walk(&inner, &format!("{name}/"), depth + 1, names)?;
            }
        } else if kind.is_file() || is_link_to_file(folder, last) {
            names.extend(name.parse::<ArtifactName>());
        }
    }
    Ok(())
}

fn is_link_to_file(folder: &Dir, name: &str) -> bool {
    folder.metadata(name).is_ok_and(|metadata| metadata.is_file())
}
