//! The one folder that a container shares with its host: sockets, and the packages of its session.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// Where a container sees it.
pub(crate) const INSIDE: &str = "/run/pcm";
/// The socket that the worker finds its host at.
pub(crate) const HOST_SOCKET: &str = "host.sock";
/// The socket that leads to the hosts on a list.
pub(crate) const PROXY_SOCKET: &str = "proxy.sock";
/// A link to the packages that the session has now.
pub(crate) const PACKAGES: &str = "packages";

/// Deleted with this.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Nobody but this user can open it; what is in it, whoever is in the container can.
    private: TempDir,
    /// How many sets of packages were shown.
    shown: Mutex<u32>,
}

impl Folder {
    pub(crate) fn make() -> io::Result<Self> {
        let private = tempfile::Builder::new().prefix("pcm-container-").tempdir()?;
        fs::set_permissions(private.path(), Permissions::from_mode(0o700))?;
        let folder = Self { private, shown: Mutex::default() };
        fs::create_dir(folder.shared())?;
        fs::set_permissions(folder.shared(), Permissions::from_mode(0o755))?;
        Ok(folder)
    }

    /// What is bound into the container.
    pub(crate) fn shared(&self) -> PathBuf {
        self.private.path().join("shared")
    }

    /// Listens at a name in it, for whoever is in the container.
    pub(crate) fn listen(&self, name: &str) -> io::Result<UnixListener> {
        let path = self.shared().join(name);
        let listener = UnixListener::bind(&path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: {error} (is TMPDIR too long?)", path.display()),
            )
        })?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Nobody comes by that name any more.
    pub(crate) fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.shared().join(name)); // it goes with the folder anyway
    }

    /// Has the container see these packages in place of others. The files are linked where that can be, else
    /// copied: the folder that they come from may be anywhere.
    pub(crate) fn show_packages(&self, from: &Path) -> io::Result<()> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown += 1;
        let (name, link) = (format!("{PACKAGES}-{shown}"), self.shared().join(PACKAGES));
        copy(from, &self.shared().join(&name))?;
        let aside = self.shared().join("packages.new");
        symlink(&name, &aside)?;
        fs::rename(&aside, &link)?;
        // What ran meanwhile may have files of the ones before open; those of the one before that are gone.
        if let Some(old) = shown.checked_sub(2) {
            let _ = fs::remove_dir_all(self.shared().join(format!("{PACKAGES}-{old}")));
        }
        Ok(())
    }
}

/// A folder and all regular files in it, for everybody to read.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            let is_open = mode & 0o444 == 0o444;
            if !is_open || fs::hard_link(entry.path(), &to).is_err() {
                fs::copy(entry.path(), &to)?;
                fs::set_permissions(&to, Permissions::from_mode(0o444 | mode & 0o111))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn packages_replace_each_other_in_place() {
        let (folder, source) = (Folder::make().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(source.path().join("one")).unwrap();
        fs::write(source.path().join("one/__init__.py"), "first").unwrap();
        symlink("/etc/passwd", source.path().join("link")).unwrap();
        folder.show_packages(source.path()).unwrap();
        let seen = || fs::read_to_string(folder.shared().join(PACKAGES).join("one/__init__.py"));
        assert_eq!(seen().unwrap(), "first");
        assert!(!folder.shared().join(PACKAGES).join("link").exists(), "nothing leads elsewhere");
        for text in ["second", "third"] {
            fs::remove_file(source.path().join("one/__init__.py")).unwrap();
            fs::write(source.path().join("one/__init__.py"), text).unwrap();
            folder.show_packages(source.path()).unwrap();
            assert_eq!(seen().unwrap(), text);
        }
        assert!(!folder.shared().join("packages-1").exists(), "it is not needed any more");
    }

    #[test]
    fn nobody_else_can_open_it_and_the_container_can() {
        let folder = Folder::make().unwrap();
        let _listener = folder.listen(HOST_SOCKET).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.shared().parent().unwrap()), 0o700);
        assert_eq!(mode(&folder.shared()), 0o755);
        assert_eq!(mode(&folder.shared().join(HOST_SOCKET)), 0o666);
        folder.forget(HOST_SOCKET);
        assert!(!folder.shared().join(HOST_SOCKET).exists());
    }
}
