//! The packages of an image: a folder as bytes, and a folder again.
//!
//! File after file in the order of their paths: the length of the path in two bytes, the path, the
//! length of the content in eight, the content. There is nothing else in it: folders are what paths
//! say, and what is neither file nor folder is refused.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path};

use pcm_runtime_cache::open_plain;
use serde::{Deserialize, Serialize};

use crate::cache::Hashed;

/// As many as a set of packages can have, with room for bytecode.
const MOST_FILES: u64 = 200_000;
const MOST_BYTES: u64 = 2 << 30;
const LONGEST_PATH: usize = 1024;
const LONGEST_NAME: usize = 255;
const DEEPEST: usize = 40;
const COMPRESSION_LEVEL: i32 = 9;

/// What is known of a folder of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// BLAKE3 of the bytes, before they are compressed.
    pub(crate) blake3: String,
    /// How many files there are.
    pub(crate) files: u64,
    /// What is in them, together.
    pub(crate) bytes: u64,
}

/// The folder as compressed bytes.
pub(crate) fn pack(folder: &Path) -> io::Result<(Tree, Vec<u8>)> {
    let mut tree = Tree { blake3: String::new(), files: 0, bytes: 0 };
    let encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    let mut out = Hashed { inner: encoder, hasher: blake3::Hasher::new() };
    for path in files_in(folder)? {
        let mut file = open_plain(&folder.join(&path))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(refused(&path, "it is no plain file"));
        }
        let length = metadata.len();
        out.write_all(&u16::try_from(path.len()).map_err(io::Error::other)?.to_le_bytes())?;
        out.write_all(path.as_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        tree.files += 1;
        tree.bytes = tree.bytes.saturating_add(length);
        if tree.files > MOST_FILES || tree.bytes > MOST_BYTES {
            return Err(too_large());
        }
        if io::copy(&mut (&mut file).take(length), &mut out)? != length {
            return Err(refused(&path, "it changed meanwhile"));
        }
    }
    tree.blake3 = out.hasher.finalize().to_hex().to_string();
    Ok((tree, out.inner.finish()?))
}

/// The paths of all files, in order.
fn files_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(inside) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(refused(&inside, "a name in it is not UTF-8"));
            };
            let path = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
            if !is_inside(&path) {
                return Err(refused(&path, "its path is too long or too deep"));
            }
            let is_folder = entry.file_type()?.is_dir();
            if is_folder { &mut waiting } else { &mut found }.push(path);
        }
        if (found.len() + waiting.len()) as u64 > MOST_FILES {
            return Err(too_large());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes the folder `into`, which is empty, what was packed. After an error it is of no use.
pub(crate) fn unpack(packed: &[u8], tree: &Tree, into: &Path) -> io::Result<()> {
    if tree.files > MOST_FILES || tree.bytes > MOST_BYTES {
        return Err(too_large());
    }
    let longest = tree.bytes + tree.files * (LONGEST_PATH as u64 + 10);
    let mut from =
        Hashing { inner: zstd::Decoder::new(packed)?.take(longest), hasher: blake3::Hasher::new() };
    let (mut last, mut bytes) = (String::new(), 0);
    for _ in 0..tree.files {
        let path = read_path(&mut from)?;
        if path <= last {
            return Err(refused(&path, "it is not in order"));
        }
        let length = u64::from_le_bytes(read_array(&mut from)?);
        bytes += length.min(MOST_BYTES);
        if bytes > tree.bytes {
            return Err(too_large());
        }
        write_file(&into.join(&path), &mut from, length)?;
        last = path;
    }
    if bytes != tree.bytes || from.read(&mut [0])? != 0 {
        return Err(io::Error::other("the packages are not what the image says of them"));
    }
    if from.hasher.finalize().to_hex().as_str() != tree.blake3 {
        return Err(io::Error::other("the packages are damaged: their hash is wrong"));
    }
    Ok(())
}

fn read_path(from: &mut impl Read) -> io::Result<String> {
    let length = u16::from_le_bytes(read_array(from)?);
    if usize::from(length) > LONGEST_PATH {
        return Err(refused("", "its path is too long"));
    }
    let mut path = vec![0; length.into()];
    from.read_exact(&mut path)?;
    let path = String::from_utf8(path).map_err(|_| refused("", "its path is not UTF-8"))?;
    if is_inside(&path) { Ok(path) } else { Err(refused(&path, "its path leads elsewhere")) }
}

fn write_file(path: &Path, from: &mut impl Read, length: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
    if io::copy(&mut from.take(length), &mut file)? != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn read_array<const LENGTH: usize>(from: &mut impl Read) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Whether a path stays in the folder that it is put into: names between single slashes.
fn is_inside(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.len() <= LONGEST_NAME
            && !name.contains(|character: char| character.is_control() || character == '\\')
    };
    path.len() <= LONGEST_PATH
        && path.split('/').count() <= DEEPEST
        && path.split('/').all(is_name)
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn too_large() -> io::Error {
    io::Error::other("the packages are too many or too large")
}

fn refused(path: &str, reason: &str) -> io::Error {
    io::Error::other(format!("the file {path:?} of the packages is refused: {reason}"))
}

/// Hashes what is read from it.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(folder: &Path, path: &str, content: &str) -> io::Result<()> {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, content)
    }

    /// Bytes as `pack` writes them, of whatever files.
    fn packed(files: &[(&str, &str)]) -> io::Result<(Tree, Vec<u8>)> {
        let mut bytes = Vec::new();
        for (path, content) in files {
            bytes.extend(u16::try_from(path.len()).unwrap_or(0).to_le_bytes());
            bytes.extend(path.as_bytes());
            bytes.extend((content.len() as u64).to_le_bytes());
            bytes.extend(content.as_bytes());
        }
        let tree = Tree {
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            files: files.len() as u64,
            bytes: files.iter().map(|(_, content)| content.len() as u64).sum(),
        };
        Ok((tree, zstd::encode_all(bytes.as_slice(), 1)?))
    }

    #[test]
    fn a_folder_comes_back_as_it_was() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let files = [("a.py", "a = 1"), ("b/__init__.py", ""), ("b/c/d.txt", "é\0")];
        for (path, content) in files {
            put(&from, path, content)?;
        }
        let (tree, bytes) = pack(&from)?;
        assert_eq!((tree.files, tree.bytes), (3, 8));
        assert_eq!(pack(&from)?, (tree.clone(), bytes.clone()), "the same each time");
        fs::create_dir(&to)?;
        unpack(&bytes, &tree, &to)?;
        for (path, content) in files {
            assert_eq!(fs::read_to_string(to.join(path))?, content);
        }
        assert_eq!(files_in(&to)?.len(), 3);
        Ok(())
    }

    #[test]
    fn links_are_not_packed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        symlink("/etc/passwd", folder.path().join("link"))?;
        assert!(pack(folder.path()).is_err());
        Ok(())
    }

    #[test]
    fn nothing_leads_out_of_the_folder() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let paths = ["../a", "/a", "a/../../b", "a//b", "./a", "", "a/", "a\0b", "a\\b", "a/.."];
        for path in paths {
            let into = tempfile::tempdir_in(folder.path())?;
            let (tree, bytes) = packed(&[(path, "x")])?;
            assert!(unpack(&bytes, &tree, into.path()).is_err(), "{path:?}");
            assert_eq!(fs::read_dir(into.path())?.count(), 0, "{path:?}");
        }
        let deep = ["a"; DEEPEST + 1].join("/");
        for path in [deep.as_str(), &"a".repeat(LONGEST_NAME + 1)] {
            assert!(!is_inside(path));
        }
        Ok(())
    }

    #[test]
    fn what_is_not_as_it_was_said_is_refused() -> io::Result<()> {
        let refuses = |tree: &Tree, bytes: &[u8]| {
            tempfile::tempdir().is_ok_and(|into| unpack(bytes, tree, into.path()).is_err())
        };
        let (tree, bytes) = packed(&[("a", "12345"), ("b", "67")])?;
        assert!(!refuses(&tree, &bytes));
        for (files, size) in [(1, 7), (3, 7), (2, 6), (2, 8), (2, u64::MAX), (u64::MAX, 7)] {
            assert!(refuses(&Tree { files, bytes: size, ..tree.clone() }, &bytes));
        }
        assert!(refuses(&Tree { blake3: "0".repeat(64), ..tree.clone() }, &bytes));
        assert!(refuses(&tree, &bytes[..bytes.len() - 1]));
        for files in
            [&[("b", "1"), ("a", "2")][..], &[("a", "1"), ("a", "2")], &[("a", "1"), ("a/b", "")]]
        {
            let (tree, bytes) = packed(files)?;
            assert!(refuses(&tree, &bytes), "{files:?}");
        }
        Ok(())
    }
}
