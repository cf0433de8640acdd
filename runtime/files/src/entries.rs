//! The entries of a folder, as the host has them.

use std::ffi::CStr;
use std::io;

use cap_std::fs::Dir;
use pcm_runtime_api::{HostEntry, TakeEntry};
use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, openat, seek};

use crate::Kind;
use crate::host_stat::kind;
use crate::local::Numbers;

/// What the host is asked for at a time, in bytes.
const PIECE: usize = 8 << 10;

/// Gives the entries after the host's cookie `start`, but for `.` and `..`.
pub(crate) fn list(
    dir: &Dir,
    start: u64,
    numbers: &Numbers,
    take: &mut TakeEntry<'_>,
) -> io::Result<()> {
    // A handle of its own: the position belongs to the handle, and copies of a session share
    // the descriptor's.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = openat(dir, ".", flags, Mode::empty())?;
    if start > 0 {
        seek(&handle, SeekFrom::Start(start))?;
    }
    let mut buffer = Vec::with_capacity(PIECE);
    let mut entries = RawDir::new(handle, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if is_dots(entry.file_name()) {
            continue;
        }
        let name = entry.file_name().to_str().ok();
        let kind = match entry.file_type() {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            // Some file systems do not say.
            FileType::Unknown => {
                let metadata = name.and_then(|name| dir.symlink_metadata(name).ok());
                metadata.map_or(Kind::Other, |metadata| kind(metadata.file_type()))
            }
            _ => Kind::Other,
        };
        let (number, cookie) = (numbers.of(entry.ino()), entry.next_entry_cookie());
        if !take(HostEntry { name, kind, number, cookie }) {
            break;
        }
    }
    Ok(())
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
