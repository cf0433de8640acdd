//! Overlays: the host's folder shows through until something in it is changed; then the folders on
//! the way to it, and the file itself, are copied into the session's memory.

use std::sync::Arc;

use pcm_runtime_api::MountAccess;
use rustix::io::pread;

use crate::content::{CHUNK, Content};
use crate::node::{Body, Ino, Lower, Node};
use crate::walk::{HostPlace, Place};
use crate::{Errno, Files, Kind, paths};

impl Files {
    pub(crate) fn is_overlay(&self, host: &HostPlace) -> bool {
        self.mount(host.mount).is_ok_and(|mount| mount.folder.access() == MountAccess::Overlay)
    }

    /// The node in memory for a place that is to be changed: of what an overlay shows of the host, a
    /// copy. Places of other mounts have none.
    pub(crate) fn own(&mut self, place: &Place, now: u64) -> Result<Ino, Errno> {
        match self.current(place)? {
            Place::Own(ino) => Ok(ino),
            Place::Host(host) => self.copy_up(&host, true, now),
        }
    }

    /// Copies what an overlay shows of the host; a file without its content where that is not
    /// wanted.
    pub(crate) fn copy_up(
        &mut self,
        host: &HostPlace,
        with_content: bool,
        now: u64,
    ) -> Result<Ino, Errno> {
        let mount = self.mount(host.mount)?;
        let mut folder = mount.overlay.ok_or(Errno::ReadOnly)?;
        let mut path = String::new();
        for name in host.path.split('/').filter(|name| !name.is_empty()) {
            path = paths::join(&path, name);
            if let Some(ino) = self.tree.folder(folder)?.child(name) {
                folder = ino;
                continue;
            }
            let place = HostPlace { mount: host.mount, path: path.clone() };
            let mut node = self.copied(&place, with_content)?;
            let modified = self.tree.node(folder)?.times;
            let quota = self.quota;
            node.times.changed = now;
            let tree = self.tree_mut();
            let ino = tree.add(folder, name, node, &quota)?;
            tree.node_mut(folder)?.times = modified; // it shows what it showed before
            folder = ino;
        }
        Ok(folder)
    }

    /// A node as the host has it.
    fn copied(&self, place: &HostPlace, with_content: bool) -> Result<Node, Errno> {
        let folder = &self.mount(place.mount)?.folder;
        let stat = folder.stat(&place.path)?;
        let body = match stat.kind {
            Kind::Folder => {
                let lower = Lower { mount: place.mount, path: place.path.clone() };
                Node::folder(Some(lower), 0).body
            }
            Kind::File if with_content => {
                let room = self.quota.bytes.saturating_sub(self.tree.bytes());
                if stat.size > room {
                    return Err(Errno::NoSpace);
                }
                let file = folder.open_to_read(&place.path)?;
                let mut content = Content::default();
                let mut buffer = vec![0; CHUNK];
                loop {
                    let count = pread(&file.file, &mut buffer, content.size())?;
                    let Some(data) = buffer.get(..count).filter(|data| !data.is_empty()) else {
                        break Body::File(content);
                    };
                    content.write(content.size(), data);
                    if content.size() > room {
                        return Err(Errno::NoSpace); // it has grown meanwhile
                    }
                }
            }
            Kind::File => Body::File(Content::default()),
            Kind::Link | Kind::Other => return Err(Errno::Access),
        };
        Ok(Node::new(stat.times, body))
    }

    /// Whether the host has something under a name that the overlay would show, if its own entry
    /// were not there.
    pub(crate) fn is_below(&self, folder: Ino, name: &str) -> Result<bool, Errno> {
        let Some(lower) = &self.tree.folder(folder)?.lower else { return Ok(false) };
        let mount = self.mount(lower.mount)?;
        Ok(mount.folder.kind(&paths::join(&lower.path, name))?.is_some())
    }

    /// Removes a name from a folder in memory, and hides what the host has of it.
    pub(crate) fn remove_own(&mut self, folder: Ino, name: &str, now: u64) -> Result<(), Errno> {
        let below = self.is_below(folder, name)?;
        let quota = self.quota;
        if self.tree.folder(folder)?.child(name).is_none() {
            return self.tree_mut().hide(folder, name, &quota, now);
        }
        // The name that is hidden takes the place of the entry that goes.
        let descriptors = Arc::clone(&self.descriptors);
        let is_open = |ino| descriptors.holds(ino);
        self.tree_mut().remove(folder, name, below, is_open, now)
    }
}
