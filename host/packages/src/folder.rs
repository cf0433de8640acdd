//! Folders that only the user can write, made aside and moved into place.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

/// What a killed process left aside goes after a day.
const ABANDONED: Duration = Duration::from_hours(24);
const ASIDE: &str = ".new-";

/// Makes the folder, or refuses one that others could write.
pub(crate) fn private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::symlink_metadata(folder)?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && is_ours && metadata.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("its folder can be written by others"))
}

/// A folder aside, inside `parent`; it goes when it is dropped.
pub(crate) fn aside(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(ASIDE).tempdir_in(parent)
}

/// Moves a folder that was made aside to its place. If somebody else was faster, theirs stays, unless
/// it is damaged.
pub(crate) fn publish(
    aside: tempfile::TempDir,
    place: &Path,
    is_whole: impl Fn() -> bool,
) -> io::Result<()> {
    if place.is_dir() && !is_whole() {
        remove(place)?;
    }
    match fs::rename(aside.path(), place) {
        Ok(()) => {
            let _ = aside.keep(); // there is nothing at its old place
            Ok(())
        }
        Err(_) if place.is_dir() => {
            let path = aside.keep();
            remove(&path)
        }
        Err(error) => Err(error),
    }
}

/// A file below a folder of ours; its parents are made.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Opens a plain file, without following a link or waiting for the other end of a pipe.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a plain file")) }
}

/// Writes a file as a whole, aside first.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other("a file without a folder"))?;
    let file = tempfile::NamedTempFile::with_prefix_in(ASIDE, parent)?;
    fs::write(file.path(), content)?;
    file.persist(path)?;
    Ok(())
}

/// Everything below `folder` that is not a folder, with its path relative to it. Links are named,
/// not followed.
pub(crate) fn walk(folder: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(inside) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                waiting.push(path);
            } else {
                found.push((path, metadata));
            }
        }
    }
    Ok(found)
}

/// Bytes below a folder in which somebody else is at work.
pub(crate) fn size_of(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                // What takes no bytes takes a place in the file system.
                Ok(metadata) => bytes += metadata.len().max(512),
                Err(_) => {} // gone
            }
        }
    }
    bytes
}

/// Takes the right to write from everything in a folder.
pub(crate) fn make_read_only(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_read_only(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o400))?;
        }
    }
    fs::set_permissions(folder, Permissions::from_mode(0o500))
}

/// Removes a folder, read-only or not.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())
        } else {
            fs::remove_file(entry.path())
        }?;
    }
    fs::remove_dir(folder)
}

/// Removes what killed processes left aside in a folder. Failing is harmless: the next one tries.
pub(crate) fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED));
        if is_old && entry.file_name().as_encoded_bytes().starts_with(ASIDE.as_bytes()) {
            let path = entry.path();
            drop(if path.is_dir() { remove(&path) } else { fs::remove_file(&path) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_write_is_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let inside = folder.path().join("a/b");
        private(&inside)?;
        assert_eq!(fs::metadata(&inside)?.mode() & 0o777, 0o700);
        fs::set_permissions(&inside, Permissions::from_mode(0o770))?;
        assert!(private(&inside).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("a"), &link)?;
        assert!(private(&link).is_err());
        Ok(())
    }

    #[test]
    fn of_two_that_publish_the_first_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("place");
        for name in ["first", "second"] {
            let aside = aside(folder.path())?;
            fs::write(aside.path().join(name), "")?;
            publish(aside, &place, || true)?;
        }
        assert!(place.join("first").exists() && !place.join("second").exists());
        let third = aside(folder.path())?;
        fs::write(third.path().join("third"), "")?;
        make_read_only(&place)?;
        publish(third, &place, || false)?;
        assert!(place.join("third").exists() && !place.join("first").exists());
        assert_eq!(fs::read_dir(folder.path())?.count(), 1, "nothing stays aside");
        Ok(())
    }

    #[test]
    fn a_read_only_folder_can_be_removed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let top = folder.path().join("top");
        create(&top.join("a/b"))?;
        make_read_only(&top)?;
        assert_eq!(fs::metadata(top.join("a/b"))?.mode() & 0o777, 0o400);
        assert_eq!(fs::metadata(top.join("a"))?.mode() & 0o777, 0o500);
        remove(&top)?;
        assert!(!top.exists());
        Ok(())
    }

    #[test]
    fn links_and_pipes_are_no_plain_files() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        create(&file)?;
        std::os::unix::fs::symlink(&file, &link)?;
        assert!(open_plain(&file).is_ok());
        assert!(open_plain(&link).is_err());
        assert!(open_plain(folder.path()).is_err());
        assert!(create(&link).is_err());
        Ok(())
    }
}
