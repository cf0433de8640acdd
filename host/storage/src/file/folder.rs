//! Files that are there whole or not at all.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

/// What a killed process left aside goes after a day.
const ABANDONED: Duration = Duration::from_hours(24);
const ASIDE: &str = ".tmp";

/// A folder that may be missing.
pub(super) fn open(path: &Path) -> io::Result<Option<Dir>> {
    match Dir::open_ambient_dir(path, ambient_authority()) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A folder that is made if it is missing.
pub(super) fn make(path: &Path) -> io::Result<Dir> {
    if let Some(folder) = open(path)? {
        return Ok(folder);
    }
    fs::create_dir_all(path)?;
    Dir::open_ambient_dir(path, ambient_authority())
}

/// Opens a file for reading, without waiting for the other end of a pipe.
pub(super) fn open_plain(folder: &Dir, name: &str) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    match folder.open_with(name, &options) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error says that nothing has this name, or that a part of it is no folder.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Everything in a file, if it has at most `limit` bytes.
pub(super) fn read(file: &File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let size = file.metadata()?.len();
    if size > limit {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// A file that was written beside its place. It goes when it is dropped before it is put there.
pub(super) struct Aside<'a> {
    folder: &'a Dir,
    name: String,
    is_placed: bool,
}

impl<'a> Aside<'a> {
    /// Writes a file aside, down to the disk. `prefix` keeps its name out of everybody's lists.
    pub(super) fn write(folder: &'a Dir, prefix: &str, content: &[u8]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let random = RandomState::new().build_hasher().finish();
        let name = format!("{prefix}{random:016x}{ASIDE}");
        let file = folder.open_with(&name, &options)?;
        let aside = Self { folder, name, is_placed: false };
        (&file).write_all(content)?;
        file.sync_all()?;
        Ok(aside)
    }

    /// Puts it in its place, in place of what is there.
    pub(super) fn place(mut self, folder: &Dir, name: &str) -> io::Result<()> {
        self.folder.rename(&self.name, folder, name)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = self.folder.remove_file(&self.name); // what stays is swept later
        }
    }
}

/// Makes sure that names which were made, moved or removed in a folder stay so without power.
pub(super) fn sync(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Removes what processes that were killed left aside long ago.
pub(super) fn sweep(folder: &Dir, prefix: &str) {
    let Ok(entries) = folder.entries() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !name.starts_with(prefix) || !name.ends_with(ASIDE) {
            continue;
        }
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.map(|time| SystemTime::now().duration_since(time.into_std()));
        if matches!(age, Ok(Ok(age)) if age > ABANDONED) {
            let _ = entry.remove_file(); // or the next process does
        }
    }
}
