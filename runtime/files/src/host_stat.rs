//! What the host says of a file, as sandboxed code may see it.

use cap_std::fs::{FileType, Metadata, MetadataExt as _};
use pcm_runtime_api::{FileStat, HostFile};
use rustix::fs::{FileType as RawType, Stat as RawStat, fstat};

use crate::local::Numbers;
use crate::{Errno, Kind, Times};

/// What lies at a path.
pub(crate) fn of_path(metadata: &Metadata, numbers: &Numbers) -> FileStat {
    let kind = kind(metadata.file_type());
    FileStat {
        kind,
        size: if kind == Kind::File { metadata.len() } else { 0 },
        times: Times {
            accessed: nanoseconds(metadata.atime(), metadata.atime_nsec()),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        },
        number: numbers.of(metadata.ino()),
    }
}

/// What a handle is open on.
pub(crate) fn of_handle(stat: &RawStat, number: u64) -> FileStat {
    let kind = match RawType::from_raw_mode(stat.st_mode) {
        RawType::RegularFile => Kind::File,
        RawType::Directory => Kind::Folder,
        RawType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    FileStat {
        kind,
        size: if kind == Kind::File { size(stat) } else { 0 },
        times: Times {
            accessed: nanoseconds(stat.st_atime, stat.st_atime_nsec),
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        },
        number,
    }
}

/// What a file is now. By `fstat` and nothing newer: a jail may know no other.
pub(crate) fn of_file(file: &HostFile) -> Result<FileStat, Errno> {
    Ok(of_handle(&fstat(&file.file)?, file.number))
}

pub(crate) fn size_of(file: &HostFile) -> Result<u64, Errno> {
    Ok(size(&fstat(&file.file)?))
}

fn size(stat: &RawStat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

pub(crate) fn kind(file_type: FileType) -> Kind {
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    }
}

/// Before 1970 is 1970.
fn nanoseconds(seconds: i64, nanoseconds: impl TryInto<u64>) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.try_into().unwrap_or(0))
}
