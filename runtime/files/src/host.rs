//! What the embedder does with a session's files.

use std::io;
use std::sync::Arc;

use pcm_runtime_api::{Mount, MountAccess, MountSource};

use crate::content::CHUNK;
use crate::mounts::{Mounted, MountedFolder};
use crate::node::{Body, Ino, Lower, Node, ROOT_INO};
use crate::walk::Place;
use crate::{Errno, Files, FilesError, Kind, Opening, ROOT, Times, paths};

/// What relative paths of the embedder start from: the working folder of sandboxed code.
const WORKING_FOLDER: &str = "/work";

impl Files {
    /// Writes a file, with the folders above it. A relative path is one in `/work`. Either all of it
    /// is written or nothing, as far as memory goes.
    pub fn put(&mut self, path: &str, content: &[u8], now: u64) -> Result<(), FilesError> {
        self.put_at(&absolute(path), content, now)
            .map_err(|reason| FilesError::File { path: path.to_owned(), reason })
    }

    fn put_at(&mut self, path: &str, content: &[u8], now: u64) -> Result<(), Errno> {
        let above: Vec<usize> = path.match_indices('/').skip(1).map(|(at, _)| at).collect();
        for end in above {
            match self.make_folder(ROOT, &path[..end], now) {
                Ok(()) | Err(Errno::Exists) => {}
                Err(error) => return Err(error),
            }
        }
        self.check_room(path, content.len() as u64)?;
        let target = self.open_target(ROOT, path, Opening::REPLACE, now)?;
        let mut done = 0;
        while let Some(rest) = content.get(done..).filter(|rest| !rest.is_empty()) {
            match self.write_target(&target, done as u64, rest, false, now)? {
                0 => return Err(Errno::Io),
                count => done += count,
            }
        }
        Ok(())
    }

    /// Looks whether a file may have so many bytes, before the one that is there is cut off.
    fn check_room(&self, path: &str, bytes: u64) -> Result<(), Errno> {
        let spot = self.walk(ROOT, path, true)?;
        let before = match spot.found.map(|found| found.place) {
            Some(Place::Own(ino)) => self.tree.content(ino)?.size(),
            Some(Place::Host(host)) if !self.is_overlay(&host) => {
                return if bytes > self.quota.bytes { Err(Errno::NoSpace) } else { Ok(()) };
            }
            Some(Place::Host(_)) | None => 0,
        };
        let after = (self.tree.bytes() - before).checked_add(bytes);
        if after.is_none_or(|after| after > self.quota.bytes) {
            Err(Errno::NoSpace)
        } else {
            Ok(())
        }
    }

    /// Reads a file, if it has at most `longest` bytes.
    pub fn get(&self, path: &str, longest: u64) -> Result<Vec<u8>, FilesError> {
        let refuse = |reason| FilesError::File { path: path.to_owned(), reason };
        let spot = self.walk(ROOT, &absolute(path), true).map_err(refuse)?;
        let target = spot.found().and_then(|found| self.open_to_read(found)).map_err(refuse)?;
        let too_long = |bytes| FilesError::TooLong { path: path.to_owned(), bytes, longest };
        let size = self.size(&target).map_err(refuse)?;
        if size > longest {
            return Err(too_long(size));
        }
        let mut content = Vec::new();
        let mut buffer = vec![0; CHUNK];
        loop {
            let offset = content.len() as u64;
            let count = self.read_target(&target, offset, &mut buffer).map_err(refuse)?;
            match buffer.get(..count) {
                None | Some([]) => return Ok(content),
                Some(data) => content.extend_from_slice(data),
            }
            if content.len() as u64 > longest {
                return Err(too_long(content.len() as u64)); // it has grown meanwhile
            }
        }
    }

    /// The names in a folder, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<(String, Kind)>, FilesError> {
        let refuse = |reason| FilesError::File { path: path.to_owned(), reason };
        let mut names = Vec::new();
        let spot = self.walk(ROOT, &absolute(path), true).map_err(refuse)?;
        let found = spot.found().map_err(refuse)?;
        if found.kind != Kind::Folder {
            return Err(refuse(Errno::NotFolder));
        }
        let taken = self.list_place(&found.place, None, 0, &mut |entry| {
            if !matches!(entry.name, "." | "..") {
                names.push((entry.name.to_owned(), entry.kind));
            }
            true
        });
        taken.map_err(refuse)?;
        names.sort_unstable_by(|one, two| one.0.cmp(&two.0));
        Ok(names)
    }

    /// Whether something lies at a path.
    pub fn exists(&self, path: &str) -> bool {
        self.walk(ROOT, &absolute(path), true).is_ok_and(|spot| spot.found.is_some())
    }

    /// Mounts folders of the host.
    pub(crate) fn mount_all(&mut self, mounts: &[Mount], now: u64) -> Result<(), FilesError> {
        let mut mounted = Vec::with_capacity(mounts.len());
        for (index, mount) in mounts.iter().enumerate() {
            check_apart(mount, &mounts[..index])?;
            let refuse = |reason| FilesError::Mount { guest: mount.guest.clone(), reason };
            let folder = MountedFolder::open(&mount.host, mount.access, index as u64 + 1)
                .map_err(|error| refuse(unreadable(&mount.host, &error)))?;
            let (parent, point) = self
                .mount_at(&paths::mount_point(&mount.guest)?, index, mount.access, now)
                .map_err(|taken| refuse(taken.to_owned()))?;
            let overlay = (mount.access == MountAccess::Overlay).then_some(point);
            mounted.push(Mounted { folder, parent, overlay });
        }
        self.mounts = mounted.into();
        Ok(())
    }

    /// Makes a mount point and the folders above it.
    fn mount_at(
        &mut self,
        names: &[&str],
        mount: usize,
        access: MountAccess,
        now: u64,
    ) -> Result<(Ino, Ino), &'static str> {
        const TAKEN: &str = "the session has something else there";
        let tree = Arc::make_mut(&mut self.tree);
        let Some((last, above)) = names.split_last() else { return Err(TAKEN) };
        let mut parent = ROOT_INO;
        for name in above {
            let there = tree.folder(parent).map_err(|_| TAKEN)?.child(name);
            parent = if let Some(ino) = there {
                ino
            } else {
                let ino = tree.take_number();
                tree.add_as(ino, parent, name, Node::folder(None, now)).map_err(|_| TAKEN)?;
                ino
            };
        }
        let lower = Lower { mount, path: String::new() };
        if let Some(there) = tree.folder(parent).map_err(|_| TAKEN)?.child(last) {
            let folder = tree.folder(there).map_err(|_| TAKEN)?;
            if folder.lower.as_ref() == Some(&lower) {
                return Ok((parent, there)); // it was saved with what the overlay had changed
            }
            if !folder.entries.is_empty() || self.descriptors.holds(there) {
                return Err(TAKEN);
            }
            tree.remove(parent, last, false, |_| false, now).map_err(|_| TAKEN)?;
        }
        let node = match access {
            MountAccess::Overlay => Node::folder(Some(lower), now),
            MountAccess::ReadOnly | MountAccess::ReadWrite => {
                Node::new(Times::all(now), Body::Mount(mount))
            }
        };
        let ino = tree.take_number();
        tree.add_as(ino, parent, last, node).map_err(|_| TAKEN)?;
        Ok((parent, ino))
    }
}

/// Refuses two mounts at one place, and one inside another.
fn check_apart(mount: &Mount, others: &[Mount]) -> Result<(), FilesError> {
    let below = |one: &str, two: &str| {
        one.strip_prefix(two).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for other in others {
        if below(&mount.guest, &other.guest) || below(&other.guest, &mount.guest) {
            let reason = format!("the mount {} is at the same place or around it", other.guest);
            return Err(FilesError::Mount { guest: mount.guest.clone(), reason });
        }
    }
    Ok(())
}

/// The embedder named the folder.
fn unreadable(host: &MountSource, error: &io::Error) -> String {
    let host = host.folder().unwrap_or_default();
    format!("{}: {error}", host.display())
}

fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{WORKING_FOLDER}/{path}") }
}
