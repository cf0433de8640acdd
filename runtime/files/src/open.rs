//! Opening files and folders.

use std::sync::Arc;

use pcm_runtime_api::{Creation, MountAccess};

use crate::content::Content;
use crate::descriptors::{Descriptor, Target};
use crate::files::Writable;
use crate::handles::Held;
use crate::node::Node;
use crate::walk::{Found, HostPlace, Place, Spot};
use crate::{Errno, Fd, Files, Kind};

/// How something shall be opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, as in open(2)")]
pub struct Opening {
    /// To read it.
    pub read: bool,
    /// To write it.
    pub write: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// A file that is missing is made.
    pub create: bool,
    /// Only a file that is missing is opened.
    pub exclusive: bool,
    /// The content is thrown away.
    pub truncate: bool,
    /// Only a folder is opened.
    pub folder: bool,
    /// A symbolic link at the end of the path is followed.
    pub follow: bool,
}

impl Opening {
    /// To read what is there.
    pub const READ: Self = Self {
        read: true,
        write: false,
        append: false,
        create: false,
        exclusive: false,
        truncate: false,
        folder: false,
        follow: true,
    };
    /// To write a file from its beginning, whether it is there or not.
    pub(crate) const REPLACE: Self =
        Self { read: false, write: true, create: true, truncate: true, ..Self::READ };

    /// Whether anything would be changed. To cut a file off is to write it, whatever the caller
    /// says it opens it for.
    fn writes(self) -> bool {
        self.write || self.append || self.truncate
    }
}

impl Files {
    /// Opens what lies at a path, seen from a descriptor.
    pub fn open(&mut self, base: Fd, path: &str, how: Opening, now: u64) -> Result<Fd, Errno> {
        if self.descriptors.is_full() {
            return Err(Errno::TooManyOpen);
        }
        if self.descriptors.has_all_handles() && self.leads_to_host(base, path, how)? {
            return Err(Errno::TooManyOpen);
        }
        let target = self.open_target(base, path, how, now)?;
        let is_file = target.kind() == Kind::File;
        let descriptor = Descriptor {
            target,
            offset: 0,
            readable: how.read || !is_file,
            writable: is_file && (how.write || how.append),
            append: how.append,
        };
        Arc::make_mut(&mut self.descriptors).add(descriptor)
    }

    /// Whether a path leads to what is not in memory yet.
    fn leads_to_host(&self, base: Fd, path: &str, how: Opening) -> Result<bool, Errno> {
        let spot = self.walk(base, path, how.follow)?;
        let place = spot.found.map_or(spot.folder, |found| found.place);
        Ok(matches!(place, Place::Host(_)))
    }

    pub(crate) fn open_target(
        &mut self,
        base: Fd,
        path: &str,
        how: Opening,
        now: u64,
    ) -> Result<Target, Errno> {
        let follow = how.follow && !(how.create && how.exclusive);
        let spot = self.walk(base, path, follow)?;
        let Some(found) = &spot.found else {
            return if how.create { self.create(&spot, how, now) } else { Err(Errno::NotFound) };
        };
        if how.create && how.exclusive {
            return Err(Errno::Exists);
        }
        match found.kind {
            Kind::Folder if how.writes() || how.create => Err(Errno::IsFolder),
            Kind::Folder => self.open_folder(&found.place),
            _ if how.folder || spot.wants_folder => Err(Errno::NotFolder),
            Kind::Link => Err(Errno::Loop), // it was not to be followed
            Kind::Other => Err(Errno::Access),
            Kind::File => self.open_file(&found.clone(), how, now),
        }
    }

    fn open_folder(&self, place: &Place) -> Result<Target, Errno> {
        match place {
            Place::Own(ino) => Ok(Target::Folder(*ino)),
            Place::Host(host) => {
                let folder = &self.mount(host.mount)?.folder;
                let open = Held::open(|| folder.open_folder(&host.path))?;
                Ok(Target::HostFolder { place: host.clone(), open: Arc::new(open) })
            }
        }
    }

    /// Opens a file to read it.
    pub(crate) fn open_to_read(&self, found: &Found) -> Result<Target, Errno> {
        match (&found.place, found.kind) {
            (_, Kind::Folder) => Err(Errno::IsFolder),
            (Place::Own(ino), _) => Ok(Target::File(*ino)),
            (Place::Host(host), _) => {
                let folder = &self.mount(host.mount)?.folder;
                let file = Held::open(|| folder.open_to_read(&host.path))?;
                Ok(Target::HostFile { place: host.clone(), file: Arc::new(file) })
            }
        }
    }

    fn open_file(&mut self, found: &Found, how: Opening, now: u64) -> Result<Target, Errno> {
        if !how.writes() {
            return self.open_to_read(found);
        }
        let target = match &found.place {
            Place::Own(ino) => Target::File(*ino),
            Place::Host(host) => match self.mount(host.mount)?.folder.access() {
                MountAccess::ReadOnly => return Err(Errno::ReadOnly),
                MountAccess::Overlay => Target::File(self.copy_up(host, !how.truncate, now)?),
                MountAccess::ReadWrite => self.open_host(host, how, false)?,
            },
        };
        if how.truncate {
            self.resize(&target, 0, now)?;
        }
        Ok(target)
    }

    fn open_host(&self, host: &HostPlace, how: Opening, create: bool) -> Result<Target, Errno> {
        let folder = &self.mount(host.mount)?.folder;
        let make = match (create, how.exclusive) {
            (false, _) => Creation::Never,
            (true, false) => Creation::IfMissing,
            (true, true) => Creation::Always,
        };
        let file = Held::open(|| folder.open_to_write(&host.path, how.read, make))?;
        Ok(Target::HostFile { place: host.clone(), file: Arc::new(file) })
    }

    fn create(&mut self, spot: &Spot, how: Opening, now: u64) -> Result<Target, Errno> {
        if how.folder {
            return Err(Errno::Invalid);
        }
        if spot.wants_folder {
            return Err(Errno::IsFolder);
        }
        self.check_depth(&spot.folder, 1)?;
        match self.writable(spot, now)? {
            Writable::Own(folder) => {
                let quota = self.quota;
                let node = Node::file(Content::default(), now);
                let ino = self.tree_mut().add(folder, spot.name()?, node, &quota)?;
                Ok(Target::File(ino))
            }
            Writable::Host { mount, path } => self.open_host(&HostPlace { mount, path }, how, true),
        }
    }
}
