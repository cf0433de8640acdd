//! What is known of a file or folder.

use pcm_runtime_api::FileStat;

use crate::{Kind, Times};

/// What is known of a file or folder. Owner and mode of the host are not among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file; 0 for everything else.
    pub size: u64,
    /// Its times.
    pub times: Times,
    /// A number that is its own within the session. Not the host's.
    pub number: u64,
    /// 0 in memory, from 1 on the mounts.
    pub device: u64,
}

impl Stat {
    /// What the host's folder says, of a mount.
    pub(crate) fn of_mount(stat: FileStat, device: u64) -> Self {
        let FileStat { kind, size, times, number } = stat;
        Self { kind, size, times, number, device }
    }
}
