//! Where things are in the image, and which program it has.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use pcm_runtime_cache::{identity, private_folder, read_note};

/// All that is ours in an image.
pub(crate) const ROOT: &str = "/opt/pcm";
/// This program.
pub(crate) const PROGRAM: &str = "/opt/pcm/pcm-sandbox";
/// The environment of kernels.
pub(crate) const ENVIRONMENT: &str = "/opt/pcm/environment";

const LONGEST_NOTE: u64 = 128;

/// The program that an image shall have.
pub(crate) fn of(named: Option<&Path>) -> io::Result<PathBuf> {
    match named {
        Some(path) => fs::canonicalize(path),
        None => std::env::current_exe(),
    }
}

/// What is in a program, as 32 hexadecimal digits. Read once as long as it stays what it is: it may have
/// hundreds of megabytes.
pub(crate) fn digest(program: &Path) -> io::Result<String> {
    let file = File::open(program)?;
    let place = format!("{} {}", program.display(), identity(&file.metadata()?));
    let name = short(blake3::hash(place.as_bytes()));
    let folder = pcm_runtime_cache::root().map(|root| root.join("container/programs")).ok();
    let note = folder.as_ref().map(|folder| folder.join(name));
    if let Some(known) = note.as_ref().and_then(|note| read_note(note, LONGEST_NOTE).ok())
        && known.len() == 32
    {
        return Ok(known);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    let digest = short(hasher.finalize());
    if let (Some(folder), Some(note)) = (folder, note) {
        // It only saves time.
        let _ = private_folder(&folder).and_then(|()| fs::write(note, &digest));
    }
    Ok(digest)
}

pub(crate) fn short(hash: blake3::Hash) -> String {
    hash.to_hex().chars().take(32).collect()
}
