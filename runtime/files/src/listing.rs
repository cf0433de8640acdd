//! Listing folders, a piece at a time.
//!
//! A cookie names an entry: the listing goes on after it. Nothing is kept between two pieces, so a
//! folder may have any number of entries, and may change meanwhile. In memory a cookie is the
//! number of the node; on the host it is the host's own, with the highest bit set.

use std::ffi::CStr;

use cap_std::fs::Dir;
use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, openat, seek};

use crate::descriptors::Target;
use crate::mounts::{HostFolder, kind};
use crate::node::{Body, Folder, Ino, ROOT_INO};
use crate::walk::Place;
use crate::{Errno, Fd, Files, Kind, ROOT};

/// What the host is asked for at a time, in bytes.
const PIECE: usize = 8 << 10;
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
        let dir = match &descriptor.target {
            Target::HostFolder { dir, .. } => Some(&***dir),
            _ => None,
        };
        // A folder that is gone from the overlay but still open lists nothing any more.
        match self.current(&place) {
            Ok(place) => self.list_place(&place, dir, cookie, take),
            Err(Errno::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn list_place(
        &self,
        place: &Place,
        dir: Option<&Dir>,
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
                let folder = &self.mount(host.mount)?.folder;
                match dir {
                    Some(dir) => folder.list(dir, cookie, |_| true, take),
                    None => folder.list(&folder.open_folder(&host.path)?, cookie, |_| true, take),
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
        match host.open_lower(&lower.path)? {
            Some(dir) => host.list(&dir, cookie, shows, take),
            None => Ok(()),
        }
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

impl HostFolder {
    /// Whether a folder has no entry that `shows`.
    pub(crate) fn is_empty(&self, path: &str, shows: impl Fn(&str) -> bool) -> Result<bool, Errno> {
        let Some(dir) = self.open_lower(path)? else { return Ok(true) };
        let mut empty = true;
        list_all(&dir, 0, &mut |entry| {
            // What has no name here is still in the way.
            empty = entry.name.is_some_and(|name| !shows(name));
            Ok(empty)
        })?;
        Ok(empty)
    }

    fn list(
        &self,
        dir: &Dir,
        cookie: u64,
        shows: impl Fn(&str) -> bool,
        take: &mut Taker<'_>,
    ) -> Result<(), Errno> {
        let start = if cookie >= HOST { cookie & !HOST } else { 0 };
        list_all(dir, start, &mut |entry| {
            let Some(name) = entry.name.filter(|name| shows(name)) else { return Ok(true) };
            let kind = match entry.file_type {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                // Some file systems do not say.
                FileType::Unknown => {
                    let metadata = dir.symlink_metadata(name);
                    metadata.map_or(Kind::Other, |metadata| kind(metadata.file_type()))
                }
                _ => Kind::Other,
            };
            let (number, cookie) = (self.number(entry.number), HOST | entry.next);
            Ok(take(FolderEntry { name, kind, number, cookie }))
        })
    }
}

/// An entry as the host has it.
struct HostEntry<'a> {
    /// None where it is not UTF-8.
    name: Option<&'a str>,
    file_type: FileType,
    number: u64,
    next: u64,
}

/// Gives the entries after the host's cookie `start`, but for `.` and `..`.
fn list_all(
    dir: &Dir,
    start: u64,
    take: &mut dyn FnMut(HostEntry<'_>) -> Result<bool, Errno>,
) -> Result<(), Errno> {
    // A handle of its own: the position belongs to the handle, and copies of a session share
    // the descriptor's.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = openat(dir, ".", flags, Mode::empty())?;
    if start > 0 {
        seek(&handle, SeekFrom::Start(start))?;
    }
    let mut buffer = Vec::with_capacity(PIECE);
    let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if is_dots(name) {
            continue;
        }
        let entry = HostEntry {
            name: name.to_str().ok(),
            file_type: entry.file_type(),
            number: entry.ino(),
            next: entry.next_entry_cookie(),
        };
        if !take(entry)? {
            break;
        }
    }
    Ok(())
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
