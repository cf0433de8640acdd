//! What the guest has open.

use std::sync::Arc;

use pcm_runtime_api::{HostFile, OpenFolder};

use crate::handles::{Held, MOST_OF_A_SESSION};
use crate::node::Ino;
use crate::quota::MOST_DESCRIPTORS;
use crate::walk::{HostPlace, Place};
use crate::{Errno, Kind};

/// The number of a descriptor.
pub type Fd = u32;

/// The descriptor of the root, which is always open. The numbers below are the caller's.
pub const ROOT: Fd = 3;
const FIRST: Fd = ROOT + 1;

/// What may be done with a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// What it is open on.
    pub kind: Kind,
    /// It may be read.
    pub readable: bool,
    /// It may be written.
    pub writable: bool,
    /// Every write goes to the end.
    pub append: bool,
}

/// What a descriptor is open on.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    File(Ino),
    Folder(Ino),
    /// A file of a mount. Copies of a session share the handle, which has no position of its own.
    HostFile {
        place: HostPlace,
        file: Arc<Held<HostFile>>,
    },
    HostFolder {
        place: HostPlace,
        open: Arc<Held<Box<dyn OpenFolder>>>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Descriptor {
    pub(crate) target: Target,
    pub(crate) offset: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) append: bool,
}

impl Descriptor {
    /// The folder that it stands for.
    pub(crate) fn folder(&self) -> Result<Place, Errno> {
        match &self.target {
            Target::Folder(ino) => Ok(Place::Own(*ino)),
            Target::HostFolder { place, .. } => Ok(Place::Host(place.clone())),
            Target::File(_) | Target::HostFile { .. } => Err(Errno::NotFolder),
        }
    }
}

impl Target {
    /// The node in memory that it keeps alive.
    pub(crate) fn ino(&self) -> Option<Ino> {
        match self {
            Self::File(ino) | Self::Folder(ino) => Some(*ino),
            Self::HostFile { .. } | Self::HostFolder { .. } => None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::File(_) | Self::HostFile { .. } => Kind::File,
            Self::Folder(_) | Self::HostFolder { .. } => Kind::Folder,
        }
    }
}

/// Descriptors by number, from [`FIRST`] on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Descriptors(Vec<Option<Descriptor>>);

impl Descriptors {
    /// Whether there is no room for another one.
    pub(crate) fn is_full(&self) -> bool {
        self.0.iter().flatten().count() >= MOST_DESCRIPTORS
    }

    /// Whether the session holds as many handles of the host as it may.
    pub(crate) fn has_all_handles(&self) -> bool {
        let handles = self.0.iter().flatten().filter(|open| open.target.ino().is_none());
        handles.count() >= MOST_OF_A_SESSION
    }

    /// Gives a descriptor the lowest free number.
    pub(crate) fn add(&mut self, descriptor: Descriptor) -> Result<Fd, Errno> {
        if self.is_full() {
            return Err(Errno::TooManyOpen);
        }
        let free = self.0.iter().position(Option::is_none).unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        let fd = Fd::try_from(free).map_err(|_| Errno::TooManyOpen)? + FIRST;
        self.add_as(fd, descriptor)?;
        Ok(fd)
    }

    /// Puts a descriptor under a number that is free.
    pub(crate) fn add_as(&mut self, fd: Fd, descriptor: Descriptor) -> Result<(), Errno> {
        let index = index(fd)?;
        if index >= MOST_DESCRIPTORS {
            return Err(Errno::TooManyOpen);
        }
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        match self.0.get_mut(index) {
            Some(place @ None) => *place = Some(descriptor),
            _ => return Err(Errno::Exists),
        }
        Ok(())
    }

    pub(crate) fn get(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        self.0.get(index(fd)?).and_then(Option::as_ref).ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn get_mut(&mut self, fd: Fd) -> Result<&mut Descriptor, Errno> {
        self.0.get_mut(index(fd)?).and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn remove(&mut self, fd: Fd) -> Result<Descriptor, Errno> {
        self.0.get_mut(index(fd)?).and_then(Option::take).ok_or(Errno::BadDescriptor)
    }

    /// Whether a descriptor keeps the node alive.
    pub(crate) fn holds(&self, ino: Ino) -> bool {
        self.0.iter().flatten().any(|descriptor| descriptor.target.ino() == Some(ino))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &Descriptor)> {
        (FIRST..).zip(&self.0).filter_map(|(fd, place)| Some((fd, place.as_ref()?)))
    }
}

fn index(fd: Fd) -> Result<usize, Errno> {
    let index = fd.checked_sub(FIRST).ok_or(Errno::BadDescriptor)?;
    usize::try_from(index).map_err(|_| Errno::BadDescriptor)
}
