//! Compiled images, unpacked once and then mapped.
//!
//! Mapping compiled code is trusting it: a file that is not the image to the last bit must never
//! reach the engine. So the file lies in a folder that only the user can write, and its hash is
//! checked before it is used; a note beside it remembers which file (device, number, size, times)
//! was checked, because hashing 46 MB costs more than everything else that a start does.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcm_python_wasm::{Compiled, cache_root};
use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use tempfile::NamedTempFile;

/// The folder of compiled images.
const ENGINE: &str = "engine";
/// Seven numbers.
const MAX_NOTE: u64 = 256;
/// The part of a hash that is in a name.
const NAMED: usize = 32;

/// Where a compiled image came from.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) file: File,
    /// None when the cache cannot be written and the image is in memory only.
    pub(crate) path: Option<PathBuf>,
}

/// A variant of an image, compressed with Zstandard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) about: &'a Compiled,
}

/// Where unpacked images are kept; None where there is no place for them.
#[derive(Debug, Clone)]
pub(crate) struct Cache(Option<PathBuf>);

impl Cache {
    /// The user's own.
    pub(crate) fn of_user() -> Self {
        Self(cache_root().ok())
    }

    /// In that folder.
    #[cfg(test)]
    pub(crate) fn at(folder: &Path) -> Self {
        Self(Some(folder.to_owned()))
    }

    /// A folder of the cache, if it can be used.
    pub(crate) fn folder(&self, name: &str) -> Option<PathBuf> {
        let folder = self.0.as_ref()?.join(name);
        private_folder(&folder).ok()?;
        Some(folder)
    }

    /// The image as a file that was checked.
    pub(crate) fn open(&self, image: Packed<'_>) -> io::Result<Unpacked> {
        if let Some(Ok((file, path))) = self.folder(ENGINE).map(|folder| open_in(&folder, image)) {
            return Ok(Unpacked { file, path: Some(path) });
        }
        // A read-only or missing home is no reason not to start: a tenth of a second each time.
        let mut file = File::from(memfd_create(c"pcm-python", MemfdFlags::CLOEXEC)?);
        unpack(&mut file, image)?;
        Ok(Unpacked { file, path: None })
    }

    /// The image if it was unpacked before.
    pub(crate) fn find(&self, about: &Compiled) -> Option<Unpacked> {
        let path = place(&self.folder(ENGINE)?, about);
        let file = open_checked(&path, about).ok()??;
        Some(Unpacked { file, path: Some(path) })
    }
}

fn place(folder: &Path, about: &Compiled) -> PathBuf {
    let name: String = about.blake3.chars().take(NAMED).collect();
    folder.join(format!("python-{name}.cwasm"))
}

fn open_in(folder: &Path, image: Packed<'_>) -> io::Result<(File, PathBuf)> {
    private_folder(folder)?;
    let path = place(folder, image.about);
    if let Some(file) = open_checked(&path, image.about)? {
        return Ok((file, path));
    }
    let mut fresh = NamedTempFile::new_in(folder)?;
    unpack(fresh.as_file_mut(), image)?;
    fresh.as_file().sync_all()?;
    fresh.persist(&path)?;
    remove_old(folder, &path);
    open_checked(&path, image.about)?
        .map(|file| (file, path))
        .ok_or_else(|| io::Error::other("the image changed while it was unpacked"))
}

/// Makes the folder, or refuses one that others could write.
fn private_folder(folder: &Path) -> io::Result<()> {
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

/// The file at `path` if it is the image; None if it is missing or anything else.
fn open_checked(path: &Path, about: &Compiled) -> io::Result<Option<File>> {
    let mut file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || !is_private(&metadata) || metadata.len() != about.size {
        return Ok(None);
    }
    let note = path.with_extension("checked");
    let identity = identity(&metadata);
    if read_note(&note, MAX_NOTE).is_ok_and(|checked| checked == identity) {
        return Ok(Some(file));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file)?;
    if hasher.finalize().to_hex().as_str() != about.blake3 {
        return Ok(None);
    }
    fs::write(&note, identity)?;
    file.rewind()?;
    Ok(Some(file))
}

/// Opens without following a link, and without waiting for the other end of a pipe.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

pub(crate) fn read_note(path: &Path, longest: u64) -> io::Result<String> {
    let file = open_plain(path)?;
    let length = file.metadata()?.len().min(longest);
    let mut note = String::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(longest).read_to_string(&mut note)?;
    Ok(note)
}

/// Changes whenever the file's content is changed: nobody but root can set the change time.
pub(crate) fn identity(metadata: &fs::Metadata) -> String {
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

/// Images of other versions go when they are a week old; whoever still needs one unpacks it again.
fn remove_old(folder: &Path, current: &Path) {
    const WEEK: Duration = Duration::from_hours(7 * 24);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > WEEK));
        if is_old && path.with_extension("") != current.with_extension("") {
            drop(fs::remove_file(path)); // somebody else may have done it
        }
    }
}

fn unpack(target: &mut File, image: Packed<'_>) -> io::Result<()> {
    let mut decoder = zstd::Decoder::new(image.content)?.take(image.about.size + 1);
    let mut hashed = Hashed { inner: &mut *target, hasher: blake3::Hasher::new() };
    io::copy(&mut decoder, &mut hashed)?;
    if hashed.hasher.finalize().to_hex().as_str() != image.about.blake3 {
        return Err(io::Error::other("the image is damaged: its hash is wrong"));
    }
    target.rewind()
}

/// Hashes what is written to it.
pub(crate) struct Hashed<W> {
    pub(crate) inner: W,
    pub(crate) hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.hasher.update(&data[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use pcm_python_wasm::Metering;

    use super::*;
    use crate::image::{info, variant};

    fn changed_byte(path: &Path) -> io::Result<()> {
        let mut content = fs::read(path)?;
        content[12_345] ^= 1;
        fs::remove_file(path)?;
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }

    #[test]
    fn the_file_is_unpacked_once() -> io::Result<()> {
        let (folder, info) = (tempfile::tempdir()?, info()?);
        let image = variant(&info, Metering::Epochs)?;
        let (_, path) = open_in(&folder.path().join("engine"), image)?;
        let first = fs::metadata(&path)?;
        let (file, _) = open_in(&folder.path().join("engine"), image)?;
        assert_eq!(file.metadata()?.ino(), first.ino());
        Ok(())
    }

    #[test]
    fn a_changed_file_is_replaced_before_it_is_used() -> io::Result<()> {
        let (folder, info) = (tempfile::tempdir()?, info()?);
        let image = variant(&info, Metering::Epochs)?;
        let (_, path) = open_in(folder.path(), image)?;
        changed_byte(&path)?;
        assert!(open_checked(&path, image.about)?.is_none());
        let (file, _) = open_in(folder.path(), image)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        assert_eq!(hasher.finalize().to_hex().as_str(), image.about.blake3);
        Ok(())
    }

    #[test]
    fn a_file_of_another_length_and_a_link_are_refused() -> io::Result<()> {
        let (folder, info) = (tempfile::tempdir()?, info()?);
        let image = variant(&info, Metering::Epochs)?;
        let path = folder.path().join("short.cwasm");
        fs::write(&path, b"short")?;
        assert!(open_checked(&path, image.about)?.is_none());
        let link = folder.path().join("link.cwasm");
        std::os::unix::fs::symlink(&path, &link)?;
        assert!(open_checked(&link, image.about).is_err());
        Ok(())
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() -> io::Result<()> {
        let (folder, info) = (tempfile::tempdir()?, info()?);
        let image = variant(&info, Metering::Epochs)?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        assert!(open_in(folder.path(), image).is_err());
        Ok(())
    }
}
