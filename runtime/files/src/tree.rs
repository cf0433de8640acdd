//! The files and folders in memory: a table of nodes under a quota.
//!
//! The table is flat, so nothing here recurses, however deep the folders are. Nodes are shared
//! between the copies of a tree until one of them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::content::Content;
use crate::node::{Body, Entry, Folder, Ino, Name, Node, ROOT_INO};
use crate::{Errno, Quota};

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: BTreeMap<Ino, Arc<Node>>,
    next: u64,
    /// The sizes of all files.
    bytes: u64,
    /// The names that are deleted in overlays.
    gone: u64,
    /// Nodes without a name that a descriptor keeps alive.
    orphans: BTreeSet<Ino>,
}

impl Tree {
    /// An empty root.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT_INO, Arc::new(Node::folder(None, now)))]),
            next: ROOT_INO.0 + 1,
            bytes: 0,
            gone: 0,
            orphans: BTreeSet::new(),
        }
    }

    pub(crate) fn node(&self, ino: Ino) -> Result<&Node, Errno> {
        self.shared(ino).map(|node| &**node).ok_or(Errno::NotFound)
    }

    /// A node as it is shared between trees: the same pointer is the same content.
    pub(crate) fn shared(&self, ino: Ino) -> Option<&Arc<Node>> {
        self.nodes.get(&ino)
    }

    pub(crate) fn node_mut(&mut self, ino: Ino) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).map(Arc::make_mut).ok_or(Errno::NotFound)
    }

    pub(crate) fn folder(&self, ino: Ino) -> Result<&Folder, Errno> {
        match &self.node(ino)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Mount(_) => Err(Errno::NotFolder),
        }
    }

    fn folder_mut(&mut self, ino: Ino) -> Result<&mut Folder, Errno> {
        match &mut self.node_mut(ino)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) | Body::Mount(_) => Err(Errno::NotFolder),
        }
    }

    pub(crate) fn content(&self, ino: Ino) -> Result<&Content, Errno> {
        match &self.node(ino)?.body {
            Body::File(content) => Ok(content),
            Body::Folder(_) | Body::Mount(_) => Err(Errno::IsFolder),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What counts as entries.
    pub(crate) fn entries(&self) -> u64 {
        (self.nodes.len() as u64).saturating_add(self.gone)
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Continues the numbers of a tree that was saved.
    pub(crate) fn count_from(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    pub(crate) fn is_orphan(&self, ino: Ino) -> bool {
        self.orphans.contains(&ino)
    }

    pub(crate) fn orphans(&self) -> impl Iterator<Item = Ino> {
        self.orphans.iter().copied()
    }

    /// The nodes that differ from those of another version of the tree, and all folders above them
    /// in either: what is not among them is the same, with all that lies below.
    pub(crate) fn changed_since(&self, before: &Self) -> BTreeSet<Ino> {
        let mut changed = BTreeSet::new();
        let (mut old, mut new) = (before.nodes.iter().peekable(), self.nodes.iter().peekable());
        loop {
            let ino = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some((ino, _)), None) | (None, Some((ino, _))) => **ino,
                (Some((one, _)), Some((two, _))) => **one.min(two),
            };
            let old = old.next_if(|(at, _)| **at == ino).map(|(_, node)| node);
            let new = new.next_if(|(at, _)| **at == ino).map(|(_, node)| node);
            if let (Some(old), Some(new)) = (old, new)
                && Arc::ptr_eq(old, new)
            {
                continue;
            }
            for (tree, node) in [(before, old), (self, new)] {
                let mut above = node.map(|node| node.parent);
                while let Some(ino) = above.filter(|ino| changed.insert(*ino)) {
                    above = tree.nodes.get(&ino).map(|node| node.parent);
                }
            }
            changed.insert(ino);
        }
        changed
    }

    /// The number of names above a folder; the root's is 0.
    pub(crate) fn depth(&self, mut ino: Ino) -> Result<usize, Errno> {
        let mut depth = 0;
        while ino != ROOT_INO {
            ino = self.node(ino)?.parent;
            depth += 1;
        }
        Ok(depth)
    }

    /// Whether `ino` is `above` or lies below it.
    pub(crate) fn is_within(&self, mut ino: Ino, above: Ino) -> Result<bool, Errno> {
        while ino != above {
            if ino == ROOT_INO {
                return Ok(false);
            }
            ino = self.node(ino)?.parent;
        }
        Ok(true)
    }

    /// A free number. They would last for centuries.
    pub(crate) fn take_number(&mut self) -> Ino {
        let ino = Ino(self.next);
        self.next += 1;
        ino
    }

    /// Adds a node under a name that is free, or hidden by a deletion.
    pub(crate) fn add(
        &mut self,
        folder: Ino,
        name: &str,
        node: Node,
        quota: &Quota,
    ) -> Result<Ino, Errno> {
        if self.entries() >= quota.entries {
            return Err(Errno::NoSpace);
        }
        if self.is_orphan(folder) {
            return Err(Errno::NotFound);
        }
        let ino = self.take_number();
        self.add_as(ino, folder, name, node)?;
        Ok(ino)
    }

    /// Adds a node with a number of its own, whatever the quota says.
    pub(crate) fn add_as(
        &mut self,
        ino: Ino,
        folder: Ino,
        name: &str,
        mut node: Node,
    ) -> Result<(), Errno> {
        if self.nodes.contains_key(&ino) {
            return Err(Errno::Exists);
        }
        node.parent = folder;
        let now = node.times.changed;
        let size = size_of(&node.body);
        self.link(folder, name, ino, now)?;
        self.bytes += size;
        self.nodes.insert(ino, Arc::new(node));
        Ok(())
    }

    /// Adds a file without a name that a descriptor keeps alive.
    pub(crate) fn add_orphan(&mut self, ino: Ino, node: Node) -> Result<(), Errno> {
        if self.nodes.contains_key(&ino) {
            return Err(Errno::Exists);
        }
        self.bytes += size_of(&node.body);
        self.nodes.insert(ino, Arc::new(node));
        self.orphans.insert(ino);
        Ok(())
    }

    /// Gives a node a name that is free or hidden by a deletion.
    fn link(&mut self, folder: Ino, name: &str, ino: Ino, now: u64) -> Result<(), Errno> {
        let name = Name::from(name);
        let to = self.folder_mut(folder)?;
        let before = match to.entries.get(&name) {
            Some(Entry::Node(_)) => return Err(Errno::Exists),
            before => before.copied(),
        };
        to.entries.insert(Arc::clone(&name), Entry::Node(ino));
        to.order.insert(ino, name);
        if before == Some(Entry::Gone) {
            self.gone -= 1;
        }
        self.node_mut(folder)?.times.touch(now);
        Ok(())
    }

    /// Takes a name away and leaves the node to the caller. With `hide`, what the host has of that
    /// name stays hidden; the quota was asked before.
    fn unlink(&mut self, folder: Ino, name: &str, hide: bool, now: u64) -> Result<Ino, Errno> {
        let from = self.folder_mut(folder)?;
        let Some((name, Entry::Node(ino))) = from.entries.remove_entry(name) else {
            return Err(Errno::NotFound);
        };
        from.order.remove(&ino);
        if hide {
            from.entries.insert(name, Entry::Gone);
            self.gone += 1;
        }
        self.node_mut(folder)?.times.touch(now);
        Ok(ino)
    }

    /// Removes a file, or a folder that is empty. While `is_open`, it lives on without a name.
    pub(crate) fn remove(
        &mut self,
        folder: Ino,
        name: &str,
        hide: bool,
        is_open: impl Fn(Ino) -> bool,
        now: u64,
    ) -> Result<(), Errno> {
        let ino = self.unlink(folder, name, hide, now)?;
        if let Body::Folder(removed) = &mut self.node_mut(ino)?.body {
            let hidden = removed.entries.len() as u64;
            removed.entries.clear();
            removed.lower = None;
            self.gone -= hidden;
        }
        if is_open(ino) {
            self.orphans.insert(ino);
        } else {
            self.free(ino);
        }
        Ok(())
    }

    /// Hides what the host has under a name.
    pub(crate) fn hide(
        &mut self,
        folder: Ino,
        name: &str,
        quota: &Quota,
        now: u64,
    ) -> Result<(), Errno> {
        if self.entries() >= quota.entries {
            return Err(Errno::NoSpace);
        }
        self.folder_mut(folder)?.entries.insert(Name::from(name), Entry::Gone);
        self.gone += 1;
        self.node_mut(folder)?.times.touch(now);
        Ok(())
    }

    /// Moves a node to a name that is free or hidden by a deletion.
    pub(crate) fn rename(
        &mut self,
        from: (Ino, &str),
        hide: bool,
        to: (Ino, &str),
        now: u64,
    ) -> Result<(), Errno> {
        if self.folder(to.0)?.child(to.1).is_some() {
            return Err(Errno::Exists);
        }
        let ino = self.unlink(from.0, from.1, hide, now)?;
        self.link(to.0, to.1, ino, now)?;
        let node = self.node_mut(ino)?;
        node.times.changed = now;
        node.parent = to.0;
        Ok(())
    }

    /// Gives up a node without a name when its last descriptor was closed.
    pub(crate) fn free_orphan(&mut self, ino: Ino) {
        if self.orphans.remove(&ino) {
            self.free(ino);
        }
    }

    fn free(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.remove(&ino) {
            self.bytes -= size_of(&node.body);
        }
    }

    /// Writes into a file, as far as the quota reaches.
    pub(crate) fn write(
        &mut self,
        ino: Ino,
        offset: u64,
        data: &[u8],
        quota: &Quota,
        now: u64,
    ) -> Result<(), Errno> {
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::FileTooLarge)?;
        let size = self.content(ino)?.size();
        self.reserve(size, if data.is_empty() { size } else { size.max(end) }, quota)?;
        let node = self.node_mut(ino)?;
        node.times.touch(now);
        if let Body::File(content) = &mut node.body {
            content.write(offset, data);
        }
        Ok(())
    }

    /// Cuts a file off or adds zeros to it.
    pub(crate) fn set_size(
        &mut self,
        ino: Ino,
        size: u64,
        quota: &Quota,
        now: u64,
    ) -> Result<(), Errno> {
        self.reserve(self.content(ino)?.size(), size, quota)?;
        let node = self.node_mut(ino)?;
        node.times.touch(now);
        if let Body::File(content) = &mut node.body {
            content.set_size(size);
        }
        Ok(())
    }

    /// Counts a file of `old` bytes as one of `new`.
    fn reserve(&mut self, old: u64, new: u64, quota: &Quota) -> Result<(), Errno> {
        let bytes = (self.bytes - old).checked_add(new).ok_or(Errno::NoSpace)?;
        if new > old && bytes > quota.bytes {
            return Err(Errno::NoSpace);
        }
        self.bytes = bytes;
        Ok(())
    }
}

fn size_of(body: &Body) -> u64 {
    match body {
        Body::File(content) => content.size(),
        Body::Folder(_) | Body::Mount(_) => 0,
    }
}
