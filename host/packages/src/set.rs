//! A set: the wheels of one request as one folder, compiled and read-only.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pcm_runtime_api::Progress;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compiler::Compiler;
use crate::folder::{aside, create, make_read_only, open_plain, publish, walk, write};
use crate::plan::blocking;
use crate::shelf::Shelved;
use crate::wheel::Content;
use crate::{Compiled, PackagesError};

/// Both in the folder of a set; the manifest is written last, and a folder with one is complete.
const PACKAGES: &str = "packages";
const MANIFEST: &str = "set.json";
/// Changes when sets are made in another way.
const FORMAT: &str = "pcm-packages 1";

/// What a set may be: several times the largest that is in use.
const MAX_FILES: usize = 60_000;
const MAX_BYTES: u64 = 512 << 20;
const MAX_BYTECODE: u64 = 64 << 20;

/// Packages in a folder that can be mounted at [`PACKAGES_FOLDER`](crate::PACKAGES_FOLDER), to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSet {
    /// The folder. Nobody writes to it any more.
    pub folder: PathBuf,
    /// What is in it.
    pub distributions: Vec<Distribution>,
    /// Depends on the wheels and on the compiler, and on nothing else.
    pub key: String,
}

/// A package of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Distribution {
    /// Its normalised name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its wheel.
    pub sha256: String,
}

/// What is known of a set; `set.json` beside its folder.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    key: String,
    distributions: Vec<Distribution>,
    /// Sizes of all files: a machine that lost its power may have lost their content.
    files: BTreeMap<String, u64>,
}

/// The set of that key, if it is there and whole.
pub(crate) fn open(sets: &Path, key: &str) -> Option<PackageSet> {
    let place = sets.join(key);
    let manifest: Manifest = serde_json::from_slice(&fs::read(place.join(MANIFEST)).ok()?).ok()?;
    let folder = place.join(PACKAGES);
    let is_whole = manifest.files.iter().all(|(path, bytes)| {
        fs::symlink_metadata(folder.join(path))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == *bytes)
    });
    (manifest.key == key && is_whole).then_some(PackageSet {
        folder,
        distributions: manifest.distributions,
        key: manifest.key,
    })
}

/// The set of these wheels; made unless it is there.
pub(crate) async fn make(
    sets: &Path,
    mut wheels: Vec<Shelved>,
    compiler: &dyn Compiler,
    progress: &Progress<'_>,
) -> Result<PackageSet, PackagesError> {
    wheels.sort_by_key(|wheel| wheel.sha256);
    let key = key(&wheels, compiler);
    if let Some(set) = open(sets, &key) {
        return Ok(set);
    }
    let cannot = || PackagesError::cache("make a folder of packages");
    let aside = aside(sets).map_err(cannot())?;
    let folder = aside.path().join(PACKAGES);
    let distributions = distributions(&wheels);
    let copied = folder.clone();
    let files = blocking(move || merge(&wheels, &copied)).await?;
    let is_source = |path: &&String| Path::new(path).extension().is_some_and(|end| end == "py");
    let sources = files.keys().filter(is_source).count();
    if sources > 0 {
        progress(&format!("compiling {sources} files"));
        let Compiled { compiled, skipped } = compiler.compile(&folder).await?;
        if compiled.saturating_add(skipped) != sources as u64 {
            let message = format!("it saw {compiled} and {skipped} files of {sources}");
            return Err(PackagesError::Compiler { message });
        }
        if skipped > 0 {
            progress(&format!("{skipped} of them are no Python of this version"));
        }
    }
    let (sets, place) = (sets.to_owned(), sets.join(&key));
    blocking(move || {
        let files = check(&folder, &files)?;
        let manifest = Manifest { key: key.clone(), distributions, files };
        let text = serde_json::to_vec(&manifest).map_err(|error| cannot()(error.into()))?;
        make_read_only(&folder).map_err(cannot())?;
        write(&aside.path().join(MANIFEST), &text).map_err(cannot())?;
        publish(aside, &place, || open(&sets, &key).is_some()).map_err(cannot())?;
        open(&sets, &key).ok_or_else(|| cannot()(io::Error::other("it changed meanwhile")))
    })
    .await
}

fn key(wheels: &[Shelved], compiler: &dyn Compiler) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [FORMAT.to_owned(), compiler.key(), compiler.target().wheel_tag().to_owned()]
        .into_iter()
        .chain(wheels.iter().map(|wheel| wheel.sha256.to_string()))
    {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn distributions(wheels: &[Shelved]) -> Vec<Distribution> {
    let mut distributions: Vec<Distribution> = wheels
        .iter()
        .map(|wheel| Distribution {
            name: wheel.unpacked.name.clone(),
            version: wheel.unpacked.version.clone(),
            sha256: wheel.sha256.to_string(),
        })
        .collect();
    distributions.sort();
    distributions
}

/// Copies the wheels into one folder. Copies, because the compiler may write there.
fn merge(wheels: &[Shelved], folder: &Path) -> Result<BTreeMap<String, Content>, PackagesError> {
    let cannot = || PackagesError::cache("make a folder of packages");
    crate::folder::private(folder).map_err(cannot())?;
    let mut files: BTreeMap<String, Content> = BTreeMap::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut folders: BTreeMap<&str, &str> = BTreeMap::new();
    let mut bytes = 0;
    for wheel in wheels {
        let name = wheel.unpacked.name.as_str();
        for (path, content) in &wheel.unpacked.files {
            let parents: Vec<&str> =
                path.match_indices('/').filter_map(|(at, _)| path.get(..at)).collect();
            let same = files.get(path) == Some(content); // as an empty `__init__.py`
            let other = owners.get(path.as_str()).filter(|_| !same);
            let other = other.or_else(|| folders.get(path.as_str()));
            let other = other.or_else(|| parents.iter().find_map(|parent| owners.get(parent)));
            if let Some(other) = other {
                let (first, second) = ((*other).to_owned(), name.to_owned());
                return Err(PackagesError::Conflict { path: path.clone(), first, second });
            }
            if same {
                continue;
            }
            bytes += content.bytes;
            if bytes > MAX_BYTES || files.len() >= MAX_FILES {
                return Err(cannot()(io::Error::other("together they are too large")));
            }
            copy(&wheel.folder.join(path), &folder.join(path)).map_err(cannot())?;
            folders.extend(parents.into_iter().map(|parent| (parent, name)));
            owners.insert(path, name);
            files.insert(path.clone(), content.clone());
        }
    }
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut open_plain(from)?, &mut create(to)?).map(drop)
}

/// What the compiler left must be what it found, and bytecode beside it: it read what strangers
/// wrote. Gives the sizes of all files.
fn check(
    folder: &Path,
    files: &BTreeMap<String, Content>,
) -> Result<BTreeMap<String, u64>, PackagesError> {
    let cannot = || PackagesError::cache("read a folder of packages");
    let refuse = |path: &Path, what: &str| {
        let path = path.to_string_lossy();
        Err(PackagesError::Compiler { message: format!("it left {path:?}, which is {what}") })
    };
    let mut sizes = BTreeMap::new();
    let (mut bytes, mut known) = (0, HashSet::new());
    for (path, metadata) in walk(folder).map_err(cannot())? {
        let Some(name) = path.to_str() else { return refuse(&path, "no name") };
        if !metadata.is_file() || metadata.nlink() != 1 {
            return refuse(&path, "no plain file");
        }
        bytes += metadata.len();
        if bytes > 2 * MAX_BYTES || sizes.len() > 2 * MAX_FILES {
            return refuse(&path, "too much");
        }
        if let Some(content) = files.get(name) {
            if !is_unchanged(&folder.join(&path), &metadata, content).map_err(cannot())? {
                return refuse(&path, "not what it was");
            }
            known.insert(name.to_owned());
        } else if source_of(name).is_none_or(|source| !files.contains_key(&source))
            || metadata.len() > MAX_BYTECODE
        {
            return refuse(&path, "no bytecode of a file");
        }
        sizes.insert(name.to_owned(), metadata.len());
    }
    match files.keys().find(|name| !known.contains(*name)) {
        Some(name) => refuse(Path::new(name), "gone"),
        None => Ok(sizes),
    }
}

fn is_unchanged(path: &Path, metadata: &Metadata, content: &Content) -> io::Result<bool> {
    if metadata.len() != content.bytes {
        return Ok(false);
    }
    let (mut file, mut hasher) = (open_plain(path)?, Sha256::new());
    io::copy(&mut file, &mut HashWriter(&mut hasher))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize()) == content.sha256)
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file of which `a/__pycache__/b.cpython-313.pyc` is the bytecode: `a/b.py`.
fn source_of(path: &str) -> Option<String> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    let folder = match parent {
        "__pycache__" => "",
        _ => parent.strip_suffix("__pycache__").filter(|folder| folder.ends_with('/'))?,
    };
    Some(format!("{folder}{stem}.py"))
}
