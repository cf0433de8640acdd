//! Compiled images, unpacked once and then mapped: mapping compiled code is trusting it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};

use pcm_python_wasm::Compiled;
use pcm_runtime_cache::{private_folder, remove_old, root};
use rustix::fs::{MemfdFlags, memfd_create};
use tempfile::NamedTempFile;

/// The folder of compiled images.
const ENGINE: &str = "engine";
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
        Self(root().ok())
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
    let stem = path.with_extension("");
    remove_old(folder, |other| other.with_extension("") == stem);
    open_checked(&path, image.about)?
        .map(|file| (file, path))
        .ok_or_else(|| io::Error::other("the image changed while it was unpacked"))
}

/// The file at `path` if it is the image.
fn open_checked(path: &Path, about: &Compiled) -> io::Result<Option<File>> {
    pcm_runtime_cache::open_checked(path, about.size, &about.blake3)
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
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

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
}
