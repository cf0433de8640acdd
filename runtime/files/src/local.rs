//! A folder of the host, opened here.
//!
//! Everything starts from the folder's own handle. The paths come from `walk.rs`, which has resolved
//! every symbolic link; whoever puts one in their place meanwhile changes nothing, because cap-std
//! follows links within the folder only, and what writes follows none at all. The same holds
//! against paths of somebody who never was at `walk.rs`: a sandbox in another process.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::OpenOptionsExt as _;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use pcm_fences::{Fence, holds};
use pcm_runtime_api::{
    Creation, FileStat, HostFile, HostFolder, MountAccess, MountSource, OpenFolder, SetTime,
    TakeEntry,
};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fstat, openat, utimensat,
};
use rustix::io::Errno as System;

use crate::packages::OpenPackages;
use crate::protected::is_protected;
use crate::{Errno, Kind, entries, host_stat, paths};

/// A folder of the host that this process opens itself, and what a mount allows of it.
#[derive(Debug)]
pub struct LocalFolder {
    root: Root,
    access: MountAccess,
    numbers: Numbers,
}

#[derive(Debug)]
enum Root {
    Folder(Arc<Dir>),
    Packages(OpenPackages),
}

/// Makes numbers of the host's, which say something about the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(RandomState);

impl Numbers {
    /// The highest bit keeps it apart from those of the files in memory.
    pub(crate) fn of(&self, host: u64) -> u64 {
        self.0.hash_one(host) | 1 << 63
    }
}

/// A folder in it, by its handle.
#[derive(Debug)]
struct LocalOpen {
    dir: Dir,
    numbers: Numbers,
}

impl LocalFolder {
    /// Opens the folder; that of packages as often as it becomes another one.
    pub fn open(host: &MountSource, access: MountAccess) -> io::Result<Self> {
        let root = match host {
            MountSource::Folder(host) => Root::Folder(open_to_list(host)?),
            MountSource::Packages(packages) => Root::Packages(OpenPackages::new(packages.clone())),
            MountSource::Served(_) => return Err(System::OPNOTSUPP.into()),
        };
        Ok(Self { root, access, numbers: Numbers::default() })
    }

    fn dir(&self) -> io::Result<Arc<Dir>> {
        match &self.root {
            Root::Folder(dir) => Ok(Arc::clone(dir)),
            Root::Packages(packages) => packages.dir(),
        }
    }

    /// Refuses what the mount does not allow to be written.
    fn check_write(&self, path: &str) -> io::Result<()> {
        if self.access != MountAccess::ReadWrite {
            return Err(System::ROFS.into());
        }
        if is_protected(path) { Err(System::ACCESS.into()) } else { Ok(()) }
    }

    /// The folder of a path, reached without following a single link, and the name in it.
    fn parent<'a>(&self, path: &'a str) -> io::Result<(Arc<Dir>, &'a str)> {
        let (above, name) = paths::split(path).ok_or(System::BUSY)?;
        let mut dir = self.dir()?;
        for name in above.split('/').filter(|name| !name.is_empty()) {
            dir = Arc::new(dir.open_dir_nofollow(name)?);
        }
        Ok((dir, name))
    }

    fn is_file(&self, path: &str) -> io::Result<bool> {
        match self.stat(path) {
            Ok(stat) => Ok(stat.kind == Kind::File),
            Err(error) => match Errno::from(&error) {
                Errno::NotFound | Errno::NotFolder => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn regular(&self, file: File) -> io::Result<HostFile> {
        let stat = fstat(&file)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(System::ACCESS.into());
        }
        Ok(HostFile { file: file.into_std(), number: self.numbers.of(stat.st_ino) })
    }
}

impl HostFolder for LocalFolder {
    fn stat(&self, path: &str) -> io::Result<FileStat> {
        let metadata = if holds(Fence::Beneath) {
            self.dir()?.symlink_metadata(relative(path))?
        } else {
            Metadata::from_file(&wherever_it_leads(&*self.dir()?, relative(path))?)?
        };
        Ok(host_stat::of_path(&metadata, &self.numbers))
    }

    /// What is not UTF-8 is not shown, and no name around the folder.
    fn read_link(&self, path: &str) -> io::Result<String> {
        let (dir, name) = self.parent(path)?;
        let target = dir.read_link_contents(name)?;
        let target = target.into_os_string().into_string().map_err(|_| System::ACCESS)?;
        if leads_out(&target, paths::depth(path)) { Err(System::ACCESS.into()) } else { Ok(target) }
    }

    fn list(&self, path: &str, cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()> {
        entries::list(&self.dir()?.open_dir(relative(path))?, cookie, &self.numbers, take)
    }

    fn open_folder(&self, path: &str) -> io::Result<Box<dyn OpenFolder>> {
        let dir = self.dir()?.open_dir(relative(path))?;
        Ok(Box::new(LocalOpen { dir, numbers: self.numbers.clone() }))
    }

    fn open_to_read(&self, path: &str) -> io::Result<HostFile> {
        if !self.is_file(path)? {
            return Err(System::ACCESS.into());
        }
        if !holds(Fence::Beneath) {
            return self.regular(File::from_std(wherever_it_leads(&*self.dir()?, relative(path))?));
        }
        self.regular(self.dir()?.open_with(relative(path), options().read(true))?)
    }

    fn open_to_write(&self, path: &str, readable: bool, make: Creation) -> io::Result<HostFile> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        match dir.symlink_metadata(name) {
            Ok(metadata) if metadata.file_type().is_file() => {}
            Ok(_) => return Err(System::ACCESS.into()),
            Err(error) => match Errno::from(&error) {
                Errno::NotFound if make != Creation::Never => {}
                _ => return Err(error),
            },
        }
        let mut options = options();
        options.read(readable).write(true);
        match make {
            Creation::Never => {}
            Creation::IfMissing => drop(options.create(true)),
            Creation::Always => drop(options.create_new(true)),
        }
        self.regular(dir.open_with(name, &options)?)
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        dir.create_dir(name)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        dir.remove_file(name)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.check_write(path)?;
        let (dir, name) = self.parent(path)?;
        dir.remove_dir(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_write(from)?;
        self.check_write(to)?;
        let (from_dir, from) = self.parent(from)?;
        let (to_dir, to) = self.parent(to)?;
        from_dir.rename(from, &to_dir, to)
    }

    fn set_times(&self, path: &str, accessed: SetTime, modified: SetTime) -> io::Result<()> {
        self.check_write(path)?;
        let times =
            Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
        if path.is_empty() {
            return Ok(utimensat(&*self.dir()?, ".", &times, AtFlags::empty())?);
        }
        let (dir, name) = self.parent(path)?;
        Ok(utimensat(&*dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

impl OpenFolder for LocalOpen {
    fn stat(&self) -> io::Result<FileStat> {
        let stat = fstat(&self.dir)?;
        Ok(host_stat::of_handle(&stat, self.numbers.of(stat.st_ino)))
    }

    fn list(&self, cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()> {
        entries::list(&self.dir, cookie, &self.numbers, take)
    }
}

/// A folder that cannot be read is no use.
pub(crate) fn open_to_list(host: &Path) -> io::Result<Arc<Dir>> {
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

/// What is at a path, all links followed: for the check that somebody notices when this is done.
fn wherever_it_leads(dir: &Dir, path: &str) -> io::Result<std::fs::File> {
    let opened = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(opened.into())
}

fn relative(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// Whether the target of a link leads out of the folder whatever the names in it stand for; one that
/// climbs later may go down a link first.
fn leads_out(target: &str, depth: usize) -> bool {
    let names = target.split('/').filter(|name| !matches!(*name, "" | "."));
    target.starts_with('/') || names.take_while(|name| *name == "..").count() >= depth
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_climbs_past_the_folder_at_once_leads_out() {
        for (target, depth) in [("/a", 3), ("..", 1), ("../x", 1), (".//../a", 1), ("../../x", 2)] {
            assert!(leads_out(target, depth), "{target} {depth}");
        }
        for (target, depth) in [("", 1), ("a", 1), ("..", 2), ("../x", 2), ("a/../../b", 1)] {
            assert!(!leads_out(target, depth), "{target} {depth}");
        }
    }
}
