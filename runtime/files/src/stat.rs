//! What is known of a file or folder.

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link of a mounted folder.
    Link,
    /// Anything else in a mounted folder: a pipe, a socket, a device. It cannot be opened.
    Other,
}

/// Times in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was last read. In memory: when it was made, or what was set.
    pub accessed: u64,
    /// When its content last changed.
    pub modified: u64,
    /// When anything about it last changed.
    pub changed: u64,
}

impl Times {
    /// The times of what is made now.
    pub(crate) fn all(now: u64) -> Self {
        Self { accessed: now, modified: now, changed: now }
    }

    /// The content changed.
    pub(crate) fn touch(&mut self, now: u64) {
        (self.modified, self.changed) = (now, now);
    }
}

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
