//! Making folders, and removing what is in them.

use crate::files::Writable;
use crate::node::{Entry, Ino, Node};
use crate::walk::{Place, Spot};
use crate::{Errno, Fd, Files, Kind};

impl Files {
    /// Makes a folder.
    pub fn make_folder(&mut self, base: Fd, path: &str, now: u64) -> Result<(), Errno> {
        let spot = self.walk(base, path, false)?;
        if spot.found.is_some() {
            return Err(Errno::Exists);
        }
        self.check_depth(&spot.folder, 1)?;
        match self.writable(&spot, now)? {
            Writable::Own(folder) => {
                let quota = self.quota;
                let node = Node::folder(None, now);
                self.tree_mut().add(folder, spot.name()?, node, &quota)?;
                Ok(())
            }
            Writable::Host { mount, path } => self.mount(mount)?.folder.make_folder(&path),
        }
    }

    /// Removes a file, or a symbolic link of a mount. Who has it open keeps it.
    pub fn remove_file(&mut self, base: Fd, path: &str, now: u64) -> Result<(), Errno> {
        let spot = self.walk(base, path, false)?;
        if spot.found()?.kind == Kind::Folder {
            return Err(Errno::IsFolder);
        }
        self.remove(&spot, now)
    }

    /// Removes a folder that is empty.
    pub fn remove_folder(&mut self, base: Fd, path: &str, now: u64) -> Result<(), Errno> {
        let spot = self.walk(base, path, false)?;
        let found = spot.found()?;
        if found.kind != Kind::Folder {
            return Err(Errno::NotFolder);
        }
        self.check_movable(&spot)?;
        if !self.is_empty(&found.place)? {
            return Err(Errno::NotEmpty);
        }
        self.remove(&spot, now)
    }

    fn remove(&mut self, spot: &Spot, now: u64) -> Result<(), Errno> {
        let found = spot.found()?;
        match self.writable(spot, now)? {
            Writable::Own(folder) => self.remove_own(folder, spot.name()?, now),
            Writable::Host { mount, path } => {
                let folder = &self.mount(mount)?.folder;
                match found.kind {
                    Kind::Folder => folder.remove_folder(&path),
                    _ => folder.remove_file(&path),
                }
            }
        }
    }

    /// Refuses mount points, and paths that do not end in a name.
    pub(crate) fn check_movable(&self, spot: &Spot) -> Result<(), Errno> {
        spot.name()?;
        match &spot.found()?.place {
            Place::Host(host) if host.path.is_empty() => Err(Errno::Busy),
            Place::Own(ino) if self.is_mount_point(*ino) => Err(Errno::Busy),
            Place::Own(_) | Place::Host(_) => Ok(()),
        }
    }

    /// Whether a folder shows nothing.
    pub(crate) fn is_empty(&self, place: &Place) -> Result<bool, Errno> {
        match place {
            Place::Own(ino) => self.is_empty_own(*ino),
            Place::Host(host) => self.mount(host.mount)?.folder.is_empty(&host.path, |_| true),
        }
    }

    fn is_empty_own(&self, ino: Ino) -> Result<bool, Errno> {
        let folder = self.tree.folder(ino)?;
        if !folder.order.is_empty() {
            return Ok(false);
        }
        let Some(lower) = &folder.lower else { return Ok(true) };
        let shows = |name: &str| folder.entries.get(name) != Some(&Entry::Gone);
        self.mount(lower.mount)?.folder.is_empty(&lower.path, shows)
    }
}
