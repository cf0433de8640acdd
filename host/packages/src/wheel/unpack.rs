//! Members of a wheel become files, within bounds.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::path::{Destination, destination, is_inside};
use super::record::{self, Hasher, Record};
use super::{Bad, Content, Native, Unpacked};
use crate::folder::{create, open_plain};
use crate::name::{is_version, normalised};

/// What a wheel may be; the largest that is in use has a tenth of it.
pub(super) const MAX_MEMBERS: usize = 20_000;
const MAX_FILE: u64 = 64 << 20;
const MAX_TOTAL: u64 = 256 << 20;
/// Of METADATA, which is read into memory.
const MAX_METADATA: u64 = 4 << 20;
/// Of RECORD, likewise.
pub(super) const MAX_RECORD: u64 = 16 << 20;

/// How every module of WebAssembly begins.
const WEBASSEMBLY: [u8; 4] = *b"\0asm";

/// The files of a wheel that lost its native parts say so themselves.
const PURE_WHEEL: &str =
    "Wheel-Version: 1.0\nGenerator: pcm-sandbox\nRoot-Is-Purelib: true\nTag: py3-none-any\n";

/// Puts the members of one wheel into a folder.
pub(super) struct Unpacker {
    name: String,
    native: Native,
    folder: PathBuf,
    files: BTreeMap<String, Content>,
    /// All paths that are folders because of the files in them.
    folders: HashSet<String>,
    members: usize,
    bytes: u64,
}

impl Unpacker {
    /// For the wheel of the distribution `name`, normalised.
    pub(super) fn new(name: String, native: Native, folder: &Path) -> Self {
        let folder = folder.to_owned();
        let (files, folders) = (BTreeMap::new(), HashSet::new());
        Self { name, native, folder, files, folders, members: 0, bytes: 0 }
    }

    /// The folder `….dist-info` among these paths.
    pub(super) fn info<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<String, Bad> {
        let mut found: Vec<&str> = paths
            .filter_map(|path| path.strip_suffix("/RECORD"))
            .filter(|folder| !folder.contains('/'))
            .filter(|folder| {
                let stem = folder.strip_suffix(".dist-info");
                let parts = stem.and_then(|stem| stem.split_once('-'));
                parts.is_some_and(|(name, version)| {
                    normalised(name).as_ref() == Some(&self.name) && is_version(version)
                })
            })
            .collect();
        match (found.pop(), found.pop()) {
            (Some(info), None) => Ok(info.to_owned()),
            (None, _) => Err(format!("it has no RECORD of {}", self.name).into()),
            (Some(_), Some(_)) => Err(format!("it has two RECORD files of {}", self.name).into()),
        }
    }

    /// Takes the member `path` of the wheel, whose content is `reader`, if the sandbox has a use for
    /// it. `record` names the member as the wheel does.
    pub(super) fn add(
        &mut self,
        path: &str,
        info: &str,
        record: &Record,
        reader: &mut impl Read,
    ) -> Result<(), Bad> {
        self.members += 1;
        if self.members > MAX_MEMBERS {
            return Err(format!("it has more than {MAX_MEMBERS} members").into());
        }
        if !is_inside(path) {
            return Err(format!("its member {} is no path inside it", shown(path)).into());
        }
        let (target, is_library) = match (destination(path, info), self.native) {
            (Destination::File(target), _) => (target, false),
            (Destination::Library(target), Native::Keep) => (target, true),
            (Destination::Library(_) | Destination::ForeignLibrary, Native::Refuse) => {
                return Err(format!("it has a native library, {}", shown(path)).into());
            }
            (Destination::Nowhere | Destination::Library(_) | Destination::ForeignLibrary, _) => {
                return Ok(());
            }
        };
        if target.strip_prefix(info) == Some("/RECORD") {
            return Ok(()); // written anew
        }
        let (hasher, expected) = record.expected(path)?;
        self.place(target)?;
        let content = self.write(target, reader, hasher, expected)?;
        if is_library && !self.is_webassembly(target)? {
            return Err(format!("its library {} is no WebAssembly", shown(path)).into());
        }
        self.files.insert(target.to_owned(), content);
        Ok(())
    }

    /// No file may be in another's place, nor be a folder of another.
    fn place(&mut self, target: &str) -> Result<(), Bad> {
        let parents: Vec<&str> =
            target.match_indices('/').filter_map(|(at, _)| target.get(..at)).collect();
        let is_taken = self.files.contains_key(target)
            || self.folders.contains(target)
            || parents.iter().any(|parent| self.files.contains_key(*parent));
        if is_taken {
            return Err(format!("two of its members are {}", shown(target)).into());
        }
        self.folders.extend(parents.into_iter().map(str::to_owned));
        Ok(())
    }

    fn write(
        &mut self,
        target: &str,
        reader: &mut impl Read,
        mut given: Hasher,
        expected: &str,
    ) -> Result<Content, Bad> {
        let mut file = create(&self.folder.join(target))?;
        let mut ours = Hasher::sha256();
        let (mut bytes, mut buffer) = (0, vec![0; 64 << 10]);
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(format!("its member {} is damaged", shown(target)).into()),
            };
            let data = buffer.get(..read).unwrap_or_default();
            bytes += data.len() as u64;
            self.bytes += data.len() as u64;
            if bytes > MAX_FILE {
                let limit = MAX_FILE >> 20;
                return Err(format!("{} has more than {limit} MiB", shown(target)).into());
            }
            if self.bytes > MAX_TOTAL {
                return Err(format!("it unpacks to more than {} MiB", MAX_TOTAL >> 20).into());
            }
            given.update(data);
            ours.update(data);
            file.write_all(data)?;
        }
        if given.finish() != expected.trim_end_matches('=') {
            return Err(format!("{} is not what its RECORD says", shown(target)).into());
        }
        Ok(Content { bytes, sha256: ours.finish() })
    }

    /// Whether a file that was written begins as a module of WebAssembly.
    fn is_webassembly(&self, target: &str) -> io::Result<bool> {
        let mut start = Vec::new();
        let file = open_plain(&self.folder.join(target))?;
        file.take(WEBASSEMBLY.len() as u64).read_to_end(&mut start)?;
        Ok(start == WEBASSEMBLY)
    }

    /// Checks the whole, writes its record, and tells what there is.
    pub(super) fn finish(mut self, info: String) -> Result<Unpacked, Bad> {
        let (name, version) = self.metadata(&info)?;
        if name != self.name {
            return Err(format!("its METADATA is of {name}").into());
        }
        let wheel = format!("{info}/WHEEL");
        if !self.files.contains_key(&wheel) {
            return Err("it has no WHEEL".into());
        }
        if self.native == Native::Drop {
            std::fs::remove_file(self.folder.join(&wheel))?;
            self.files.remove(&wheel);
            let content = self.put(&wheel, PURE_WHEEL)?;
            self.files.insert(wheel, content);
        }
        let files = std::mem::take(&mut self.files);
        let mut unpacked = Unpacked { name, version, info, files };
        let path = format!("{}/RECORD", unpacked.info);
        let content = self.put(&path, &record::write(&unpacked))?;
        unpacked.files.insert(path, content);
        Ok(unpacked)
    }

    /// Writes a file of ours.
    fn put(&self, path: &str, text: &str) -> Result<Content, Bad> {
        create(&self.folder.join(path))?.write_all(text.as_bytes())?;
        let mut hasher = Hasher::sha256();
        hasher.update(text.as_bytes());
        Ok(Content { bytes: text.len() as u64, sha256: hasher.finish() })
    }

    /// The name and the version that METADATA says.
    fn metadata(&self, info: &str) -> Result<(String, String), Bad> {
        let path = format!("{info}/METADATA");
        let size = self.files.get(&path).map(|content| content.bytes);
        if size.is_none_or(|size| size > MAX_METADATA) {
            return Err("it has no METADATA, or too much of it".into());
        }
        let text = std::fs::read(self.folder.join(&path))?;
        let text = String::from_utf8_lossy(&text);
        let field = |field: &str| {
            text.lines().take_while(|line| !line.is_empty()).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(field).then(|| value.trim().to_owned())
            })
        };
        let name = field("Name").and_then(|name| normalised(&name));
        let version = field("Version").filter(|version| is_version(version));
        name.zip(version).ok_or_else(|| "its METADATA has no proper name and version".into())
    }
}

/// A path for a message, whatever is in it.
pub(super) fn shown(path: &str) -> String {
    let mut shown: String = path.chars().take(120).collect();
    if shown.len() < path.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
