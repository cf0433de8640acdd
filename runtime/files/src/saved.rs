//! What a session has in memory, as bytes.
//!
//! A tree is written as it is walked: a folder, what is in it, the end of the folder. So there are
//! no references between records that could be wrong, and reading needs no recursion. Mounted
//! folders are not in it; of an overlay there is what the session changed.

use std::sync::Arc;

use pcm_runtime_api::{Mount, MountAccess};

use crate::content::{CHUNK, Content};
use crate::descriptors::{Descriptor, Target};
use crate::node::{Body, Entry, Ino, Lower, Node, ROOT_INO};
use crate::tree::Tree;
use crate::{Fd, Files, FilesError, Quota, Times, paths};

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"pcmfile\x01";

const FILE: u8 = 1;
const FOLDER: u8 = 2;
/// A folder that shows one of an overlay's host.
const MERGED: u8 = 3;
const GONE: u8 = 4;
/// The end of a folder; of the root, the end of the tree.
const END: u8 = 5;
/// A file without a name that a descriptor keeps alive.
const ORPHAN: u8 = 6;
const DESCRIPTOR: u8 = 7;

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
const APPEND: u8 = 4;

impl Files {
    /// What the session has in memory, with its open descriptors: what
    /// [`from_bytes`](Self::from_bytes) takes. Mounts are not in it, nor descriptors of what lies
    /// in them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.number(self.tree.next());
        let times = self.tree.node(ROOT_INO).map_or_else(|_| Times::default(), |root| root.times);
        out.times(&times);
        self.write_tree(&mut out);
        for ino in self.tree.orphans() {
            if let Some(node) = self.tree.shared(ino)
                && let Body::File(content) = &node.body
            {
                out.0.push(ORPHAN);
                out.head(ino, &node.times);
                out.content(content);
            }
        }
        out.0.push(END);
        for (fd, descriptor) in self.descriptors.iter() {
            let Some(ino) = descriptor.target.ino() else { continue };
            let flags = [
                (descriptor.readable, READABLE),
                (descriptor.writable, WRITABLE),
                (descriptor.append, APPEND),
            ];
            out.0.push(DESCRIPTOR);
            out.number(u64::from(fd));
            out.number(ino.0);
            out.number(descriptor.offset);
            out.0.push(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
        }
        out.0.push(END);
        out.0
    }

    fn write_tree(&self, out: &mut Writer) {
        let Ok(root) = self.tree.folder(ROOT_INO) else { return };
        let mut open = vec![root.entries.iter()];
        while let Some(entries) = open.last_mut() {
            let Some((name, entry)) = entries.next() else {
                open.pop();
                out.0.push(END);
                continue;
            };
            let Entry::Node(ino) = entry else {
                out.0.push(GONE);
                out.name(name);
                continue;
            };
            let Some(node) = self.tree.shared(*ino) else { continue };
            match &node.body {
                Body::File(content) => {
                    out.0.push(FILE);
                    out.name(name);
                    out.head(*ino, &node.times);
                    out.content(content);
                }
                Body::Folder(folder) => {
                    out.0.push(if folder.lower.is_some() { MERGED } else { FOLDER });
                    out.name(name);
                    out.head(*ino, &node.times);
                    open.push(folder.entries.iter());
                }
                Body::Mount(_) => {}
            }
        }
    }

    /// The session's files as they were saved, under another quota perhaps, and with the mounts of
    /// the session that takes them. What was changed in an overlay needs an overlay at the same
    /// place.
    pub fn from_bytes(
        saved: &[u8],
        quota: Quota,
        mounts: &[Mount],
        now: u64,
    ) -> Result<Self, FilesError> {
        let mut reader = Reader { rest: saved, quota, mounts };
        let tree = reader.tree().map_err(|reason| FilesError::Saved(reason.to_owned()))?;
        let (tree, descriptors) = (Arc::new(tree), Arc::default());
        let mut files = Self { tree, descriptors, mounts: Arc::from([]), quota };
        let opened = reader.descriptors(&mut files);
        opened.map_err(|reason| FilesError::Saved(reason.to_owned()))?;
        files.mount_all(mounts, now)?;
        Ok(files)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// Names are at most 255 bytes long.
    fn name(&mut self, name: &str) {
        self.0.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.0.extend(name.bytes().take(u8::MAX.into()));
    }

    fn head(&mut self, ino: Ino, times: &Times) {
        self.number(ino.0);
        self.times(times);
    }

    fn times(&mut self, times: &Times) {
        for number in [times.accessed, times.modified, times.changed] {
            self.number(number);
        }
    }

    fn content(&mut self, content: &Content) {
        let chunks = content.chunks();
        self.number(content.size());
        self.number(chunks.len() as u64);
        for (number, chunk) in chunks {
            self.number(number);
            self.number(chunk.len() as u64);
            self.0.extend(chunk);
        }
    }
}

/// Reads what may be anything.
struct Reader<'a> {
    rest: &'a [u8],
    quota: Quota,
    mounts: &'a [Mount],
}

type Read<T> = Result<T, &'static str>;

const SHORT: &str = "they end too early";
const DAMAGED: &str = "they are damaged";
const TOO_MUCH: &str = "they are more than the session may have";

/// A folder that is being read.
struct Open {
    ino: Ino,
    path: String,
    lower: Option<Lower>,
}

impl<'a> Reader<'a> {
    fn tree(&mut self) -> Read<Tree> {
        if self.bytes(MAGIC.len())? != MAGIC {
            return Err("they are not saved files, or of another version");
        }
        let next = self.number()?;
        if next >> 62 != 0 {
            return Err(DAMAGED); // numbers beyond are those of mounts
        }
        let mut tree = Tree::new(0);
        tree.node_mut(ROOT_INO).map_err(|_| DAMAGED)?.times = self.times()?;
        let mut open = vec![Open { ino: ROOT_INO, path: String::new(), lower: None }];
        while let Some(folder) = open.last() {
            let kind = self.byte()?;
            if kind == END {
                open.pop();
                continue;
            }
            let depth = usize::try_from(self.quota.depth).unwrap_or(usize::MAX);
            if open.len() > depth || tree.entries() >= self.quota.entries {
                return Err(TOO_MUCH);
            }
            let name = self.name()?;
            if let Some(opened) = self.entry(&mut tree, folder, kind, name, next)? {
                open.push(opened);
            }
        }
        loop {
            match self.byte()? {
                END => break,
                ORPHAN if tree.entries() < self.quota.entries => {}
                ORPHAN => return Err(TOO_MUCH),
                _ => return Err(DAMAGED),
            }
            let (ino, times) = self.head(next)?;
            let body = Body::File(self.content(&tree)?);
            tree.add_orphan(ino, Node::new(times, body)).map_err(|_| DAMAGED)?;
        }
        tree.count_from(next);
        Ok(tree)
    }

    /// Reads what a folder has under a name; if that is a folder, its content comes next.
    fn entry(
        &mut self,
        tree: &mut Tree,
        folder: &Open,
        kind: u8,
        name: &str,
        next: u64,
    ) -> Read<Option<Open>> {
        let times = tree.node(folder.ino).map_err(|_| DAMAGED)?.times;
        if kind == GONE {
            let is_new = !tree.folder(folder.ino).map_err(|_| DAMAGED)?.entries.contains_key(name);
            if folder.lower.is_none() || !is_new {
                return Err(DAMAGED);
            }
            let quota = self.quota;
            tree.hide(folder.ino, name, &quota, 0).map_err(|_| TOO_MUCH)?;
            tree.node_mut(folder.ino).map_err(|_| DAMAGED)?.times = times;
            return Ok(None);
        }
        let (ino, own_times) = self.head(next)?;
        let (mut node, mut opened) = (Node::folder(None, 0), None);
        node.times = own_times;
        match kind {
            FILE => node.body = Body::File(self.content(tree)?),
            FOLDER | MERGED => {
                let path = format!("{}/{name}", folder.path);
                let lower =
                    if kind == MERGED { Some(self.lower(folder, name, &path)?) } else { None };
                node.body = Node::folder(lower.clone(), 0).body;
                opened = Some(Open { ino, path, lower });
            }
            _ => return Err(DAMAGED),
        }
        tree.add_as(ino, folder.ino, name, node).map_err(|_| DAMAGED)?;
        tree.node_mut(folder.ino).map_err(|_| DAMAGED)?.times = times;
        Ok(opened)
    }

    /// The host's folder that shows through: below one that shows the host's, or where there is an
    /// overlay mount.
    fn lower(&self, folder: &Open, name: &str, path: &str) -> Read<Lower> {
        if let Some(above) = &folder.lower {
            return Ok(Lower { mount: above.mount, path: paths::join(&above.path, name) });
        }
        let is_here = |mount: &Mount| mount.guest == path && mount.access == MountAccess::Overlay;
        let mount = self.mounts.iter().position(is_here);
        let mount = mount.ok_or("they changed an overlay mount that this session does not have")?;
        Ok(Lower { mount, path: String::new() })
    }

    fn head(&mut self, next: u64) -> Read<(Ino, Times)> {
        let ino = self.number()?;
        if ino >= next {
            return Err(DAMAGED);
        }
        Ok((Ino(ino), self.times()?))
    }

    fn times(&mut self) -> Read<Times> {
        let [accessed, modified, changed] = [self.number()?, self.number()?, self.number()?];
        Ok(Times { accessed, modified, changed })
    }

    fn content(&mut self, tree: &Tree) -> Read<Content> {
        let size = self.number()?;
        if size > self.quota.bytes.saturating_sub(tree.bytes()) {
            return Err(TOO_MUCH);
        }
        let mut content = Content::default();
        content.set_size(size);
        let mut last = None;
        for _ in 0..self.number()? {
            let (number, length) = (self.number()?, self.number()?);
            let length = usize::try_from(length).map_err(|_| DAMAGED)?;
            let offset = number.checked_mul(CHUNK as u64).ok_or(DAMAGED)?;
            let end = offset.checked_add(length as u64).ok_or(DAMAGED)?;
            if length == 0 || length > CHUNK || end > size || last >= Some(number) {
                return Err(DAMAGED);
            }
            last = Some(number);
            content.write(offset, self.bytes(length)?);
        }
        Ok(content)
    }

    fn descriptors(&mut self, files: &mut Files) -> Read<()> {
        let descriptors = Arc::make_mut(&mut files.descriptors);
        loop {
            match self.byte()? {
                END if self.rest.is_empty() => break,
                DESCRIPTOR => {}
                _ => return Err(DAMAGED),
            }
            let fd = Fd::try_from(self.number()?).map_err(|_| DAMAGED)?;
            let ino = Ino(self.number()?);
            let offset = self.number()?;
            let flags = self.byte()?;
            let is_set = |flag| flags & flag != 0;
            let target = match files.tree.node(ino).map(|node| &node.body) {
                Ok(Body::File(_)) => Target::File(ino),
                Ok(Body::Folder(_)) => Target::Folder(ino),
                // An open folder that was removed is not saved.
                Ok(Body::Mount(_)) | Err(_) => continue,
            };
            if i64::try_from(offset).is_err() {
                return Err(DAMAGED);
            }
            let descriptor = Descriptor {
                writable: is_set(WRITABLE) && matches!(target, Target::File(_)),
                target,
                offset,
                readable: is_set(READABLE),
                append: is_set(APPEND),
            };
            descriptors.add_as(fd, descriptor).map_err(|_| DAMAGED)?;
        }
        let held = |ino: &Ino| !files.descriptors.holds(*ino);
        let orphans: Vec<Ino> = files.tree.orphans().filter(held).collect();
        let tree = Arc::make_mut(&mut files.tree);
        for ino in orphans {
            tree.free_orphan(ino);
        }
        Ok(())
    }

    fn name(&mut self) -> Read<&'a str> {
        let length = self.byte()?.into();
        let name = str::from_utf8(self.bytes(length)?).map_err(|_| DAMAGED)?;
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(DAMAGED);
        }
        Ok(name)
    }

    fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Read<u64> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*first))
    }

    fn bytes(&mut self, length: usize) -> Read<&'a [u8]> {
        let (first, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(first)
    }
}
