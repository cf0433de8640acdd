//! What a tree is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Times;
use crate::content::Content;

/// The number of a node. Never used twice in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ino(pub(crate) u64);

pub(crate) const ROOT_INO: Ino = Ino(1);

/// A name in a folder, shared with the folder's other index.
pub(crate) type Name = Arc<str>;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The folder that it has its name in; the root is its own, and that of what has no name any
    /// more says nothing.
    pub(crate) parent: Ino,
    pub(crate) times: Times,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    File(Content),
    Folder(Folder),
    /// A folder of the host, by its place in the list of mounts.
    Mount(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) entries: BTreeMap<Name, Entry>,
    /// The entries that have a node, in the order in which listings give them: numbers only grow,
    /// so a listing that goes on after a number misses nothing that stayed and repeats nothing.
    pub(crate) order: BTreeMap<Ino, Name>,
    /// The folder of an overlay's host that shows through.
    pub(crate) lower: Option<Lower>,
}

/// A folder below an overlay mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lower {
    pub(crate) mount: usize,
    /// Relative to the mount; empty for the mount itself.
    pub(crate) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Node(Ino),
    /// What the host has of this name is hidden.
    Gone,
}

impl Folder {
    fn new(lower: Option<Lower>) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), lower }
    }

    pub(crate) fn child(&self, name: &str) -> Option<Ino> {
        match self.entries.get(name) {
            Some(Entry::Node(ino)) => Some(*ino),
            Some(Entry::Gone) | None => None,
        }
    }
}

impl Node {
    /// What has no name yet.
    pub(crate) fn new(times: Times, body: Body) -> Self {
        Self { parent: ROOT_INO, times, body }
    }

    pub(crate) fn file(content: Content, now: u64) -> Self {
        Self::new(Times::all(now), Body::File(content))
    }

    /// An empty folder.
    pub(crate) fn folder(lower: Option<Lower>, now: u64) -> Self {
        Self::new(Times::all(now), Body::Folder(Folder::new(lower)))
    }
}
