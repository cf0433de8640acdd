//! Folders with wheels of the user's own, beside the index.
//!
//! What lies there is a stranger's as much as what an index has. A resolver is not shown the folders,
//! but a copy with the wheels that fit: it would read whatever else lies there, pages with addresses
//! too, and files that change while it reads.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::PackagesError;
use crate::folder::{create, open_plain};
use crate::name::{WheelName, normalised};
use crate::target::Target;
use crate::version::Version;

/// Files in a folder, of any kind.
const MAX_ENTRIES: usize = 20_000;
/// The largest wheel, as a resolver may bring one.
const MAX_WHEEL: u64 = 256 << 20;
/// All that fit together.
const MAX_WHEELS: u64 = 4 << 30;
/// How many are named in an error.
const MAX_NAMED: usize = 6;

/// A wheel in one of the folders, as its name and its metadata have it.
#[derive(Debug)]
struct Entry {
    folder: usize,
    file: String,
    metadata: Metadata,
}

/// Lists the wheels in the folders, sorted. Of two with one name that of the first folder counts.
fn entries(folders: &[PathBuf]) -> io::Result<Vec<Entry>> {
    let (mut entries, mut seen) = (Vec::new(), HashSet::new());
    for (index, folder) in folders.iter().enumerate() {
        for (count, entry) in fs::read_dir(folder)?.enumerate() {
            if count >= MAX_ENTRIES {
                let reason = format!("it has more than {MAX_ENTRIES} files");
                return Err(io::Error::other(reason));
            }
            let entry = entry?;
            let Some(file) = wheel_file(entry.file_name()) else { continue };
            if seen.insert(file.clone()) {
                entries.push(Entry { folder: index, file, metadata: entry.metadata()? });
            }
        }
    }
    entries.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(entries)
}

fn wheel_file(name: OsString) -> Option<String> {
    name.into_string().ok().filter(|name| name.strip_suffix(".whl").is_some())
}

/// What changes whenever a wheel comes, goes or is written.
pub(crate) fn fingerprint(folders: &[PathBuf]) -> Result<String, PackagesError> {
    let entries = entries(folders).map_err(PackagesError::cache("read a folder of wheels"))?;
    let mut hasher = blake3::Hasher::new();
    for Entry { file, metadata, .. } in &entries {
        hasher.update(&(file.len() as u64).to_le_bytes());
        hasher.update(file.as_bytes());
        hasher.update(&metadata.len().to_le_bytes());
        for time in
            [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()]
        {
            hasher.update(&time.to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// A wheel that fits, in the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) wheel: WheelName,
    version: Version,
    pub(crate) path: PathBuf,
}

/// A wheel that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Misfit {
    /// The distribution, as far as its name tells.
    name: String,
    file: String,
    reason: String,
}

/// The wheels of the user's folders.
#[derive(Debug, Default)]
pub(crate) struct Links {
    folder: Option<PathBuf>,
    /// Of each distribution, the newest and best first.
    wheels: BTreeMap<String, Vec<Link>>,
    misfits: Vec<Misfit>,
}

impl Links {
    /// Copies the wheels in `folders` that fit into `into`, which does not exist yet.
    pub(crate) fn stage(
        folders: &[PathBuf],
        target: Target,
        into: &Path,
    ) -> Result<Self, PackagesError> {
        let cannot = || PackagesError::cache("read a folder of wheels");
        let mut links = Self::default();
        let mut left = MAX_WHEELS;
        for Entry { folder, file, metadata } in entries(folders).map_err(cannot())? {
            let (wheel, version) = match fitting(&file, &metadata, target) {
                Ok(fitting) => fitting,
                Err(reason) => {
                    links.misfits.extend(Misfit::new(file, reason));
                    continue;
                }
            };
            let (path, from) = (into.join(&file), folders.get(folder));
            let from = from.map(|from| from.join(&file)).unwrap_or_default();
            let copied = copy(&from, &path, left.min(MAX_WHEEL)).map_err(cannot())?;
            left = left.saturating_sub(copied);
            links.folder = Some(into.to_owned());
            links.wheels.entry(wheel.name.clone()).or_default().push(Link { wheel, version, path });
        }
        for wheels in links.wheels.values_mut() {
            wheels.sort_by(|a, b| {
                let rank = |link: &Link| target.rank(&link.wheel);
                Version::newest_first(&a.version, &b.version).then(rank(a).cmp(&rank(b)))
            });
            wheels.dedup_by(|later, first| later.version == first.version); // the best stays
        }
        Ok(links)
    }

    /// The copy, if there is anything in it.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The wheels of a distribution, the newest first.
    pub(crate) fn of(&self, name: &str) -> &[Link] {
        self.wheels.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest wheel of each distribution.
    pub(crate) fn newest(&self) -> Vec<&Link> {
        self.wheels.values().filter_map(|wheels| wheels.first()).collect()
    }

    /// For the end of an error: which wheels of these distributions do not fit, and why.
    pub(crate) fn misfits(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let wanted: Vec<&Misfit> =
            self.misfits.iter().filter(|misfit| is_wanted(&misfit.name)).collect();
        let named = wanted.iter().take(MAX_NAMED);
        let texts =
            named.map(|misfit| format!("; {} is there, but {}", misfit.file, misfit.reason));
        let text: String = texts.collect();
        match wanted.len().saturating_sub(MAX_NAMED) {
            0 => text,
            more => format!("{text}; and {more} more are there that do not fit"),
        }
    }
}

/// The name and version of a wheel that fits, or why it does not. A resolver that is told to take a
/// version stops at one that is none.
fn fitting(
    file: &str,
    metadata: &Metadata,
    target: Target,
) -> Result<(WheelName, Version), String> {
    let wheel = WheelName::parse(file).ok_or("its name is not that of a wheel")?;
    let version = Version::parse(&wheel.version).ok_or("its version is not one")?;
    if let Some(reason) = target.misfit(&wheel) {
        return Err(reason);
    }
    if !metadata.is_file() {
        return Err("it is no plain file".to_owned());
    }
    if metadata.len() > MAX_WHEEL {
        return Err(format!("it has more than {} MiB", MAX_WHEEL >> 20));
    }
    Ok((wheel, version))
}

impl Misfit {
    /// None for a file of which nobody could ask.
    fn new(file: String, reason: String) -> Option<Self> {
        let name = normalised(file.split('-').next().unwrap_or_default())?;
        let is_shown = file.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let file = if is_shown { file } else { format!("a wheel of {name}") };
        Some(Self { name, file, reason })
    }
}

fn copy(from: &Path, to: &Path, limit: u64) -> io::Result<u64> {
    let mut from = io::Read::take(open_plain(from)?, limit.saturating_add(1));
    let copied = io::copy(&mut from, &mut create(to)?)?;
    if copied > limit { Err(io::Error::other("its wheels are too large")) } else { Ok(copied) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn names(links: &Links) -> Vec<String> {
        links.wheels.values().flatten().map(|link| link.wheel.to_string()).collect()
    }

    #[test]
    fn what_fits_is_copied_the_newest_and_best_first() -> TestResult {
        let (folder, work) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for file in [
            "a-2.0-py3-none-any.whl",
            "a-10.0-cp39-abi3-pyemscripten_2026_0_wasm32.whl",
            "a-10.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl",
            "a-9-cp313-cp313-pyemscripten_2025_0_wasm32.whl",
            "b-1-py3-none-any.whl",
            "b-1.tar.gz",
            "index.html",
            "b.whl",
            "b-1.0_garbage-py3-none-any.whl",
            "b-2-abc-py3-none-any.whl",
        ] {
            fs::write(folder.path().join(file), file)?;
        }
        let into = work.path().join("links");
        let links = Links::stage(&[folder.path().to_owned()], Target::Pyodide, &into)?;
        let expected = [
            "a-10.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl",
            "a-2.0-py3-none-any.whl",
            "b-1-py3-none-any.whl",
        ];
        assert_eq!(names(&links), expected);
        assert_eq!(links.newest().len(), 2);
        assert_eq!(fs::read_to_string(into.join(expected[1]))?, expected[1]);
        assert_eq!(fs::read_dir(into)?.count(), 4);
        assert_eq!(
            links.misfits(|name| name == "a"),
            "; a-9-cp313-cp313-pyemscripten_2025_0_wasm32.whl is there, but it is for \
             pyemscripten_2025_0_wasm32, not pyemscripten_2026_0_wasm32 or any"
        );
        assert_eq!(
            links.misfits(|name| name == "b"),
            "; b-1.0_garbage-py3-none-any.whl is there, but its version is not one; \
             b-2-abc-py3-none-any.whl is there, but its name is not that of a wheel"
        );
        Ok(())
    }

    #[test]
    fn links_and_folders_with_the_names_of_wheels_are_left_alone() -> TestResult {
        let (folder, work) = (tempfile::tempdir()?, tempfile::tempdir()?);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a-1-py3-none-any.whl"))?;
        fs::create_dir(folder.path().join("a-2-py3-none-any.whl"))?;
        File::create(folder.path().join("a-3-py3-none-any.whl"))?.set_len(MAX_WHEEL + 1)?;
        File::create(folder.path().join("a-4\u{1b}[31m.whl"))?;
        let into = work.path().join("links");
        let links = Links::stage(&[folder.path().to_owned()], Target::Wasi, &into)?;
        assert_eq!((names(&links), links.folder()), (Vec::new(), None));
        assert_eq!(
            links.misfits(|_| true),
            "; a-1-py3-none-any.whl is there, but it is no plain file; a-2-py3-none-any.whl is \
             there, but it is no plain file; a-3-py3-none-any.whl is there, but it has more than 256 \
             MiB; a wheel of a is there, but its name is not that of a wheel"
        );
        assert_eq!(links.misfits(|_| false), "");
        Ok(())
    }

    #[test]
    fn of_two_with_one_name_that_of_the_first_folder_counts() -> TestResult {
        let (first, second, work) =
            (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
        for folder in [&first, &second] {
            let path = folder.path();
            fs::write(path.join("a-1-py3-none-any.whl"), path.to_string_lossy().as_bytes())?;
        }
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let links = Links::stage(&folders, Target::Wasi, &work.path().join("links"))?;
        let content = links.of("a").first().map(|link| fs::read_to_string(&link.path));
        assert_eq!(content.transpose()?.as_deref(), first.path().to_str());
        Ok(())
    }

    #[test]
    fn the_fingerprint_changes_with_the_wheels_alone() -> TestResult {
        let folder = tempfile::tempdir()?;
        let folders = [folder.path().to_owned()];
        let mut seen = HashSet::new();
        seen.insert(fingerprint(&folders)?);
        fs::write(folder.path().join("notes.txt"), "")?;
        assert!(seen.contains(&fingerprint(&folders)?));
        let wheel = folder.path().join("a-1-py3-none-any.whl");
        for content in ["a", "bb"] {
            fs::write(&wheel, content)?;
            assert!(seen.insert(fingerprint(&folders)?));
        }
        File::options()
            .write(true)
            .open(&wheel)?
            .set_modified(SystemTime::now() - Duration::from_hours(1))?;
        assert!(seen.insert(fingerprint(&folders)?));
        fs::rename(&wheel, folder.path().join("a-2-py3-none-any.whl"))?;
        assert!(seen.insert(fingerprint(&folders)?));
        assert!(fingerprint(&[folder.path().join("none")]).is_err());
        Ok(())
    }
}
