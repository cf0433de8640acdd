//! From a path to what lies there.

use crate::node::{Body, Entry, Ino, Lower, ROOT_INO};
use crate::{Errno, Fd, Files, Kind, ROOT, paths};

/// The symbolic links that one path may lead through.
const MOST_LINKS: usize = 40;

/// A place in a session's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A node in memory.
    Own(Ino),
    Host(HostPlace),
}

/// A place in a mounted folder. No name in its path is a symbolic link, except perhaps the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPlace {
    pub(crate) mount: usize,
    /// Relative to the mount; empty for the mount itself.
    pub(crate) path: String,
}

impl HostPlace {
    fn join(&self, name: &str) -> Self {
        Self { mount: self.mount, path: paths::join(&self.path, name) }
    }
}

impl From<&Lower> for HostPlace {
    fn from(lower: &Lower) -> Self {
        Self { mount: lower.mount, path: lower.path.clone() }
    }
}

/// Where a path led.
#[derive(Debug)]
pub(crate) struct Spot {
    /// The folder that the last name lies in.
    pub(crate) folder: Place,
    /// The last name; None when the path ends in a folder that has no name there: `/`, `.`, `..`.
    pub(crate) name: Option<String>,
    /// What lies there now.
    pub(crate) found: Option<Found>,
    /// The path ends in a slash.
    pub(crate) wants_folder: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

impl Spot {
    /// What lies there, which has to be something.
    pub(crate) fn found(&self) -> Result<&Found, Errno> {
        let found = self.found.as_ref().ok_or(Errno::NotFound)?;
        if self.wants_folder && found.kind != Kind::Folder {
            return Err(Errno::NotFolder);
        }
        Ok(found)
    }

    /// The last name, where it can be made, moved or removed.
    pub(crate) fn name(&self) -> Result<&str, Errno> {
        self.name.as_deref().ok_or(Errno::Busy)
    }
}

/// A name still to go.
struct Step {
    name: String,
    /// It comes from a symbolic link of the host, which must not lead out of its mount.
    from_link: bool,
}

impl Files {
    /// Follows `path` from a descriptor. A symbolic link at its end is followed with `follow`.
    pub(crate) fn walk(&self, base: Fd, path: &str, follow: bool) -> Result<Spot, Errno> {
        paths::check(path)?;
        let start = if path.starts_with('/') { Place::Own(ROOT_INO) } else { self.base(base)? };
        let start = Found { place: self.current(&start)?, kind: Kind::Folder };
        let steps = |path: &str, from_link| -> Vec<Step> {
            let names = path.split('/').rev().filter(|name| !matches!(*name, "" | "."));
            names.map(|name| Step { name: name.to_owned(), from_link }).collect()
        };
        let wants_folder = path.ends_with(['/']) || path.ends_with("/.") || path == ".";
        let mut left = steps(path, false);
        let mut links = 0;
        let mut spot =
            Spot { folder: start.place.clone(), name: None, found: Some(start), wants_folder };
        while let Some(step) = left.pop() {
            let folder = spot.found.take().ok_or(Errno::NotFound)?;
            if folder.kind != Kind::Folder {
                return Err(Errno::NotFolder);
            }
            let folder = folder.place;
            if step.name == ".." {
                let above = self.above(&folder, step.from_link)?;
                let found = Some(Found { place: above.clone(), kind: Kind::Folder });
                spot = Spot { folder: above, name: None, found, wants_folder };
                continue;
            }
            let found = self.child(&folder, &step.name)?;
            if let Some(Found { place: Place::Host(link), kind: Kind::Link }) = &found
                && (follow || wants_folder || !left.is_empty())
            {
                links += 1;
                let target = self.mount(link.mount)?.folder.read_link(&link.path)?;
                if links > MOST_LINKS {
                    return Err(Errno::Loop);
                }
                if target.starts_with('/') {
                    return Err(Errno::Access); // its own idea of what the root is
                }
                left.extend(steps(&target, true));
                spot.found = Some(Found { place: folder, kind: Kind::Folder });
                continue;
            }
            spot = Spot { folder, name: Some(step.name), found, wants_folder };
        }
        Ok(spot)
    }

    /// The folder that a descriptor stands for.
    fn base(&self, fd: Fd) -> Result<Place, Errno> {
        if fd == ROOT {
            return Ok(Place::Own(ROOT_INO));
        }
        self.descriptor(fd)?.folder()
    }

    /// A place as it is now: what was the host's when it was opened may have been copied into the
    /// overlay since.
    pub(crate) fn current(&self, place: &Place) -> Result<Place, Errno> {
        let Place::Host(host) = place else { return Ok(place.clone()) };
        let mount = self.mount(host.mount)?;
        let Some(mut at) = mount.overlay else { return Ok(place.clone()) };
        for name in host.path.split('/').filter(|name| !name.is_empty()) {
            let folder = self.tree.folder(at)?;
            match folder.entries.get(name) {
                Some(Entry::Node(ino)) => at = *ino,
                None if folder.lower.is_some() => return Ok(place.clone()),
                Some(Entry::Gone) | None => return Err(Errno::NotFound),
            }
        }
        Ok(Place::Own(at))
    }

    /// What a folder has under a name.
    pub(crate) fn child(&self, folder: &Place, name: &str) -> Result<Option<Found>, Errno> {
        paths::check_name(name)?;
        let host = match folder {
            Place::Host(host) => host.clone(),
            Place::Own(ino) => {
                let folder = self.tree.folder(*ino)?;
                match (folder.entries.get(name), &folder.lower) {
                    (Some(Entry::Node(ino)), _) => return self.found(*ino).map(Some),
                    (None, Some(lower)) => lower.into(),
                    (Some(Entry::Gone), _) | (None, None) => return Ok(None),
                }
            }
        };
        let place = host.join(name);
        let kind = self.mount(place.mount)?.folder.kind(&place.path)?;
        Ok(kind.map(|kind| Found { place: Place::Host(place), kind }))
    }

    fn found(&self, ino: Ino) -> Result<Found, Errno> {
        Ok(match self.tree.node(ino)?.body {
            Body::File(_) => Found { place: Place::Own(ino), kind: Kind::File },
            Body::Folder(_) => Found { place: Place::Own(ino), kind: Kind::Folder },
            Body::Mount(mount) => {
                let place = Place::Host(HostPlace { mount, path: String::new() });
                Found { place, kind: Kind::Folder }
            }
        })
    }

    /// The folder above a folder; the root is above itself.
    pub(crate) fn above(&self, folder: &Place, from_link: bool) -> Result<Place, Errno> {
        match folder {
            Place::Own(ino) if self.tree.is_orphan(*ino) => Err(Errno::NotFound),
            Place::Own(ino) if from_link && self.is_mount_point(*ino) => Err(Errno::Access),
            Place::Own(ino) => Ok(Place::Own(self.tree.node(*ino)?.parent)),
            Place::Host(host) => match paths::split(&host.path) {
                Some((above, _)) => {
                    let path = above.to_owned();
                    self.current(&Place::Host(HostPlace { mount: host.mount, path }))
                }
                None if from_link => Err(Errno::Access),
                None => Ok(Place::Own(self.mount(host.mount)?.parent)),
            },
        }
    }

    /// The number of names above what lies directly in a folder.
    pub(crate) fn depth(&self, folder: &Place) -> Result<usize, Errno> {
        match folder {
            Place::Own(ino) => self.tree.depth(*ino),
            Place::Host(host) => {
                let mount = self.mount(host.mount)?;
                Ok(self.tree.depth(mount.parent)? + 1 + paths::depth(&host.path))
            }
        }
    }

    /// Refuses a new name that would be too deep.
    pub(crate) fn check_depth(&self, folder: &Place, levels: usize) -> Result<(), Errno> {
        let most = usize::try_from(self.quota.depth).unwrap_or(usize::MAX);
        if self.depth(folder)? + levels > most { Err(Errno::NameTooLong) } else { Ok(()) }
    }
}
