//! Listing folders, a piece at a time.
//!
//! A cookie names an entry: the listing goes on after it. Nothing is kept between two pieces, so a
//! folder may have any number of entries, and may change meanwhile. In memory a cookie is the
//! number of the node; on the host it is the host's own, with the highest bit set.

use pcm_runtime_api::{HostEntry, OpenFolder};

use crate::descriptors::Target;
use crate::node::{Body, Folder, Ino, ROOT_INO};
use crate::walk::Place;
use crate::{Errno, Fd, Files, Kind, ROOT};

/// The cookie of `.`; that of the node `n` is `n` more than that of `..`.
const SELF: u64 = 1;
const PARENT: u64 = 2;
/// Marks the host's cookies.
const HOST: u64 = 1 << 63;

/// A name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderEntry<'a> {
    /// The name.
    pub name: &'a str,
    /// What it stands for.
    pub kind: Kind,
    /// As [`Stat::number`](crate::Stat::number).
    pub number: u64,
    /// Where the listing goes on after this entry.
    pub cookie: u64,
}

/// Takes an entry, and says whether it wants another.
type Taker<'a> = dyn FnMut(FolderEntry<'_>) -> bool + 'a;

impl Files {
    /// Gives the entries of a folder after `cookie`, 0 for all, until `take` has enough. Names that
    /// are not UTF-8 are left out: they could not be opened.
    pub fn read_folder(&self, fd: Fd, cookie: u64, take: &mut Taker<'_>) -> Result<(), Errno> {
        if fd == ROOT {
            return self.list_place(&Place::Own(ROOT_INO), None, cookie, take);
        }
        let descriptor = self.descriptor(fd)?;
        let place = descriptor.folder()?;
        let open = match &descriptor.target {
            Target::HostFolder { open, .. } => Some((***open).as_ref()),
            _ => None,
        };
        // A folder that is gone from the overlay but still open lists nothing any more.
        match self.current(&place) {
            Ok(place) => self.list_place(&place, open, cookie, take),
            Err(Errno::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn list_place(
        &self,
        place: &Place,
        open: Option<&dyn OpenFolder>,
        cookie: u64,
        take: &mut Taker<'_>,
    ) -> Result<(), Errno> {
        for (name, at) in [(".", SELF), ("..", PARENT)] {
            if cookie >= at {
                continue;
            }
            let number = match at {
                SELF => self.stat_place(place),
                _ => self.above(place, false).and_then(|above| self.stat_place(&above)),
            };
            let number = number.map_or(0, |stat| stat.number);
            if !take(FolderEntry { name, kind: Kind::Folder, number, cookie: at }) {
                return Ok(());
            }
        }
        match place {
            Place::Own(ino) => self.list_own(*ino, cookie, take),
            Place::Host(host) => {
                let (start, mut show) = (host_cookie(cookie), showing(|_| true, take));
                match open {
                    Some(open) => Ok(open.list(start, &mut show)?),
                    None => self.mount(host.mount)?.folder.list(&host.path, start, &mut show),
                }
            }
        }
    }

    fn list_own(&self, ino: Ino, cookie: u64, take: &mut Taker<'_>) -> Result<(), Errno> {
        let folder = self.tree.folder(ino)?;
        if cookie < HOST && !self.list_nodes(folder, cookie, take)? {
            return Ok(());
        }
        let Some(lower) = &folder.lower else { return Ok(()) };
        let host = &self.mount(lower.mount)?.folder;
        let shows = |name: &str| !folder.entries.contains_key(name);
        host.list_lower(&lower.path, host_cookie(cookie), &mut showing(shows, take))
    }

    /// Whether it came to the end.
    fn list_nodes(
        &self,
        folder: &Folder,
        cookie: u64,
        take: &mut Taker<'_>,
    ) -> Result<bool, Errno> {
        let after = cookie.saturating_sub(PARENT);
        for (ino, name) in folder.order.range(Ino(after + 1)..) {
            let (kind, number) = match &self.tree.node(*ino)?.body {
                Body::File(_) => (Kind::File, ino.0),
                Body::Folder(_) => (Kind::Folder, ino.0),
                Body::Mount(mount) => {
                    (Kind::Folder, self.mount(*mount)?.folder.stat("").map_or(0, |s| s.number))
                }
            };
            let cookie = ino.0 + PARENT;
            if !take(FolderEntry { name, kind, number, cookie }) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Where the host goes on.
fn host_cookie(cookie: u64) -> u64 {
    if cookie >= HOST { cookie & !HOST } else { 0 }
}

/// Takes what the host has, where it has a name and `shows`.
fn showing(
    shows: impl Fn(&str) -> bool,
    take: &mut Taker<'_>,
) -> impl FnMut(HostEntry<'_>) -> bool {
    move |HostEntry { name, kind, number, cookie }| match name {
        Some(name) if shows(name) => {
            take(FolderEntry { name, kind, number, cookie: HOST | cookie })
        }
        _ => true,
    }
}
