//! What walls make once and keep: files that are checked before they are used.
//!
//! Compiled code and snapshots of memory are trusted by who maps them: a file that is not what was
//! made, to the last bit, must never reach an engine. So they lie in folders that only the user can
//! write, and their hash is checked; a note beside each remembers which file (device, number, size,
//! times) was checked, because hashing tens of megabytes costs more than everything else that a start
//! does.
//!
//! What must never live here: what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::OFlags;

/// Seven numbers.
const MAX_NOTE: u64 = 256;
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Set by a process that is told where.
static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// Keeps everything in this folder, in place of the user's. Only the first call counts.
pub fn set_root(folder: PathBuf) {
    let _ = ROOT.set(folder);
}

/// Where everything that is made once is kept: `${XDG_CACHE_HOME:-~/.cache}/pcm-sandbox`.
pub fn root() -> io::Result<PathBuf> {
    if let Some(folder) = ROOT.get() {
        return Ok(folder.clone());
    }
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    named
        .filter(|path| path.is_absolute())
        .or_else(|| home.map(|home| PathBuf::from(home).join(".cache")))
        .map(|base| base.join("pcm-sandbox"))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))
}

/// Makes the folder, or refuses one that others could write.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::symlink_metadata(folder)?;
    if metadata.is_dir() && is_private(&metadata) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} can be written by others", folder.display())))
}

fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// The file at `path` if it has this size and BLAKE3 hash; None if it is missing or anything else.
pub fn open_checked(path: &Path, size: u64, blake3: &str) -> io::Result<Option<File>> {
    let mut file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || !is_private(&metadata) || metadata.len() != size {
        return Ok(None);
    }
    let note = path.with_extension("checked");
    let checked = format!("{} {blake3}", identity(&metadata));
    if read_note(&note, MAX_NOTE).is_ok_and(|note| note == checked) {
        return Ok(Some(file));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file)?;
    if hasher.finalize().to_hex().as_str() != blake3 {
        return Ok(None);
    }
    fs::write(&note, checked)?;
    file.rewind()?;
    Ok(Some(file))
}

/// Opens without following a link, and without waiting for the other end of a pipe.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The text of a small file.
pub fn read_note(path: &Path, longest: u64) -> io::Result<String> {
    let file = open_plain(path)?;
    let length = file.metadata()?.len().min(longest);
    let mut note = String::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(longest).read_to_string(&mut note)?;
    Ok(note)
}

/// Changes whenever the file's content is changed: nobody but root can set the change time.
pub fn identity(metadata: &fs::Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    format!(
        "{} {} {} {} {} {seconds} {nanoseconds}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

/// Removes what is a week old, but for what `is_current` keeps; whoever still needs it makes it again.
pub fn remove_old(folder: &Path, is_current: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        let is_old =
            metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > WEEK));
        if is_old && !is_current(&path) {
            // Somebody else may have done it.
            drop(if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(folder: &Path, content: &[u8]) -> io::Result<PathBuf> {
        let path = folder.join("made");
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    #[test]
    fn a_file_is_checked_once_and_again_when_it_changes() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = file(folder.path(), b"made")?;
        let hash = blake3::hash(b"made").to_hex();
        assert!(open_checked(&path, 4, &hash)?.is_some());
        assert!(path.with_extension("checked").exists());
        assert!(open_checked(&path, 4, &hash)?.is_some());
        fs::remove_file(&path)?;
        file(folder.path(), b"evil")?;
        assert!(open_checked(&path, 4, &hash)?.is_none());
        Ok(())
    }

    #[test]
    fn a_note_about_another_hash_is_not_believed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = file(folder.path(), b"made")?;
        assert!(open_checked(&path, 4, &blake3::hash(b"made").to_hex())?.is_some());
        assert!(open_checked(&path, 4, &blake3::hash(b"evil").to_hex())?.is_none());
        Ok(())
    }

    #[test]
    fn a_file_of_another_length_or_that_others_can_write_and_a_link_are_refused() -> io::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let path = file(folder.path(), b"made")?;
        let hash = blake3::hash(b"made").to_hex();
        assert!(open_checked(&path, 5, &hash)?.is_none());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o622))?;
        assert!(open_checked(&path, 4, &hash)?.is_none());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link)?;
        assert!(open_checked(&link, 4, &hash).is_err());
        Ok(())
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        assert!(private_folder(folder.path()).is_err());
        Ok(())
    }
}
