//! A folder of the host.
//!
//! Everything starts from the folder's own handle. The paths come from `walk.rs`, which has resolved
//! every symbolic link; whoever puts one in their place meanwhile changes nothing, because cap-std
//! follows links within the folder only, and what writes follows none at all.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::Path;
use std::sync::Arc;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::OpenOptionsExt as _;
use cap_std::fs::{Dir, File, FileType, Metadata, MetadataExt as _, OpenOptions};
use pcm_runtime_api::{MountAccess, MountSource};
use rustix::fs::{AtFlags, OFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};

use crate::metadata::{NewTimes, SetTime};
use crate::node::Ino;
use crate::packages::OpenPackages;
use crate::protected::is_protected;
use crate::{Errno, Kind, Stat, Times, paths};

/// A mounted folder and where it is in the tree.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) folder: HostFolder,
    /// The folder in memory that the mount point lies in.
    pub(crate) parent: Ino,
    /// The node of the mount point, where the mount is an overlay.
    pub(crate) overlay: Option<Ino>,
}

/// A folder of the host, by its handle.
#[derive(Debug)]
pub(crate) struct HostFolder {
    root: Root,
    access: MountAccess,
    device: u64,
    /// Makes numbers of the host's: its own say something about the host.
    numbers: RandomState,
}

#[derive(Debug)]
enum Root {
    Folder(Arc<Dir>),
    Packages(OpenPackages),
}

impl HostFolder {
    pub(crate) fn open(
        host: &MountSource,
        access: MountAccess,
        device: u64,
    ) -> std::io::Result<Self> {
        let root = match host {
            MountSource::Folder(host) => Root::Folder(open_to_list(host)?),
            MountSource::Packages(packages) => Root::Packages(OpenPackages::new(packages.clone())),
        };
        Ok(Self { root, access, device, numbers: RandomState::new() })
    }

    fn dir(&self) -> std::io::Result<Arc<Dir>> {
        match &self.root {
            Root::Folder(dir) => Ok(Arc::clone(dir)),
            Root::Packages(packages) => packages.dir(),
        }
    }

    pub(crate) fn access(&self) -> MountAccess {
        self.access
    }

    /// What lies at a path; None if nothing does.
    pub(crate) fn kind(&self, path: &str) -> Result<Option<Kind>, Errno> {
        match self.dir().and_then(|dir| dir.symlink_metadata(relative(path))) {
            Ok(metadata) => Ok(Some(kind(metadata.file_type()))),
            Err(error) => match error.into() {
                // The folder above was one a moment ago, or is one in an overlay only.
                Errno::NotFound | Errno::NotFolder => Ok(None),
                error => Err(error),
            },
        }
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Stat, Errno> {
        Ok(self.read_stat(&self.dir()?.symlink_metadata(relative(path))?))
    }

    pub(crate) fn stat_file(&self, file: &File) -> Result<Stat, Errno> {
        Ok(self.read_stat(&file.metadata()?))
    }

    pub(crate) fn stat_dir(&self, dir: &Dir) -> Result<Stat, Errno> {
        Ok(self.read_stat(&dir.dir_metadata()?))
    }

    fn read_stat(&self, metadata: &Metadata) -> Stat {
        let kind = kind(metadata.file_type());
        Stat {
            kind,
            size: if kind == Kind::File { metadata.len() } else { 0 },
            times: Times {
                accessed: nanoseconds(metadata.atime(), metadata.atime_nsec()),
                modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
                changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            },
            number: self.number(metadata.ino()),
            device: self.device,
        }
    }

    /// The session's number for one of the host's. The highest bit keeps it apart from those of the
    /// files in memory.
    pub(crate) fn number(&self, host: u64) -> u64 {
        self.numbers.hash_one((self.device, host)) | 1 << 63
    }

    /// Where a symbolic link leads. What is not UTF-8 is not shown.
    pub(crate) fn read_link(&self, path: &str) -> Result<String, Errno> {
        let target = self.dir()?.read_link_contents(relative(path))?;
        target.into_os_string().into_string().map_err(|_| Errno::Access)
    }

    pub(crate) fn open_folder(&self, path: &str) -> Result<Dir, Errno> {
        Ok(self.dir()?.open_dir(relative(path))?)
    }

    /// The folder of an overlay's host, unless the host has removed it meanwhile.
    pub(crate) fn open_lower(&self, path: &str) -> Result<Option<Dir>, Errno> {
        match self.open_folder(path) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NotFound | Errno::NotFolder) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a regular file, and nothing else: what is not one may wait for ever or do something.
    pub(crate) fn open_to_read(&self, path: &str) -> Result<File, Errno> {
        if self.kind(path)? != Some(Kind::File) {
            return Err(Errno::Access);
        }
        let file = self.dir()?.open_with(relative(path), options().read(true))?;
        regular(file)
    }

    /// Opens a regular file to write it, and makes it where it is missing.
    pub(crate) fn open_to_write(
        &self,
        path: &str,
        readable: bool,
        create: bool,
        exclusive: bool,
    ) -> Result<File, Errno> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        match dir.symlink_metadata(name).map_err(Errno::from) {
            Ok(metadata) if kind(metadata.file_type()) == Kind::File => {}
            Err(Errno::NotFound) if create => {}
            Ok(_) => return Err(Errno::Access),
            Err(error) => return Err(error),
        }
        let mut options = options();
        options.read(readable).write(true).create(create && !exclusive).create_new(exclusive);
        regular(dir.open_with(name, &options)?)
    }

    pub(crate) fn make_folder(&self, path: &str) -> Result<(), Errno> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        Ok(dir.create_dir(name)?)
    }

    pub(crate) fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        Ok(dir.remove_file(name)?)
    }

    pub(crate) fn remove_folder(&self, path: &str) -> Result<(), Errno> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        Ok(dir.remove_dir(name)?)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.check_write(from)?;
        self.check_write(to)?;
        let (from_dir, from) = self.parent(from)?;
        let (to_dir, to) = self.parent(to)?;
        Ok(from_dir.rename(from, &to_dir, to)?)
    }

    pub(crate) fn set_times(&self, path: &str, times: NewTimes) -> Result<(), Errno> {
        self.check_write(path)?;
        let times = Timestamps {
            last_access: timespec(times.accessed),
            last_modification: timespec(times.modified),
        };
        if path.is_empty() {
            return Ok(utimensat(&*self.dir()?, ".", &times, AtFlags::empty())?);
        }
        let (dir, name) = self.parent(path)?;
        Ok(utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Refuses what the mount does not allow to be written.
    pub(crate) fn check_write(&self, path: &str) -> Result<(), Errno> {
        if self.access != MountAccess::ReadWrite {
            return Err(Errno::ReadOnly);
        }
        if is_protected(path) { Err(Errno::Access) } else { Ok(()) }
    }

    /// The folder of a path, reached without following a single link, and the name in it.
    fn parent<'a>(&self, path: &'a str) -> Result<(Dir, &'a str), Errno> {
        let (above, name) = paths::split(path).ok_or(Errno::Busy)?;
        let mut dir = self.dir()?.try_clone()?;
        for name in above.split('/').filter(|name| !name.is_empty()) {
            dir = dir.open_dir_nofollow(name)?;
        }
        Ok((dir, name))
    }
}

/// A folder that cannot be read is no use.
pub(crate) fn open_to_list(host: &Path) -> std::io::Result<Arc<Dir>> {
    let dir = Dir::open_ambient_dir(host, ambient_authority())?;
    dir.entries()?;
    Ok(Arc::new(dir))
}

/// Follows no link at the end and waits for nobody.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed()).follow(FollowSymlinks::No);
    options
}

fn regular(file: File) -> Result<File, Errno> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::Access) }
}

fn relative(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
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
fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
}

fn timespec(time: SetTime) -> Timespec {
    match time {
        SetTime::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        SetTime::To(nanoseconds) => Timespec {
            tv_sec: i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (nanoseconds % 1_000_000_000).cast_signed(),
        },
    }
}
