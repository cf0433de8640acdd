//! What a folder looks like, to be compared with what it looks like later.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The files, folders and links of a folder by their places in it.
#[derive(Debug, Default)]
pub(super) struct Traces(BTreeMap<PathBuf, Trace>);

#[derive(Debug, PartialEq, Eq)]
enum Trace {
    Folder,
    /// With its rights.
    File(Vec<u8>, u32),
    Link(PathBuf),
    Other,
}

impl Traces {
    /// All of a folder, but for what is below `left_out`; `within` that, these after all.
    pub(super) fn of(folder: &Path, left_out: &[&str], within: &[&str]) -> Result<Self> {
        let mut traces = Self::default();
        traces.add(folder, folder, left_out)?;
        for place in within {
            traces.add(folder, &folder.join(place), &[])?;
        }
        Ok(traces)
    }

    fn add(&mut self, folder: &Path, path: &Path, left_out: &[&str]) -> Result<()> {
        let place = path.strip_prefix(folder)?.to_owned();
        if left_out.iter().any(|left_out| place == Path::new(left_out)) {
            return Ok(());
        }
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        let trace = if found.is_symlink() {
            Trace::Link(fs::read_link(path)?)
        } else if found.is_file() {
            let bytes = fs::read(path).with_context(|| place.display().to_string())?;
            Trace::File(bytes, found.mode())
        } else if found.is_dir() {
            for entry in fs::read_dir(path)? {
                self.add(folder, &entry?.path(), left_out)?;
            }
            Trace::Folder
        } else {
            Trace::Other
        };
        self.0.insert(place, trace);
        Ok(())
    }

    /// What is new, gone, or not as it was.
    pub(super) fn differences(&self, later: &Self) -> Vec<String> {
        let changed = later.0.iter().filter_map(|(place, trace)| match self.0.get(place) {
            None => Some(format!("{} is new", place.display())),
            Some(before) => (before != trace).then(|| format!("{} has changed", place.display())),
        });
        let gone = self.0.keys().filter(|place| !later.0.contains_key(*place));
        changed.chain(gone.map(|place| format!("{} is gone", place.display()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_not_as_it_was_is_told_where_it_counts() -> Result<()> {
        let folder = TempDir::new()?;
        let at = |path: &str| folder.path().join(path);
        for made in ["free/kept", "other"] {
            fs::create_dir_all(at(made))?;
        }
        fs::write(at("file"), "a")?;
        fs::write(at("gone"), "a")?;
        symlink("file", at("link"))?;
        let look = || Traces::of(folder.path(), &["free"], &["free/kept"]);
        let before = look()?;
        assert!(before.differences(&look()?).is_empty());
        fs::write(at("file"), "b")?;
        fs::remove_file(at("gone"))?;
        fs::write(at("free/anything"), "")?;
        fs::write(at("free/kept/new"), "")?;
        fs::remove_file(at("link"))?;
        symlink("gone", at("link"))?;
        let expected =
            ["file has changed", "free/kept/new is new", "link has changed", "gone is gone"];
        assert_eq!(before.differences(&look()?), expected);
        Ok(())
    }
}
