//! How a file is recognised as the one that was read.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Stat};

/// File systems note times in steps. A file that was changed within the last step before it was
/// looked at can be changed again without its times telling.
const STEP: Duration = Duration::from_millis(100);
/// Of file systems that know no fractions of a second.
const LONG_STEP: Duration = Duration::from_millis(2100);

/// Which file it is, how long it is and when it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of an open file.
    pub(super) fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_stat(&rustix::fs::fstat(file)?))
    }

    /// Of a plain file in a folder; nothing of what is none.
    pub(super) fn at(folder: impl AsFd, name: &str) -> io::Result<Option<Self>> {
        match rustix::fs::statat(folder, name, AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_file() => {
                Ok(Some(Self::from_stat(&stat)))
            }
            Ok(_) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn from_stat(stat: &Stat) -> Self {
        let nanoseconds = |since| i64::try_from(since).unwrap_or(0);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a change after this moment would show.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        let step = if nanoseconds == 0 { LONG_STEP } else { STEP };
        let since_epoch = Duration::new(
            u64::try_from(seconds).unwrap_or(0),
            u32::try_from(nanoseconds).unwrap_or(0),
        );
        now.duration_since(SystemTime::UNIX_EPOCH + since_epoch).is_ok_and(|age| age > step)
    }
}
