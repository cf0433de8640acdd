//! Records in a folder, which several servers of one machine may share.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{LONGEST, MAX_RECORD_BYTES, RecordKey, RecordKind, Records, WHAT, check_size};
use crate::StorageError;

/// Digits of the time when a record ends, and the end of their line.
const HEAD: usize = 17;
const ASIDE: &str = ".tmp";
/// What a process that was killed left aside goes after an hour.
const ABANDONED: Duration = Duration::from_hours(1);

/// Records as files: when it ends on the first line, then the value. They are the owner's alone.
#[derive(Debug, Clone)]
pub struct FileRecords {
    folder: PathBuf,
}

impl FileRecords {
    /// The records in `server/` of a storage's folder. Nothing is made before something is stored.
    pub fn open(base: &Path) -> Result<Self, StorageError> {
        let base = std::path::absolute(base).map_err(StorageError::reading(WHAT))?;
        Ok(Self { folder: base.join("server") })
    }

    fn of(&self, kind: RecordKind) -> PathBuf {
        self.folder.join(kind.name())
    }

    fn path(&self, key: &RecordKey) -> PathBuf {
        self.of(key.kind).join(&key.id)
    }
}

#[async_trait]
impl Records for FileRecords {
    async fn put(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<(), StorageError> {
        check_size(&value)?;
        let (folder, path, kind) = (self.of(key.kind), self.path(key), key.kind);
        writing(move || {
            let aside = Aside::write(&folder, kind, &value, lives)?;
            aside.place(&folder, kind, &path)
        })
        .await
    }

    async fn claim(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<bool, StorageError> {
        check_size(&value)?;
        let (folder, path, kind) = (self.of(key.kind), self.path(key), key.kind);
        writing(move || {
            let aside = Aside::write(&folder, kind, &value, lives)?;
            // One lock for the kind: nobody comes between the look and the claim.
            let lock = lock(&folder)?;
            let is_free = read(&path)?.is_none();
            if is_free {
                aside.place(&folder, kind, &path)?;
            }
            drop(lock);
            Ok(is_free)
        })
        .await
    }

    async fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
        let path = self.path(key);
        reading(move || read(&path)).await
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StorageError> {
        let path = self.path(key);
        writing(move || remove(&path)).await
    }

    async fn list(&self, kind: RecordKind) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let folder = self.of(kind);
        reading(move || {
            let mut found = Vec::new();
            for (id, path) in entries(&folder)? {
                found.extend(read(&path)?.map(|value| (id, value)));
            }
            found.sort();
            Ok(found)
        })
        .await
    }

    async fn sweep(&self) -> Result<(), StorageError> {
        let folders = RecordKind::ALL.map(|kind| self.of(kind));
        writing(move || folders.iter().try_for_each(|folder| sweep(folder))).await
    }
}

async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    crate::file::blocking(move || work().map_err(StorageError::reading(WHAT))).await
}

async fn writing<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    crate::file::blocking(move || work().map_err(StorageError::writing(WHAT))).await
}

/// A file that was written beside its place. What is dropped before it was moved there goes.
struct Aside(PathBuf);

impl Aside {
    fn write(folder: &Path, kind: RecordKind, value: &[u8], lives: Duration) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let random = RandomState::new().build_hasher().finish();
        let aside = Self(folder.join(format!(".{random:016x}{ASIDE}")));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&aside.0)?;
        let ends = millis(now() + lives.min(LONGEST));
        writeln!(file, "{ends:016}")?;
        file.write_all(value)?;
        if kind.outlives_the_machine() {
            file.sync_all()?;
        }
        Ok(aside)
    }

    /// Puts it in its place, in place of what is there.
    fn place(&self, folder: &Path, kind: RecordKind, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        if kind.outlives_the_machine() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // what stays is swept later
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600);
    let file = file.open(folder.join(".lock"))?;
    // Held for the few system calls of a claim or of one removal.
    file.lock()?;
    Ok(file)
}

/// The value, unless it has expired; one that is broken is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take((HEAD + MAX_RECORD_BYTES) as u64 + 1).read_to_end(&mut bytes)?;
    let Some((head, value)) = bytes.split_at_checked(HEAD) else { return Ok(None) };
    let ends = str::from_utf8(head).ok().and_then(|head| head.trim_end().parse::<u64>().ok());
    let is_live = ends.is_some_and(|ends| ends > millis(now()));
    Ok((is_live && value.len() <= MAX_RECORD_BYTES).then(|| value.to_vec()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The records in a folder: names that do not begin with a dot.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if !name.is_empty() && !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn sweep(folder: &Path) -> io::Result<()> {
    for (_, path) in entries(folder)? {
        if read(&path)?.is_none() {
            let lock = lock(folder)?;
            if read(&path)?.is_none() {
                remove(&path)?;
            }
            drop(lock);
        }
    }
    let Ok(all) = fs::read_dir(folder) else { return Ok(()) };
    for entry in all.flatten() {
        let is_aside = entry.file_name().to_str().is_some_and(|name| name.ends_with(ASIDE));
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.map(|changed| SystemTime::now().duration_since(changed));
        if is_aside && matches!(age, Ok(Ok(age)) if age > ABANDONED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
