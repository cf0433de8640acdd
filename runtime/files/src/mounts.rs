//! A mounted folder: what of it the session may ask for.

use std::io;
use std::sync::Arc;

use pcm_runtime_api::{
    Creation, Followed, HostEntry, HostFile, HostFolder, MountAccess, MountSource, OpenFolder,
    SetTime, TakeEntry,
};

use crate::node::Ino;
use crate::protected::is_protected;
use crate::{Errno, Kind, LocalFolder, Stat, host_stat};

/// A mounted folder and where it is in the tree.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) folder: MountedFolder,
    /// The folder in memory that the mount point lies in.
    pub(crate) parent: Ino,
    /// The node of the mount point, where the mount is an overlay.
    pub(crate) overlay: Option<Ino>,
}

/// A folder of the host, opened here or served by somebody else.
#[derive(Debug)]
pub(crate) struct MountedFolder {
    host: Arc<dyn HostFolder>,
    access: MountAccess,
    device: u64,
}

impl MountedFolder {
    pub(crate) fn open(source: &MountSource, access: MountAccess, device: u64) -> io::Result<Self> {
        let host = match source {
            MountSource::Served(served) => Arc::clone(served.folder()),
            source => Arc::new(LocalFolder::open(source, access)?),
        };
        Ok(Self { host, access, device })
    }

    pub(crate) fn access(&self) -> MountAccess {
        self.access
    }

    /// What lies at a path; None if nothing does.
    pub(crate) fn kind(&self, path: &str) -> Result<Option<Kind>, Errno> {
        match self.host.stat(path) {
            Ok(stat) => Ok(Some(stat.kind)),
            Err(error) => match error.into() {
                // The folder above was one a moment ago, or is one in an overlay only.
                Errno::NotFound | Errno::NotFolder => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Goes down a path until something is no folder, or the path ends: where in it that is, and what
    /// lies there. Its first `known` bytes are a folder.
    pub(crate) fn follow(&self, path: &str, known: usize) -> Result<(usize, Option<Stat>), Errno> {
        let Followed { end, stat } = self.host.follow(path, known)?;
        Ok((end, stat.map(|stat| Stat::of_mount(stat, self.device))))
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(Stat::of_mount(self.host.stat(path)?, self.device))
    }

    pub(crate) fn stat_file(&self, file: &HostFile) -> Result<Stat, Errno> {
        Ok(Stat::of_mount(host_stat::of_file(file)?, self.device))
    }

    pub(crate) fn stat_folder(&self, folder: &dyn OpenFolder) -> Result<Stat, Errno> {
        Ok(Stat::of_mount(folder.stat()?, self.device))
    }

    /// Where a symbolic link leads.
    pub(crate) fn read_link(&self, path: &str) -> Result<String, Errno> {
        Ok(self.host.read_link(path)?)
    }

    pub(crate) fn list(
        &self,
        path: &str,
        cookie: u64,
        take: &mut TakeEntry<'_>,
    ) -> Result<(), Errno> {
        Ok(self.host.list(path, cookie, take)?)
    }

    /// Of the folder of an overlay's host, unless the host has removed it meanwhile.
    pub(crate) fn list_lower(
        &self,
        path: &str,
        cookie: u64,
        take: &mut TakeEntry<'_>,
    ) -> Result<(), Errno> {
        match self.list(path, cookie, take) {
            Err(Errno::NotFound | Errno::NotFolder) => Ok(()),
            listed => listed,
        }
    }

    /// Whether a folder has no entry that `shows`.
    pub(crate) fn is_empty(&self, path: &str, shows: impl Fn(&str) -> bool) -> Result<bool, Errno> {
        let mut empty = true;
        self.list_lower(path, 0, &mut |HostEntry { name, .. }| {
            // What has no name here is still in the way.
            empty = name.is_some_and(|name| !shows(name));
            empty
        })?;
        Ok(empty)
    }

    pub(crate) fn open_folder(&self, path: &str) -> Result<Box<dyn OpenFolder>, Errno> {
        Ok(self.host.open_folder(path)?)
    }

    pub(crate) fn open_to_read(&self, path: &str) -> Result<HostFile, Errno> {
        Ok(self.host.open_to_read(path)?)
    }

    /// Opens a regular file to write it, and makes it where it is missing.
    pub(crate) fn open_to_write(
        &self,
        path: &str,
        readable: bool,
        make: Creation,
    ) -> Result<HostFile, Errno> {
        Ok(self.writable()?.open_to_write(path, readable, make)?)
    }

    pub(crate) fn make_folder(&self, path: &str) -> Result<(), Errno> {
        Ok(self.writable()?.make_folder(path)?)
    }

    pub(crate) fn remove_file(&self, path: &str) -> Result<(), Errno> {
        Ok(self.writable()?.remove_file(path)?)
    }

    pub(crate) fn remove_folder(&self, path: &str) -> Result<(), Errno> {
        Ok(self.writable()?.remove_folder(path)?)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        Ok(self.writable()?.rename(from, to)?)
    }

    pub(crate) fn set_times(
        &self,
        path: &str,
        accessed: SetTime,
        modified: SetTime,
    ) -> Result<(), Errno> {
        Ok(self.writable()?.set_times(path, accessed, modified)?)
    }

    /// Refuses what the mount does not allow to be written. Whoever opens the folder does so again.
    pub(crate) fn check_write(&self, path: &str) -> Result<(), Errno> {
        self.writable()?;
        if is_protected(path) { Err(Errno::Access) } else { Ok(()) }
    }

    fn writable(&self) -> Result<&dyn HostFolder, Errno> {
        if self.access == MountAccess::ReadWrite { Ok(&*self.host) } else { Err(Errno::ReadOnly) }
    }
}
