//! The working folder of a session, and the folder that its packages are seen in.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use pcm_runtime_api::ExecutorError;
use tempfile::TempDir;

/// A folder that only this user can look into, gone when the session is.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    folder: TempDir,
    opened: Dir,
}

/// Where a session's packages are seen: what is seen there can become something else.
#[derive(Debug)]
pub(crate) struct PackagesLink(TempDir);

impl WorkFolder {
    pub(crate) fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("pcm-work-").tempdir()?;
        let opened = Dir::open_ambient_dir(folder.path(), ambient_authority())?;
        Ok(Self { folder, opened })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn put(&self, path: &str, content: &[u8]) -> Result<(), ExecutorError> {
        let put = || {
            let inside = self.inside(path)?;
            if let Some(above) = inside.parent().filter(|above| !above.as_os_str().is_empty()) {
                self.opened.create_dir_all(above)?;
            }
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK);
            let mut file = self.opened.open_with(&inside, &options)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no file"));
            }
            file.write_all(content)
        };
        put().map_err(|error| failed(path, &error))
    }

    /// Reads a file, if it has at most `longest` bytes.
    pub(crate) fn get(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let get = || {
            let mut options = OpenOptions::new();
            // What waits for a writer, as a pipe does, is not waited for.
            options.read(true).custom_flags(libc::O_NONBLOCK);
            let file = self.opened.open_with(self.inside(path)?, &options)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no file"));
            }
            let mut content = Vec::new();
            // It may grow while it is read.
            file.take(longest.saturating_add(1)).read_to_end(&mut content)?;
            if content.len() as u64 > longest {
                return Err(io::Error::other(format!("it has more than {longest} bytes")));
            }
            Ok(content)
        };
        get().map_err(|error| failed(path, &error))
    }

    /// The path from the folder on; one that is not in it is refused here or when it is opened.
    fn inside(&self, path: &str) -> io::Result<PathBuf> {
        let path = Path::new(path);
        let inside = if path.is_absolute() {
            path.strip_prefix(self.path()).map_err(|_| {
                io::Error::other("it is outside the working folder: give a path relative to that")
            })?
        } else {
            path
        };
        Ok(inside.to_owned())
    }
}

impl PackagesLink {
    /// One without packages.
    pub(crate) fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("pcm-packages-").tempdir()?;
        fs::create_dir(folder.path().join("none"))?;
        symlink("none", folder.path().join("packages"))?;
        Ok(Self(folder))
    }

    /// What Python's path has.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("packages")
    }

    /// Makes another folder the one that is seen.
    pub(crate) fn replace(&self, packages: &Path) -> io::Result<()> {
        let next = self.0.path().join("next");
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(packages, &next)?,
        }
        fs::rename(next, self.path())
    }
}

/// The path is as it was given: where the folder is, is nobody's business.
fn failed(path: &str, error: &io::Error) -> ExecutorError {
    ExecutorError::File { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails panics")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_and_got_by_its_path() {
        let folder = WorkFolder::make().unwrap();
        folder.put("data/a.txt", b"hi").unwrap();
        assert_eq!(folder.get("data/a.txt", 2).unwrap(), b"hi");
        assert_eq!(fs::read(folder.path().join("data/a.txt")).unwrap(), b"hi");
        let absolute = folder.path().join("data/a.txt").display().to_string();
        assert_eq!(folder.get(&absolute, 2).unwrap(), b"hi");
    }

    #[test]
    fn what_is_too_long_or_outside_is_refused() {
        let folder = WorkFolder::make().unwrap();
        folder.put("a", b"hi").unwrap();
        let too_long = folder.get("a", 1).unwrap_err().to_string();
        assert!(too_long.contains("more than 1 bytes"), "{too_long}");
        symlink("/etc", folder.path().join("link")).unwrap();
        for path in ["../x", "/etc/passwd", "link/passwd", "a/../../x"] {
            assert!(folder.get(path, 10).is_err(), "{path}");
            assert!(folder.put(path, b"x").is_err(), "{path}");
        }
    }

    #[test]
    fn a_pipe_is_no_file_and_nobody_waits_for_it() {
        let folder = WorkFolder::make().unwrap();
        let name =
            std::ffi::CString::new(folder.path().join("pipe").display().to_string()).unwrap();
        // SAFETY: the name ends in NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(folder.get("pipe", 10).is_err());
        assert!(folder.put("pipe", b"x").is_err());
    }

    #[test]
    fn packages_become_others_in_one_step() {
        let link = PackagesLink::make().unwrap();
        assert_eq!(fs::read_dir(link.path()).unwrap().count(), 0);
        let packages = tempfile::tempdir().unwrap();
        fs::write(packages.path().join("one.py"), "").unwrap();
        link.replace(packages.path()).unwrap();
        link.replace(packages.path()).unwrap();
        assert_eq!(fs::read_dir(link.path()).unwrap().count(), 1);
    }
}
