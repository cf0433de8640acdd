//! The modules that a package is for.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::PackagesError;
use crate::folder::open_plain;
use crate::name::normalised;
use crate::set::PackageSet;

/// What a RECORD in a set can have, several times over.
const LONGEST_RECORD: u64 = 64 << 20;
/// Folders and files at the top that are no part of what a package offers.
const BESIDE: [&str; 8] =
    ["benchmarks", "conftest", "docs", "doc", "examples", "setup", "test", "tests"];

impl PackageSet {
    /// What to import of a package of the set: its modules at the top; of a namespace that several
    /// packages share, the part that is its own. Names with an underscore in front are left out.
    pub fn modules(&self, distribution: &str) -> Result<Vec<String>, PackagesError> {
        let cannot = || PackagesError::cache("read what a package consists of");
        let Some(info) = self.info(distribution).map_err(cannot())? else { return Ok(Vec::new()) };
        let mut record = String::new();
        open_plain(&info.join("RECORD"))
            .and_then(|file| file.take(LONGEST_RECORD).read_to_string(&mut record))
            .map_err(cannot())?;
        // A path with a comma stands between quotes, and belongs to no module.
        Ok(modules(record.lines().filter_map(|line| line.split(',').next())))
    }

    /// The folder `….dist-info` of a package.
    fn info(&self, distribution: &str) -> std::io::Result<Option<PathBuf>> {
        let wanted = normalised(distribution);
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let title = name.strip_suffix(".dist-info").and_then(|title| title.split_once('-'));
            if title.is_some_and(|(name, _)| wanted.is_some() && normalised(name) == wanted) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// The modules of these files.
fn modules<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut single, mut packages) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let Some(path) = file.strip_suffix(".py") else { continue };
        match path.rsplit_once('/') {
            None if is_offered(path) => drop(single.insert(path.to_owned())),
            Some((folder, "__init__")) if folder.split('/').all(is_offered) => {
                packages.insert(folder.to_owned());
            }
            _ => {}
        }
    }
    let is_inside_another = |folder: &str| {
        let above = Path::new(folder).ancestors().skip(1).filter_map(Path::to_str);
        above.into_iter().any(|above| packages.contains(above))
    };
    let top = packages.iter().filter(|folder| !is_inside_another(folder));
    single.extend(top.map(|folder| folder.replace('/', ".")));
    single.into_iter().collect()
}

/// Whether a name is that of a module for others to import.
fn is_offered(name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    name.starts_with(char::is_alphabetic) && name.chars().all(is_word) && !BESIDE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_what_is_imported() {
        let modules = |files: &[&str]| modules(files.iter().copied());
        assert_eq!(
            modules(&[
                "attr/__init__.py",
                "attr/_make.py",
                "attrs/__init__.py",
                "attr/x/__init__.py"
            ]),
            ["attr", "attrs"]
        );
        assert_eq!(modules(&["six.py", "six-1.0.dist-info/METADATA"]), ["six"]);
        assert_eq!(
            modules(&["google/cloud/storage/__init__.py", "google/cloud/storage/a/__init__.py"]),
            ["google.cloud.storage"]
        );
        let beside = ["_yaml/__init__.py", "yaml/__init__.py", "tests/__init__.py", "setup.py"];
        assert_eq!(modules(&beside), ["yaml"]);
        assert_eq!(modules(&["not-a-module.py", "a b/__init__.py", "data.txt"]), [""; 0]);
    }
}
