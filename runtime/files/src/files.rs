//! A session's files, and what is done with those that are open.

use std::io::IoSlice;
use std::sync::Arc;

use pcm_runtime_api::Mount;
use rustix::io::{ReadWriteFlags, pread, pwrite, pwritev2};

use crate::descriptors::{Access, Descriptor, Descriptors, Target};
use crate::mounts::Mounted;
use crate::node::{Ino, Node, ROOT_INO};
use crate::quota::Quota;
use crate::tree::Tree;
use crate::walk::{Place, Spot};
use crate::{Errno, Fd, FilesError, Kind, ROOT, host_stat, paths};

/// All files of a session: what it has in memory, what is mounted, and what it has open.
///
/// A clone is independent and costs nothing until one of the two changes. It shares the folders of
/// the host.
///
/// ```
/// use pcm_runtime_files::{Files, Quota};
///
/// let mut files = Files::new(Quota::default(), 0);
/// files.put("/work/data/a.txt", b"hello", 0)?;
/// let before = files.clone();
/// files.put("/work/data/a.txt", b"changed", 0)?;
/// assert_eq!(before.get("/work/data/a.txt", 100)?, b"hello");
/// assert_eq!(files.changes_since(&before).len(), 1);
/// # Ok::<(), pcm_runtime_files::FilesError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    pub(crate) tree: Arc<Tree>,
    pub(crate) descriptors: Arc<Descriptors>,
    pub(crate) mounts: Arc<[Mounted]>,
    pub(crate) quota: Quota,
}

/// Where a position counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// The beginning.
    Start,
    /// Where it is.
    Current,
    /// The end of the file.
    End,
}

impl Files {
    /// The folders `/`, `/tmp` and `/work`, made at `now`.
    pub fn new(quota: Quota, now: u64) -> Self {
        let mut tree = Tree::new(now);
        for name in ["tmp", "work"] {
            let node = Node::folder(None, now);
            let ino = tree.take_number();
            // The root has no such name yet, and the number is new.
            let _ = tree.add_as(ino, ROOT_INO, name, node);
        }
        let (tree, descriptors) = (Arc::new(tree), Arc::default());
        Self { tree, descriptors, mounts: Arc::from([]), quota }
    }

    /// The same with folders of the host in it.
    pub fn with_mounts(quota: Quota, mounts: &[Mount], now: u64) -> Result<Self, FilesError> {
        let mut files = Self::new(quota, now);
        files.mount_all(mounts, now)?;
        Ok(files)
    }

    /// The bounds.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// The bytes that are counted against the quota.
    pub fn bytes(&self) -> u64 {
        self.tree.bytes()
    }

    /// The entries that are counted against the quota, the three first folders included.
    pub fn entries(&self) -> u64 {
        self.tree.entries()
    }

    /// How many descriptors the guest has open, the root not counted.
    pub fn open_descriptors(&self) -> usize {
        self.descriptors.iter().count()
    }

    pub(crate) fn tree_mut(&mut self) -> &mut Tree {
        Arc::make_mut(&mut self.tree)
    }

    pub(crate) fn mount(&self, mount: usize) -> Result<&Mounted, Errno> {
        self.mounts.get(mount).ok_or(Errno::NotFound)
    }

    pub(crate) fn is_mount_point(&self, ino: Ino) -> bool {
        self.mounts.iter().any(|mount| mount.overlay == Some(ino))
    }

    pub(crate) fn descriptor(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        self.descriptors.get(fd)
    }

    /// Closes a descriptor. The root stays open.
    pub fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        if fd == ROOT {
            return Err(Errno::NotPermitted);
        }
        self.descriptors.get(fd)?;
        let closed = Arc::make_mut(&mut self.descriptors).remove(fd)?;
        if let Some(ino) = closed.target.ino()
            && self.tree.is_orphan(ino)
            && !self.descriptors.holds(ino)
        {
            self.tree_mut().free_orphan(ino);
        }
        Ok(())
    }

    /// What a descriptor is open on, and for what.
    pub fn access(&self, fd: Fd) -> Result<Access, Errno> {
        if fd == ROOT {
            let (readable, writable, append) = (true, false, false);
            return Ok(Access { kind: Kind::Folder, readable, writable, append });
        }
        let Descriptor { target, readable, writable, append, .. } = self.descriptor(fd)?;
        let (readable, writable, append) = (*readable, *writable, *append);
        Ok(Access { kind: target.kind(), readable, writable, append })
    }

    /// Whether every write goes to the end from now on.
    pub fn set_append(&mut self, fd: Fd, append: bool) -> Result<(), Errno> {
        if self.descriptor(fd)?.append != append {
            Arc::make_mut(&mut self.descriptors).get_mut(fd)?.append = append;
        }
        Ok(())
    }

    /// Reads from where the descriptor is, and moves it.
    pub fn read(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let offset = self.descriptor(fd)?.offset;
        let count = self.read_at(fd, offset, buffer)?;
        if count > 0 {
            self.move_to(fd, offset + count as u64)?;
        }
        Ok(count)
    }

    /// Reads from an offset. Less than asked for means that the file ends there, or that the host
    /// had no more at once.
    pub fn read_at(&self, fd: Fd, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let descriptor = self.file(fd)?;
        if !descriptor.readable {
            return Err(Errno::BadDescriptor);
        }
        self.read_target(&descriptor.target, offset, buffer)
    }

    pub(crate) fn read_target(
        &self,
        target: &Target,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        match target {
            Target::File(ino) => Ok(self.tree.content(*ino)?.read(offset, buffer)),
            Target::HostFile { .. } if i64::try_from(offset).is_err() => Ok(0),
            Target::HostFile { file, .. } => Ok(pread(&file.file, buffer, offset)?),
            Target::Folder(_) | Target::HostFolder { .. } => Err(Errno::IsFolder),
        }
    }

    /// Writes where the descriptor is, or to the end if it appends, and moves it.
    pub fn write(&mut self, fd: Fd, data: &[u8], now: u64) -> Result<usize, Errno> {
        let descriptor = self.file(fd)?;
        let (target, append) = (descriptor.target.clone(), descriptor.append);
        let offset = if append { self.size(&target)? } else { descriptor.offset };
        if !descriptor.writable {
            return Err(Errno::BadDescriptor);
        }
        let count = self.write_target(&target, offset, data, append, now)?;
        if count > 0 {
            self.move_to(fd, offset + count as u64)?;
        }
        Ok(count)
    }

    /// Writes at an offset.
    pub fn write_at(&mut self, fd: Fd, offset: u64, data: &[u8], now: u64) -> Result<usize, Errno> {
        let descriptor = self.file(fd)?;
        if !descriptor.writable {
            return Err(Errno::BadDescriptor);
        }
        let target = descriptor.target.clone();
        self.write_target(&target, offset, data, false, now)
    }

    pub(crate) fn write_target(
        &mut self,
        target: &Target,
        offset: u64,
        data: &[u8],
        append: bool,
        now: u64,
    ) -> Result<usize, Errno> {
        match target {
            Target::File(ino) => {
                let quota = self.quota;
                self.tree_mut().write(*ino, offset, data, &quota, now)?;
                Ok(data.len())
            }
            Target::HostFile { file, .. } => {
                let end = offset.checked_add(data.len() as u64).ok_or(Errno::FileTooLarge)?;
                if end > self.quota.bytes {
                    return Err(Errno::NoSpace);
                }
                if append {
                    // The host may have written since the size was asked for.
                    let parts = [IoSlice::new(data)];
                    return Ok(pwritev2(&file.file, &parts, offset, ReadWriteFlags::APPEND)?);
                }
                Ok(pwrite(&file.file, data, offset)?)
            }
            Target::Folder(_) | Target::HostFolder { .. } => Err(Errno::IsFolder),
        }
    }

    /// Moves a descriptor and gives its position.
    pub fn seek(&mut self, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let descriptor = self.descriptor(fd)?;
        let start = match whence {
            Whence::Start => 0,
            Whence::Current => descriptor.offset,
            Whence::End => self.size(&descriptor.target)?,
        };
        let before = descriptor.offset;
        let position = start.checked_add_signed(offset).filter(|to| i64::try_from(*to).is_ok());
        let position = position.ok_or(Errno::Invalid)?;
        if position != before {
            self.move_to(fd, position)?;
        }
        Ok(position)
    }

    fn move_to(&mut self, fd: Fd, position: u64) -> Result<(), Errno> {
        Arc::make_mut(&mut self.descriptors).get_mut(fd)?.offset = position;
        Ok(())
    }

    /// Cuts a file off or adds zeros to it.
    pub fn set_size(&mut self, fd: Fd, size: u64, now: u64) -> Result<(), Errno> {
        let descriptor = self.file(fd)?;
        if !descriptor.writable {
            return Err(Errno::Invalid);
        }
        let target = descriptor.target.clone();
        self.resize(&target, size, now)
    }

    pub(crate) fn resize(&mut self, target: &Target, size: u64, now: u64) -> Result<(), Errno> {
        match target {
            Target::File(ino) => {
                let quota = self.quota;
                self.tree_mut().set_size(*ino, size, &quota, now)
            }
            Target::HostFile { .. } if size > self.quota.bytes => Err(Errno::NoSpace),
            Target::HostFile { file, .. } => Ok(file.file.set_len(size)?),
            Target::Folder(_) | Target::HostFolder { .. } => Err(Errno::IsFolder),
        }
    }

    fn file(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        if fd == ROOT {
            return Err(Errno::IsFolder);
        }
        let descriptor = self.descriptor(fd)?;
        match descriptor.target.kind() {
            Kind::File => Ok(descriptor),
            _ => Err(Errno::IsFolder),
        }
    }

    pub(crate) fn size(&self, target: &Target) -> Result<u64, Errno> {
        match target {
            Target::File(ino) => Ok(self.tree.content(*ino)?.size()),
            Target::HostFile { file, .. } => host_stat::size_of(file),
            Target::Folder(_) | Target::HostFolder { .. } => Err(Errno::IsFolder),
        }
    }

    /// What a spot is to be changed through: the folder in memory, or a place in a writable mount.
    pub(crate) fn writable(&mut self, spot: &Spot, now: u64) -> Result<Writable, Errno> {
        let name = spot.name()?;
        match &spot.folder {
            Place::Host(host) if !self.is_overlay(host) => {
                let folder = &self.mount(host.mount)?.folder;
                let path = paths::join(&host.path, name);
                folder.check_write(&path)?;
                Ok(Writable::Host { mount: host.mount, path })
            }
            folder => {
                let folder = folder.clone();
                Ok(Writable::Own(self.own(&folder, now)?))
            }
        }
    }
}

/// Where a change goes.
#[derive(Debug)]
pub(crate) enum Writable {
    /// A folder in memory.
    Own(Ino),
    /// A path in a mount that may be written.
    Host { mount: usize, path: String },
}
