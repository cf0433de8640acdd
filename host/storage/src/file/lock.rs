//! One writer at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use cap_std::fs::{Dir, OpenOptions};

/// Writers hold a lock for milliseconds. One that is stuck must not take all others with it.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORTEST_WAIT: Duration = Duration::from_micros(100);
const LONGEST_WAIT: Duration = Duration::from_millis(4);

/// The lock of a folder, until it is dropped. The system lets go of it when its process ends, however
/// it does.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock that this file stands for. The file stays: another process may be waiting at it.
    pub(super) fn take(folder: &Dir, name: &str) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let file = folder.open_with(name, &options)?.into_std();
        let asked = Instant::now();
        let mut wait = SHORTEST_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if asked.elapsed() > PATIENCE => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(wait);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }
}
