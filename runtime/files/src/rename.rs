//! Moving files and folders.

use std::sync::Arc;

use crate::files::Writable;
use crate::node::{Body, Ino};
use crate::walk::{Found, HostPlace, Place, Spot};
use crate::{Errno, Fd, Files, Kind};

impl Files {
    /// Gives a file or folder another name, in the place of what has it. What would have to be
    /// copied for it is refused as on two devices: between mounts, and folders of an overlay's host.
    pub fn rename(
        &mut self,
        (from_base, from): (Fd, &str),
        (to_base, to): (Fd, &str),
        now: u64,
    ) -> Result<(), Errno> {
        let from = self.walk(from_base, from, false)?;
        let to = self.walk(to_base, to, false)?;
        let moved = from.found()?.clone();
        self.check_movable(&from)?;
        to.name()?;
        if to.wants_folder && moved.kind != Kind::Folder {
            return Err(Errno::NotFolder);
        }
        if let Some(replaced) = &to.found {
            self.check_movable(&to)?;
            if replaced.place == moved.place {
                return Ok(());
            }
            match (moved.kind, replaced.kind) {
                (Kind::Folder, Kind::Folder) if self.is_empty(&replaced.place)? => {}
                (Kind::Folder, Kind::Folder) => return Err(Errno::NotEmpty),
                (Kind::Folder, _) => return Err(Errno::NotFolder),
                (_, Kind::Folder) => return Err(Errno::IsFolder),
                _ => {}
            }
        }
        if self.is_below_itself(&moved, &to.folder)? {
            return Err(Errno::Invalid);
        }
        self.check_depth(&to.folder, 1)?;
        // What is in memory and what lies on the host never change sides.
        match (self.is_host(&from.folder), self.is_host(&to.folder)) {
            (Some(one), Some(two)) if one == two => self.rename_host(&from, &to, now),
            (None, None) => self.rename_own(&from, &to, &moved, now),
            _ => {
                self.writable(&from, now)?; // read-only is the better reason
                Err(Errno::CrossDevice)
            }
        }
    }

    /// The mount that a folder lies in, unless changes to it go to memory.
    fn is_host(&self, folder: &Place) -> Option<usize> {
        match folder {
            Place::Host(host) if !self.is_overlay(host) => Some(host.mount),
            Place::Own(_) | Place::Host(_) => None,
        }
    }

    fn rename_host(&mut self, from: &Spot, to: &Spot, now: u64) -> Result<(), Errno> {
        match (self.writable(from, now)?, self.writable(to, now)?) {
            (Writable::Host { mount, path: from }, Writable::Host { path: to, .. }) => {
                self.mount(mount)?.folder.rename(&from, &to)
            }
            _ => Err(Errno::CrossDevice),
        }
    }

    fn rename_own(&mut self, from: &Spot, to: &Spot, moved: &Found, now: u64) -> Result<(), Errno> {
        match &moved.place {
            Place::Own(ino) => self.check_subtree(*ino, &to.folder)?,
            // The whole folder would have to be copied.
            Place::Host(_) if moved.kind == Kind::Folder => return Err(Errno::CrossDevice),
            Place::Host(_) => {}
        }
        let from_folder = self.own(&from.folder, now)?;
        self.own(&moved.place, now)?;
        let to_folder = self.own(&to.folder, now)?;
        let (from_name, to_name) = (from.name()?, to.name()?);
        let below = self.is_below(from_folder, from_name)?;
        if below && self.tree.entries() >= self.quota.entries {
            return Err(Errno::NoSpace); // the old name stays as one that is hidden
        }
        if self.tree.folder(to_folder)?.child(to_name).is_some() {
            let descriptors = Arc::clone(&self.descriptors);
            let is_open = |ino| descriptors.holds(ino);
            self.tree_mut().remove(to_folder, to_name, false, is_open, now)?;
        }
        self.tree_mut().rename((from_folder, from_name), below, (to_folder, to_name), now)
    }

    /// Whether a folder would be moved into itself.
    fn is_below_itself(&self, moved: &Found, into: &Place) -> Result<bool, Errno> {
        match (&moved.place, into) {
            (Place::Own(_), _) if moved.kind != Kind::Folder => Ok(false),
            (Place::Own(moved), Place::Own(into)) => self.tree.is_within(*into, *moved),
            (Place::Own(moved), Place::Host(into)) => {
                let mount = self.mount(into.mount)?;
                let folder = match mount.overlay {
                    Some(_) => self.last_own(into)?,
                    None => mount.parent,
                };
                self.tree.is_within(folder, *moved)
            }
            (Place::Host(moved), Place::Host(into)) => {
                let rest = into.path.strip_prefix(&moved.path);
                let inside = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                Ok(moved.mount == into.mount && inside)
            }
            (Place::Host(_), Place::Own(_)) => Ok(false),
        }
    }

    /// The deepest folder in memory on the way to a place of an overlay.
    fn last_own(&self, host: &HostPlace) -> Result<Ino, Errno> {
        let mut folder = self.mount(host.mount)?.overlay.ok_or(Errno::NotFound)?;
        for name in host.path.split('/') {
            match self.tree.folder(folder)?.child(name) {
                Some(ino) => folder = ino,
                None => break,
            }
        }
        Ok(folder)
    }

    /// Refuses to move a folder that holds a mount or shows one of an overlay's host, and one that
    /// would be too deep in its new place.
    fn check_subtree(&self, moved: Ino, folder: &Place) -> Result<(), Errno> {
        let mut levels = 0;
        let mut level = vec![moved];
        while !level.is_empty() {
            levels += 1;
            let mut below = Vec::new();
            for ino in level {
                match &self.tree.node(ino)?.body {
                    Body::Mount(_) => return Err(Errno::Busy),
                    Body::Folder(_) if self.is_mount_point(ino) => return Err(Errno::Busy),
                    Body::Folder(folder) if folder.lower.is_some() => {
                        return Err(Errno::CrossDevice);
                    }
                    Body::Folder(folder) => below.extend(folder.order.keys().copied()),
                    Body::File(_) => {}
                }
            }
            level = below;
        }
        self.check_depth(folder, levels)
    }
}
