//! Descriptions that were given with a workflow and are not in its source.
//!
//! The layout has one file for a workflow, its source, and that stays as it was given. So the
//! descriptions are in a file beside them that other programs do not read. Each is bound to the
//! source that it was given for: where another program changed that, its docstring counts again.

use std::collections::BTreeMap;
use std::io;

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use super::folder;
use super::stamp::Stamp;
use crate::json;

pub(super) const NOTES: &str = ".descriptions.json";
const MAX_NOTES_BYTES: u64 = 64 << 20;

/// The descriptions, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Notes {
    stamp: Option<Stamp>,
    by_name: BTreeMap<String, Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    description: String,
    source_sha256: String,
}

impl Notes {
    /// Reads the file if it changed; whether it did.
    pub(super) fn refresh(&mut self, folder: &Dir) -> io::Result<bool> {
        let stamp = Stamp::at(folder, NOTES)?;
        let now = std::time::SystemTime::now();
        if stamp == self.stamp && stamp.is_none_or(|stamp| stamp.is_settled(now)) {
            return Ok(false);
        }
        let file = folder::open_plain(folder, NOTES)?;
        let stamp = file.as_ref().map(Stamp::of).transpose()?;
        let bytes = match &file {
            Some(file) => folder::read(file, MAX_NOTES_BYTES)?,
            None => None,
        };
        // A description is worth less than the workflow: a file that is damaged counts as empty.
        let by_name: BTreeMap<String, Note> =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let is_changed = by_name != self.by_name;
        *self = Self { stamp, by_name };
        Ok(is_changed)
    }

    /// What was given with a workflow of this source.
    pub(super) fn description(&self, name: &str, source_sha256: &str) -> &str {
        match self.by_name.get(name) {
            Some(note) if note.source_sha256 == source_sha256 => &note.description,
            _ => "",
        }
    }

    /// The text of the file with this description in place of what was noted, or nothing if that
    /// changes nothing.
    pub(super) fn with(
        &self,
        name: &str,
        given: Option<(&str, &str)>,
    ) -> io::Result<Option<String>> {
        let note = given.map(|(description, source_sha256)| Note {
            description: description.to_owned(),
            source_sha256: source_sha256.to_owned(),
        });
        if self.by_name.get(name) == note.as_ref() {
            return Ok(None);
        }
        let mut by_name = self.by_name.clone();
        match note {
            Some(note) => by_name.insert(name.to_owned(), note),
            None => by_name.remove(name),
        };
        let text = json::dumps_indented(&by_name)?;
        // One that is longer could not be read again, and all descriptions would be gone.
        if text.len() as u64 > MAX_NOTES_BYTES {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(Some(text))
    }
}
