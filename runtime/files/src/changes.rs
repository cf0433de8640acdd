//! What is different between two versions of a session's files.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use pcm_runtime_api::{ChangeKind, FileChange};
use rustix::io::pread;

use crate::content::{CHUNK, Content};
use crate::node::{Body, Entry, Folder, Ino, Lower, Name, ROOT_INO};
use crate::{Errno, Files, Kind, paths};

/// The most changes that are told.
pub const MOST_CHANGES: usize = 1000;

/// What a path leads to in one of the two versions.
#[derive(Clone)]
enum Side<'a> {
    Nothing,
    File(&'a Content),
    Folder(&'a Folder),
    /// What an overlay shows of the host, if there is something.
    Host(Lower),
}

/// A path of which both versions have something to say.
struct Pair<'a> {
    /// The path of the folder; built once for all that is in it.
    folder: Rc<str>,
    name: &'a str,
    old: Side<'a>,
    new: Side<'a>,
}

impl Files {
    /// The files that differ from an earlier version of the same session, sorted by path, at most
    /// [`MOST_CHANGES`]. Files in memory and in overlays: what was written to a writable mount is
    /// not known. A folder of an overlay's host that was deleted is told as one.
    pub fn changes_since(&self, before: &Self) -> Vec<FileChange> {
        let mut changes = Vec::new();
        if Arc::ptr_eq(&self.tree, &before.tree) {
            return changes;
        }
        let touched = self.tree.changed_since(&before.tree);
        let (old, new) = (before.side(ROOT_INO), self.side(ROOT_INO));
        let mut left = vec![Pair { folder: Rc::from(""), name: "", old, new }];
        while let Some(pair) = left.pop() {
            if changes.len() >= MOST_CHANGES {
                break;
            }
            if let Some((change, bytes)) = self.change(&pair.old, &pair.new) {
                changes.push(FileChange { path: pair.path(), change, bytes });
            }
            self.push_below(before, &pair, &touched, &mut left);
        }
        changes.sort_unstable_by(|one, two| one.path.cmp(&two.path));
        changes
    }

    /// Adds what lies in two folders and may differ.
    fn push_below<'a>(
        &'a self,
        before: &'a Self,
        pair: &Pair<'a>,
        touched: &BTreeSet<Ino>,
        left: &mut Vec<Pair<'a>>,
    ) {
        static NOTHING: BTreeMap<Name, Entry> = BTreeMap::new();
        let entries = |side: &Side<'a>| match side {
            Side::Folder(folder) => Some(&folder.entries),
            _ => None,
        };
        let (old, new) = (entries(&pair.old), entries(&pair.new));
        if old.is_none() && new.is_none() {
            return;
        }
        let folder: Rc<str> =
            Rc::from(if pair.name.is_empty() { String::new() } else { pair.path() });
        let mut olds = old.unwrap_or(&NOTHING).iter().peekable();
        let mut news = new.unwrap_or(&NOTHING).iter().peekable();
        let start = left.len();
        loop {
            let name = match (olds.peek(), news.peek()) {
                (None, None) => break,
                (Some((name, _)), None) | (None, Some((name, _))) => *name,
                (Some((one, _)), Some((two, _))) => (*one).min(*two),
            };
            let old = olds.next_if(|(at, _)| *at == name).map(|(_, entry)| *entry);
            let new = news.next_if(|(at, _)| *at == name).map(|(_, entry)| *entry);
            let is_same = old == new
                && match old {
                    Some(Entry::Node(ino)) => !touched.contains(&ino),
                    Some(Entry::Gone) | None => true,
                };
            if !is_same {
                let (old, new) = (before.side_in(&pair.old, name), self.side_in(&pair.new, name));
                left.push(Pair { folder: Rc::clone(&folder), name, old, new });
            }
        }
        left[start..].reverse(); // they are taken from the end
    }

    fn side(&self, ino: Ino) -> Side<'_> {
        let Ok(node) = self.tree.node(ino) else { return Side::Nothing };
        match &node.body {
            Body::File(content) => Side::File(content),
            Body::Folder(folder) => Side::Folder(folder),
            Body::Mount(_) => Side::Nothing,
        }
    }

    fn side_in<'a>(&'a self, folder: &Side<'a>, name: &str) -> Side<'a> {
        let below = |lower: &Lower| {
            Side::Host(Lower { mount: lower.mount, path: paths::join(&lower.path, name) })
        };
        match folder {
            Side::Nothing | Side::File(_) => Side::Nothing,
            Side::Host(lower) => below(lower),
            Side::Folder(folder) => match (folder.entries.get(name), &folder.lower) {
                (Some(Entry::Node(ino)), _) => self.side(*ino),
                (None, Some(lower)) => below(lower),
                (Some(Entry::Gone), _) | (None, None) => Side::Nothing,
            },
        }
    }

    /// What became of a path, and its size.
    fn change(&self, old: &Side<'_>, new: &Side<'_>) -> Option<(ChangeKind, u64)> {
        let host = |lower: &Lower| {
            let mount = self.mount(lower.mount).ok()?;
            mount.folder.kind(&lower.path).ok().flatten()
        };
        let deleted = Some((ChangeKind::Deleted, 0));
        match (old, new) {
            (Side::File(old), Side::File(new)) => {
                (!old.is_same(new)).then_some((ChangeKind::Modified, new.size()))
            }
            (Side::Host(lower), Side::File(new)) => match host(lower) {
                None | Some(Kind::Folder) => Some((ChangeKind::Created, new.size())),
                Some(_) if self.is_as_on_host(lower, new).unwrap_or(false) => None,
                Some(_) => Some((ChangeKind::Modified, new.size())),
            },
            (_, Side::File(new)) => Some((ChangeKind::Created, new.size())),
            (Side::File(_), _) => deleted,
            (Side::Host(lower), Side::Nothing) => host(lower).and(deleted),
            (Side::Host(lower), Side::Folder(new)) => match host(lower) {
                Some(Kind::File | Kind::Link | Kind::Other) => deleted,
                Some(Kind::Folder) if new.lower.is_none() => deleted,
                Some(Kind::Folder) | None => None,
            },
            (Side::Folder(old), Side::Nothing) if old.lower.is_some() => deleted,
            (Side::Folder(old), Side::Folder(new))
                if old.lower.is_some() && new.lower.is_none() =>
            {
                deleted
            }
            _ => None,
        }
    }

    /// Whether a copy of a file of the host still says what the host's says.
    fn is_as_on_host(&self, lower: &Lower, content: &Content) -> Result<bool, Errno> {
        let folder = &self.mount(lower.mount)?.folder;
        if folder.stat(&lower.path)?.size != content.size() {
            return Ok(false);
        }
        let file = folder.open_to_read(&lower.path)?;
        let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut offset = 0;
        while offset < content.size() {
            let count = pread(&file.file, &mut theirs, offset)?;
            let known = content.read(offset, &mut ours).min(count);
            if count == 0 || theirs.get(..known) != ours.get(..known) {
                return Ok(false);
            }
            offset += known as u64;
        }
        Ok(true)
    }
}

impl Pair<'_> {
    fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}
