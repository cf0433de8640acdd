//! The index of a folder of artifacts: what is known of each, in one file of JSON.
//!
//! The file is read by other programs, so each save writes all of it. What a save costs is kept
//! small by remembering each entry as the text that it is written as.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use cap_std::fs::{Dir, File};
use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::artifact::Record;
use crate::json;

use super::folder;
use super::stamp::Stamp;

pub(super) const INDEX: &str = ".artifacts.json";
/// Where an index goes that is no JSON, before it is written anew.
const DAMAGED: &str = ".artifacts.damaged.json";
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// A program that writes its index in place may be seen doing it.
const LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The entries, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Index {
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// Held open, so that no other file can have its number while we compare numbers.
    _file: File,
    stamp: Stamp,
    entries: Entries,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    by_name: IndexMap<String, Entry>,
    is_damaged: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    record: Record,
    text: String,
}

impl Index {
    /// Looks at the entries as they are now on the disk.
    pub(super) fn look<T>(&self, folder: &Dir, look: impl FnOnce(&Entries) -> T) -> io::Result<T> {
        let mut seen = self.lock();
        match Stamp::at(folder, INDEX)? {
            None => *seen = None,
            Some(stamp) if seen.as_ref().is_some_and(|seen| seen.stamp == stamp) => {}
            Some(_) => *seen = read(folder)?,
        }
        Ok(match seen.as_ref() {
            Some(seen) => look(&seen.entries),
            None => look(&Entries::default()),
        })
    }

    /// The text of the index with this change; its writer holds the folder's lock.
    pub(super) fn changed(&self, folder: &Dir, change: &Change) -> io::Result<Vec<u8>> {
        self.look(folder, |entries| {
            if entries.is_damaged {
                let _ = folder.rename(INDEX, folder, DAMAGED); // else it is replaced
            }
            entries.text_with(change)
        })
    }

    /// Notes that the index on the disk is the one seen before, with this change.
    pub(super) fn is_changed(&self, folder: &Dir, change: Change) {
        let mut seen = self.lock();
        let written = folder::open_plain(folder, INDEX).ok().flatten();
        let Some((file, stamp)) = written.and_then(|file| {
            let stamp = Stamp::of(&file).ok()?;
            Some((file, stamp))
        }) else {
            *seen = None; // the next look reads it
            return;
        };
        let mut entries = seen.take().map(|seen| seen.entries).unwrap_or_default();
        entries.is_damaged = false;
        match change {
            Change::Put(name, entry) => {
                entries.by_name.insert(name, *entry);
            }
            Change::Remove(name) => {
                entries.by_name.shift_remove(&name);
            }
        }
        *seen = Some(Seen { _file: file, stamp, entries });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is done to an index.
pub(super) enum Change {
    Put(String, Box<Entry>),
    Remove(String),
}

impl Change {
    pub(super) fn put(name: &str, record: &Record) -> io::Result<Self> {
        let entry = Entry::new(name, record.clone())?;
        Ok(Self::Put(name.to_owned(), Box::new(entry)))
    }

    pub(super) fn remove(name: &str) -> Self {
        Self::Remove(name.to_owned())
    }
}

impl Entry {
    fn new(name: &str, record: Record) -> io::Result<Self> {
        let name = json::dumps(&name)?;
        let value = json::dumps_indented(record.value())?.replace('\n', "\n  ");
        Ok(Self { record, text: format!("  {name}: {value}") })
    }
}

impl Entries {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let map: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        let mut by_name = IndexMap::with_capacity(map.len());
        for (name, value) in map {
            let entry = Entry::new(&name, Record::stored(value)).ok()?;
            by_name.insert(name, entry);
        }
        Some(Self { by_name, is_damaged: false })
    }

    pub(super) fn record(&self, name: &str) -> Option<&Record> {
        self.by_name.get(name).map(|entry| &entry.record)
    }

    fn text_with(&self, change: &Change) -> Vec<u8> {
        let (name, put) = match change {
            Change::Put(name, entry) => (name, Some(entry.text.as_str())),
            Change::Remove(name) => (name, None),
        };
        let place = self.by_name.get_index_of(name);
        let texts = self.by_name.values().enumerate().filter_map(|(at, entry)| {
            if Some(at) == place { put } else { Some(entry.text.as_str()) }
        });
        let appended = if place.is_none() { put } else { None };
        let length: usize = self.by_name.values().map(|entry| entry.text.len() + 2).sum();
        let mut text = Vec::with_capacity(length + put.map_or(0, str::len) + 4);
        for entry in texts.chain(appended) {
            text.extend_from_slice(if text.is_empty() { b"{\n" } else { b",\n" });
            text.extend_from_slice(entry.as_bytes());
        }
        text.extend_from_slice(if text.is_empty() { b"{}" } else { b"\n}" });
        text
    }
}

/// Reads the index; one that is no JSON counts as empty, for its files are still there.
fn read(folder: &Dir) -> io::Result<Option<Seen>> {
    let mut last = None;
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(BETWEEN_LOOKS);
        }
        let Some(file) = folder::open_plain(folder, INDEX)? else { return Ok(None) };
        let stamp = Stamp::of(&file)?;
        let entries = match folder::read(&file, MAX_INDEX_BYTES)? {
            Some(bytes) => Entries::parse(&bytes),
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        };
        if let Some(entries) = entries {
            return Ok(Some(Seen { _file: file, stamp, entries }));
        }
        last = Some((file, stamp));
    }
    let damaged = Entries { by_name: IndexMap::new(), is_damaged: true };
    Ok(last.map(|(file, stamp)| Seen { _file: file, stamp, entries: damaged }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(entries: &Entries, change: &Change) -> String {
        String::from_utf8(entries.text_with(change)).unwrap()
    }

    fn put(name: &str, value: Value) -> Change {
        Change::put(name, &Record::stored(value)).unwrap()
    }

    #[test]
    fn the_file_is_as_python_writes_it() {
        let value = json!({"description": "é", "created_at": "2026-01-02T03:04:05.000006+00:00",
            "metadata": {"_data_type": "text"}});
        let expected = concat!(
            "{\n  \"a/b\": {\n    \"description\": \"\\u00e9\",\n",
            "    \"created_at\": \"2026-01-02T03:04:05.000006+00:00\",\n",
            "    \"metadata\": {\n      \"_data_type\": \"text\"\n    }\n  }\n}"
        );
        assert_eq!(text(&Entries::default(), &put("a/b", value)), expected);
        assert_eq!(text(&Entries::default(), &Change::remove("a")), "{}");
    }

    #[test]
    fn an_entry_keeps_its_place_and_those_of_others_stay_as_they_are() {
        let stored = b"{\"b\": {\"later\": [1, 2.50, \"x\"]}, \"a\": 5, \"c\": {}}";
        let entries = Entries::parse(stored).unwrap();
        let expected = "{\n  \"b\": {\n    \"later\": [\n      1,\n      2.5,\n      \"x\"\n    ]\n  },\n  \"a\": true,\n  \"c\": {}\n}";
        assert_eq!(text(&entries, &put("a", json!(true))), expected);
        assert_eq!(text(&Entries::parse(b"{\"a\": 1}").unwrap(), &Change::remove("a")), "{}");
    }

    #[test]
    fn what_is_no_mapping_is_damaged() {
        for bytes in [&b""[..], b"[]", b"{\"a\": ", b"\xff"] {
            assert!(Entries::parse(bytes).is_none());
        }
    }
}
