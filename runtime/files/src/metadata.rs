//! What is known of files and folders, and what of it can be set.

use crate::descriptors::Target;
use crate::node::{Body, Ino, ROOT_INO};
use crate::walk::Place;
use crate::{Errno, Fd, Files, Kind, ROOT, SetTime, Stat, paths};

#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTimes {
    pub(crate) accessed: SetTime,
    pub(crate) modified: SetTime,
}

impl Files {
    /// What is known of what a descriptor is open on.
    pub fn stat(&self, fd: Fd) -> Result<Stat, Errno> {
        if fd == ROOT {
            return self.stat_own(ROOT_INO);
        }
        match &self.descriptor(fd)?.target {
            Target::File(ino) | Target::Folder(ino) => self.stat_own(*ino),
            Target::HostFile { place, file } => self.mount(place.mount)?.folder.stat_file(file),
            Target::HostFolder { place, open } => {
                self.mount(place.mount)?.folder.stat_folder((***open).as_ref())
            }
        }
    }

    /// What is known of what lies at a path. A symbolic link at its end is followed with `follow`.
    pub fn stat_path(&self, base: Fd, path: &str, follow: bool) -> Result<Stat, Errno> {
        let spot = self.walk(base, path, follow)?;
        let found = spot.found()?;
        found.stat.map_or_else(|| self.stat_place(&found.place), Ok)
    }

    pub(crate) fn stat_place(&self, place: &Place) -> Result<Stat, Errno> {
        match place {
            Place::Own(ino) => self.stat_own(*ino),
            Place::Host(host) => self.mount(host.mount)?.folder.stat(&host.path),
        }
    }

    fn stat_own(&self, ino: Ino) -> Result<Stat, Errno> {
        let node = self.tree.node(ino)?;
        let (kind, size) = match &node.body {
            Body::File(content) => (Kind::File, content.size()),
            Body::Folder(_) | Body::Mount(_) => (Kind::Folder, 0),
        };
        Ok(Stat { kind, size, times: node.times, number: ino.0, device: 0 })
    }

    /// Sets the times of what a descriptor is open on.
    pub fn set_times(
        &mut self,
        fd: Fd,
        accessed: SetTime,
        modified: SetTime,
        now: u64,
    ) -> Result<(), Errno> {
        let times = NewTimes { accessed, modified };
        if fd == ROOT {
            return self.set_times_at(&Place::Own(ROOT_INO), times, now);
        }
        let place = match &self.descriptor(fd)?.target {
            Target::File(ino) | Target::Folder(ino) => Place::Own(*ino),
            Target::HostFile { place, .. } | Target::HostFolder { place, .. } => {
                Place::Host(place.clone())
            }
        };
        self.set_times_at(&place, times, now)
    }

    /// Sets the times of what lies at a path.
    pub fn set_times_path(
        &mut self,
        (base, path, follow): (Fd, &str, bool),
        accessed: SetTime,
        modified: SetTime,
        now: u64,
    ) -> Result<(), Errno> {
        let place = self.walk(base, path, follow)?.found()?.place.clone();
        self.set_times_at(&place, NewTimes { accessed, modified }, now)
    }

    fn set_times_at(&mut self, place: &Place, times: NewTimes, now: u64) -> Result<(), Errno> {
        match self.current(place)? {
            Place::Host(host) if !self.is_overlay(&host) => {
                let folder = &self.mount(host.mount)?.folder;
                folder.set_times(&host.path, times.accessed, times.modified)
            }
            place => {
                let ino = self.own(&place, now)?;
                let node = self.tree_mut().node_mut(ino)?;
                for (time, new) in [
                    (&mut node.times.accessed, times.accessed),
                    (&mut node.times.modified, times.modified),
                ] {
                    if let SetTime::To(nanoseconds) = new {
                        *time = nanoseconds;
                    }
                }
                node.times.changed = now;
                Ok(())
            }
        }
    }

    /// Where a symbolic link of a mount leads, if that is inside the mount: an absolute target, or
    /// one that climbs out, is nothing that the guest should know.
    pub fn read_link(&self, base: Fd, path: &str) -> Result<String, Errno> {
        let spot = self.walk(base, path, false)?;
        let found = spot.found()?;
        let (Place::Host(host), Kind::Link) = (&found.place, found.kind) else {
            return Err(Errno::Invalid);
        };
        let target = self.mount(host.mount)?.folder.read_link(&host.path)?;
        if target.starts_with('/') {
            return Err(Errno::Access);
        }
        let mut depth = paths::depth(&host.path) - 1;
        for name in target.split('/').filter(|name| !matches!(*name, "" | ".")) {
            depth = match name {
                ".." => depth.checked_sub(1).ok_or(Errno::Access)?,
                _ => depth + 1,
            };
        }
        Ok(target)
    }
}
