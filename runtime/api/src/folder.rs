//! A folder of the host, by what can be done with the paths in it.
//!
//! Whoever may open paths has one for each mount. A sandbox that may not is given one that asks
//! somebody who may: paths go there, and descriptors of regular files come back.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
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
pub struct FileTimes {
    /// When it was last read. In memory: when it was made, or what was set.
    pub accessed: u64,
    /// When its content last changed.
    pub modified: u64,
    /// When anything about it last changed.
    pub changed: u64,
}

impl FileTimes {
    /// The times of what is made now.
    pub fn all(now: u64) -> Self {
        Self { accessed: now, modified: now, changed: now }
    }

    /// The content changed.
    pub fn touch(&mut self, now: u64) {
        (self.modified, self.changed) = (now, now);
    }
}

/// What a time shall become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// What it is.
    Keep,
    /// Nanoseconds since 1970.
    To(u64),
}

/// What a folder of the host tells of a file or folder in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Bytes of a file; 0 for everything else.
    pub size: u64,
    /// Its times.
    pub times: FileTimes,
    /// A number that is its own within the folder, with the highest bit set. Not the host's, which
    /// says something about the host.
    pub number: u64,
}

/// How far a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Where in the path the name ends that it came to.
    pub end: usize,
    /// What lies there; None if nothing does.
    pub stat: Option<FileStat>,
}

/// A name in a folder of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostEntry<'a> {
    /// The name; None where it is not UTF-8, and can only be in the way.
    pub name: Option<&'a str>,
    /// What it stands for.
    pub kind: FileKind,
    /// As [`FileStat::number`].
    pub number: u64,
    /// Where the listing goes on after this entry. The highest bit is not set.
    pub cookie: u64,
}

/// Takes an entry, and says whether it wants another.
pub type TakeEntry<'a> = dyn FnMut(HostEntry<'_>) -> bool + 'a;

/// A regular file of the host that is open.
#[derive(Debug)]
pub struct HostFile {
    /// The file. Nothing is said of its position.
    pub file: File,
    /// As [`FileStat::number`].
    pub number: u64,
}

/// Whether a file that shall be written is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It has to be there.
    Never,
    /// It is made where it is missing.
    IfMissing,
    /// It must not be there.
    Always,
}

/// A folder of the host.
///
/// A path names something in the folder: names with single slashes between them, none of which is
/// empty, `.` or `..`; the empty path is the folder itself. No name in it is a symbolic link, except
/// perhaps the last, and that is never followed. Implementations have to hold against paths that are
/// none of this, and to what the mount allows: a caller may be hostile.
///
/// An error has the number of the system's error. Its text is shown to nobody.
pub trait HostFolder: fmt::Debug + Send + Sync {
    /// What lies at a path. Of a symbolic link: the link.
    fn stat(&self, path: &str) -> io::Result<FileStat>;

    /// Goes down a path until something is no folder, or the path ends. Its first `known` bytes are a
    /// folder, or none.
    fn follow(&self, path: &str, known: usize) -> io::Result<Followed> {
        let ends = path.match_indices('/').map(|(end, _)| end).filter(|end| *end > known);
        for end in ends.chain([path.len()]) {
            let stat = match self.stat(path.get(..end).unwrap_or(path)) {
                Ok(stat) if stat.kind == FileKind::Folder && end < path.len() => continue,
                Ok(stat) => Some(stat),
                Err(error) => match error.kind() {
                    // The folder above was one a moment ago, or is one in an overlay only.
                    ErrorKind::NotFound | ErrorKind::NotADirectory => None,
                    _ => return Err(error),
                },
            };
            return Ok(Followed { end, stat });
        }
        Err(ErrorKind::NotFound.into()) // there is always an end
    }

    /// Where a symbolic link leads, unless that says something about what lies around the folder.
    fn read_link(&self, path: &str) -> io::Result<String>;

    /// Gives the entries of a folder after `cookie`, 0 for all, without `.` and `..`, until `take`
    /// has enough.
    fn list(&self, path: &str, cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()>;

    /// Opens a folder, to look at it again.
    fn open_folder(&self, path: &str) -> io::Result<Box<dyn OpenFolder>>;

    /// Opens a regular file, and nothing else: what is not one may wait for ever or do something.
    fn open_to_read(&self, path: &str) -> io::Result<HostFile>;

    /// Opens a regular file to write it, and perhaps to read it. Its content stays.
    fn open_to_write(&self, path: &str, readable: bool, make: Creation) -> io::Result<HostFile>;

    /// Makes a folder.
    fn make_folder(&self, path: &str) -> io::Result<()>;

    /// Removes anything but a folder.
    fn remove_file(&self, path: &str) -> io::Result<()>;

    /// Removes a folder that is empty.
    fn remove_folder(&self, path: &str) -> io::Result<()>;

    /// Gives what lies at a path another, in the place of what has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Sets the times of what lies at a path. Of a symbolic link: the link's.
    fn set_times(&self, path: &str, accessed: SetTime, modified: SetTime) -> io::Result<()>;
}

/// A folder of the host that is open.
pub trait OpenFolder: fmt::Debug + Send + Sync {
    /// What is known of it.
    fn stat(&self) -> io::Result<FileStat>;

    /// As [`HostFolder::list`]. Nothing is kept between two calls.
    fn list(&self, cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()>;
}
