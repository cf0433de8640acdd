//! What the guest does with paths.

use pcm_runtime_files::{Fd, Opening};

use super::descriptors::{APPEND, MAY_READ, MAY_WRITE, NONBLOCK, Times, new_times, put_stat};
use super::errno::{Answer, Errno};
use super::memory;
use crate::imports::Guest;

/// `lookupflags`
const FOLLOW: u32 = 1 << 0;

// `oflags`
const CREATE: u32 = 1 << 0;
const FOLDER: u32 = 1 << 1;
const EXCLUSIVE: u32 = 1 << 2;
const TRUNCATE: u32 = 1 << 3;

/// The address and length of a path.
type PathAt = (u32, u32);

/// How the guest wants something opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) lookup: u32,
    pub(super) flags: u32,
    pub(super) rights: u64,
    pub(super) fd_flags: u32,
}

impl Wish {
    fn opening(self) -> Answer<Opening> {
        if self.fd_flags & !(APPEND | NONBLOCK) != 0 {
            return Err(Errno::NOTSUP.into());
        }
        let write = self.rights & MAY_WRITE != 0;
        Ok(Opening {
            read: self.rights & MAY_READ != 0,
            write,
            append: write && self.fd_flags & APPEND != 0,
            create: self.flags & CREATE != 0,
            exclusive: self.flags & EXCLUSIVE != 0,
            truncate: self.flags & TRUNCATE != 0,
            folder: self.flags & FOLDER != 0,
            follow: self.lookup & FOLLOW != 0,
        })
    }
}

/// `path_open`.
pub(super) fn open(guest: &mut Guest<'_>, fd: Fd, at: PathAt, how: Wish, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    memory.bytes(into, 4)?; // before a descriptor is opened that nobody would know of
    let opened = wasi.files.open(fd, memory.path(at)?, how.opening()?, wasi.clock.now())?;
    memory.put(into, opened.to_le_bytes())
}

/// `path_create_directory`.
pub(super) fn make_folder(guest: &mut Guest<'_>, fd: Fd, at: PathAt) -> Answer {
    let (memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    Ok(wasi.files.make_folder(fd, memory.path(at)?, wasi.clock.now())?)
}

/// `path_remove_directory`.
pub(super) fn remove_folder(guest: &mut Guest<'_>, fd: Fd, at: PathAt) -> Answer {
    let (memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    Ok(wasi.files.remove_folder(fd, memory.path(at)?, wasi.clock.now())?)
}

/// `path_unlink_file`.
pub(super) fn remove_file(guest: &mut Guest<'_>, fd: Fd, at: PathAt) -> Answer {
    let (memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    Ok(wasi.files.remove_file(fd, memory.path(at)?, wasi.clock.now())?)
}

/// `path_rename`.
pub(super) fn rename(
    guest: &mut Guest<'_>,
    (fd, at, length): (Fd, u32, u32),
    (to_fd, to_at, to_length): (Fd, u32, u32),
) -> Answer {
    let (memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    let (from, to) = (memory.path((at, length))?, memory.path((to_at, to_length))?);
    Ok(wasi.files.rename((fd, from), (to_fd, to), wasi.clock.now())?)
}

/// `path_filestat_get`.
pub(super) fn filestat(guest: &mut Guest<'_>, fd: Fd, flags: u32, at: PathAt, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let stat = state.wasi.files.stat_path(fd, memory.path(at)?, flags & FOLLOW != 0)?;
    put_stat(&mut memory, into, &stat)
}

/// `path_filestat_set_times`.
pub(super) fn set_times(
    guest: &mut Guest<'_>,
    fd: Fd,
    flags: u32,
    at: PathAt,
    times: Times,
) -> Answer {
    let (memory, state) = memory::of(guest)?;
    let wasi = &mut state.wasi;
    let now = wasi.clock.now();
    let (accessed, modified) = new_times(times, now)?;
    let path = (fd, memory.path(at)?, flags & FOLLOW != 0);
    Ok(wasi.files.set_times_path(path, accessed, modified, now)?)
}

/// `path_readlink`. As everywhere, what does not fit is cut off.
pub(super) fn read_link(
    guest: &mut Guest<'_>,
    fd: Fd,
    at: PathAt,
    (buffer, size): (u32, u32),
    into: u32,
) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let target = state.wasi.files.read_link(fd, memory.path(at)?)?;
    let target = target.as_bytes();
    let target = target.get(..size as usize).unwrap_or(target);
    let length = u32::try_from(target.len()).map_err(|_| Errno::NAMETOOLONG)?;
    memory.bytes_mut(buffer, length)?.copy_from_slice(target);
    memory.put(into, length.to_le_bytes())
}
