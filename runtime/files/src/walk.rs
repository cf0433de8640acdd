//! From a path to what lies there.

use crate::node::{Body, Entry, Ino, Lower, ROOT_INO};
use crate::quota::LONGEST_PATH;
use crate::{Errno, Fd, Files, Kind, ROOT, Stat, paths};

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
    /// What the host said of it, where it was asked.
    pub(crate) stat: Option<Stat>,
}

impl Found {
    fn new(place: Place, kind: Kind) -> Self {
        Self { place, kind, stat: None }
    }
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

/// Where a step led.
struct Reached {
    /// The folder that the name lies in.
    folder: Place,
    name: String,
    found: Option<Found>,
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
        let start = Found::new(self.current(&start)?, Kind::Folder);
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
                let found = Some(Found::new(above.clone(), Kind::Folder));
                spot = Spot { folder: above, name: None, found, wants_folder };
                continue;
            }
            let Reached { folder, name, found } = self.go(folder, step.name, &mut left)?;
            if let Some(Found { place: Place::Host(link), kind: Kind::Link, .. }) = &found
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
                spot.found = Some(Found::new(folder, Kind::Folder));
                continue;
            }
            spot = Spot { folder, name: Some(name), found, wants_folder };
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

    /// Goes to a name in a folder. On the host it goes on through `left` as long as that leads down
    /// through folders, so that a host that has to be asked is asked once.
    fn go(&self, folder: Place, name: String, left: &mut Vec<Step>) -> Result<Reached, Errno> {
        paths::check_name(&name)?;
        let host = match &folder {
            Place::Host(host) => host.clone(),
            Place::Own(ino) => {
                let own = self.tree.folder(*ino)?;
                let found = match (own.entries.get(name.as_str()), &own.lower) {
                    (None, Some(lower)) => Err(lower.into()),
                    (Some(Entry::Node(ino)), _) => Ok(Some(self.found(*ino)?)),
                    (Some(Entry::Gone), _) | (None, None) => Ok(None),
                };
                match found {
                    Ok(found) => return Ok(Reached { folder, name, found }),
                    Err(host) => host,
                }
            }
        };
        let HostPlace { mount, path: above } = host;
        let mut path = paths::join(&above, &name);
        for step in left.iter().rev() {
            let is_plain = step.name != ".." && paths::check_name(&step.name).is_ok();
            if !is_plain || path.len() + 1 + step.name.len() > LONGEST_PATH {
                break;
            }
            path.push('/');
            path.push_str(&step.name);
        }
        let (end, stat) = self.mount(mount)?.folder.follow(&path, above.len())?;
        path.truncate(end);
        let passed = paths::depth(&path) - paths::depth(&above) - 1;
        let (folder, name) = match paths::split(&path) {
            Some((above, name)) if passed > 0 => {
                left.truncate(left.len() - passed);
                (Place::Host(HostPlace { mount, path: above.to_owned() }), name.to_owned())
            }
            _ => (folder, name),
        };
        let place = Place::Host(HostPlace { mount, path });
        let found = stat.map(|stat| Found { place, kind: stat.kind, stat: Some(stat) });
        Ok(Reached { folder, name, found })
    }

    fn found(&self, ino: Ino) -> Result<Found, Errno> {
        Ok(match self.tree.node(ino)?.body {
            Body::File(_) => Found::new(Place::Own(ino), Kind::File),
            Body::Folder(_) => Found::new(Place::Own(ino), Kind::Folder),
            Body::Mount(mount) => {
                let place = Place::Host(HostPlace { mount, path: String::new() });
                Found::new(place, Kind::Folder)
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
