//! Archives for the engine, the same bytes for the same files: no times, no users of this machine.

use std::fs::{self, File};
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tar::{Builder, EntryType, Header};
use tokio::io::AsyncReadExt as _;

/// What is read of an archive at a time.
const PIECE: usize = 1 << 20;

/// An archive that is being made, in a file that has no name.
pub(crate) struct Tarball(Builder<File>);

impl Tarball {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Builder::new(tempfile::tempfile()?)))
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(text.len() as u64);
        self.0.append_data(&mut header, name, Cursor::new(text))
    }

    pub(crate) fn folder(&mut self, name: &Path) -> io::Result<()> {
        self.0.append_data(&mut header(EntryType::Directory, 0o755), name, io::empty())
    }

    pub(crate) fn link(&mut self, name: &Path, to: &Path) -> io::Result<()> {
        self.0.append_link(&mut header(EntryType::Symlink, 0o777), name, to)
    }

    /// A regular file, which everybody may read.
    pub(crate) fn file(&mut self, name: &Path, from: &Path) -> io::Result<()> {
        let file = File::open(from)?;
        let metadata = file.metadata()?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let mut header = header(EntryType::Regular, if executable { 0o755 } else { 0o644 });
        header.set_size(metadata.len());
        self.0.append_data(&mut header, name, file)
    }

    /// All that is in a folder, in the order of the names.
    pub(crate) fn all(&mut self, name: &Path, from: &Path) -> io::Result<()> {
        self.folder(name)?;
        let mut entries = fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (kind, name) = (entry.file_type()?, name.join(entry.file_name()));
            if kind.is_dir() {
                self.all(&name, &entry.path())?;
            } else if kind.is_symlink() {
                self.link(&name, &fs::read_link(entry.path())?)?;
            } else if kind.is_file() {
                self.file(&name, &entry.path())?;
            }
        }
        Ok(())
    }

    /// The archive as the engine takes it.
    pub(crate) fn into_pieces(
        self,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        use std::io::Seek as _;
        let mut file = self.0.into_inner()?;
        file.rewind()?;
        let file = tokio::fs::File::from_std(file);
        Ok(stream::try_unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            let count = file.read(&mut piece).await?;
            piece.truncate(count);
            Ok::<_, io::Error>((count > 0).then(|| (Bytes::from(piece), file)))
        }))
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::os::unix::fs::symlink;

    use super::*;

    fn bytes(tarball: Tarball) -> Vec<u8> {
        let (mut file, mut bytes) = (tarball.0.into_inner().unwrap(), Vec::new());
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let made = || {
            let folder = tempfile::tempdir().unwrap();
            for name in ["b", "a", "c"] {
                fs::write(folder.path().join(name), name).unwrap();
            }
            symlink("a", folder.path().join("link")).unwrap();
            let mut tarball = Tarball::new().unwrap();
            tarball.text("text", "words").unwrap();
            tarball.all(Path::new("folder"), folder.path()).unwrap();
            bytes(tarball)
        };
        assert_eq!(made(), made());
    }
}
