//! What the guest does with what it has open.

use pcm_runtime_files::{Access, Fd, Kind, ROOT, SetTime, Stat, Whence};

use super::errno::{Answer, Errno, Failure};
use super::memory::{self, GuestMemory};
use super::streams::{self, Streams};
use crate::imports::{Guest, GuestState};

/// The most that one call reads or writes.
const MOST_BYTES: u32 = 1 << 20;
/// The most that one call writes to a stream.
const MOST_OUTPUT: u32 = 64 << 10;

const FROM_START: u32 = 0;
pub(super) const FROM_CURRENT: u32 = 1;
const FROM_END: u32 = 2;

// `fdflags`
pub(super) const APPEND: u32 = 1 << 0;
pub(super) const NONBLOCK: u32 = 1 << 2;

// `fstflags`
const SET_ACCESSED: u32 = 1 << 0;
const ACCESSED_NOW: u32 = 1 << 1;
const SET_MODIFIED: u32 = 1 << 2;
const MODIFIED_NOW: u32 = 1 << 3;

// `rights`
pub(super) const MAY_READ: u64 = 1 << 1;
pub(super) const MAY_WRITE: u64 = 1 << 6;
const MAY_SEEK: u64 = 1 << 2 | 1 << 5;
/// To see and set flags, sizes and times, to wait, and to give advice.
const MAY_DESCRIBE: u64 = 1 << 3 | 1 << 7 | 1 << 21 | 1 << 23 | 1 << 27;
/// To write back and to set the size.
const MAY_SIZE: u64 = 1 << 0 | 1 << 4 | 1 << 8 | 1 << 22;
/// Everything that is done with a path, and listing.
const MAY_PATHS: u64 = 0x1f << 9 | 0x1ff << 14 | 0x7 << 24;
const ALL: u64 = MAY_READ | MAY_WRITE | MAY_SEEK | MAY_DESCRIBE | MAY_SIZE | MAY_PATHS;

/// The name of the one folder that is open from the beginning.
const ROOT_NAME: [u8; 1] = *b"/";
const ROOT_NAME_LENGTH: u32 = 1;

/// `fd_close`.
pub(super) fn close(guest: &mut Guest<'_>, fd: Fd) -> Answer {
    let (_, state) = memory::of(guest)?;
    if Streams::has(fd) { state.wasi.streams.close(fd) } else { Ok(state.wasi.files.close(fd)?) }
}

/// `fd_sync`, `fd_datasync`, `fd_advise`: the host writes when it wants to. That a file survives the
/// host's crash is no promise of a sandbox, and waiting for disks would be a way to keep it busy.
pub(super) fn sync(guest: &mut Guest<'_>, fd: Fd) -> Answer {
    let (_, state) = memory::of(guest)?;
    access(state, fd).map(drop)
}

/// None for a stream.
fn access(state: &GuestState, fd: Fd) -> Answer<Option<Access>> {
    if Streams::has(fd) {
        state.wasi.streams.check(fd)?;
        return Ok(None);
    }
    Ok(Some(state.wasi.files.access(fd)?))
}

/// The access to a file or folder; a stream has no positions.
fn file(state: &GuestState, fd: Fd) -> Answer<Access> {
    Ok(access(state, fd)?.ok_or(Errno::SPIPE)?)
}

/// `fd_fdstat_get`.
pub(super) fn fdstat(guest: &mut Guest<'_>, fd: Fd, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let mut flags = 0_u16;
    let (kind, rights, inherited) = match access(state, fd)? {
        // Not a character device: that would be a terminal.
        None if Streams::is_readable(fd) => (0, MAY_READ | MAY_DESCRIBE, 0),
        None => (0, MAY_WRITE | MAY_DESCRIBE, 0),
        Some(Access { kind: Kind::Folder, .. }) => {
            (kind_number(Kind::Folder), MAY_DESCRIBE | MAY_PATHS, ALL)
        }
        Some(access) => {
            let mut rights = MAY_SEEK | MAY_DESCRIBE;
            if access.readable {
                rights |= MAY_READ;
            }
            if access.writable {
                rights |= MAY_WRITE | MAY_SIZE;
            }
            if access.append {
                flags = 1;
            }
            (kind_number(access.kind), rights, 0)
        }
    };
    let mut bytes = [0; 24];
    bytes[0] = kind;
    bytes[2..4].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&rights.to_le_bytes());
    bytes[16..24].copy_from_slice(&inherited.to_le_bytes());
    memory.put(into, bytes)
}

/// `fd_fdstat_set_flags`. Nothing here ever blocks, so that flag changes nothing.
pub(super) fn set_flags(guest: &mut Guest<'_>, fd: Fd, flags: u32) -> Answer {
    let (_, state) = memory::of(guest)?;
    if flags & !(APPEND | NONBLOCK) != 0 {
        return Err(Errno::NOTSUP.into());
    }
    match access(state, fd)? {
        None => Ok(()),
        Some(Access { kind: Kind::Folder, .. }) if flags & APPEND == 0 => Ok(()),
        Some(_) => Ok(state.wasi.files.set_append(fd, flags & APPEND != 0)?),
    }
}

/// `fd_filestat_get`.
pub(super) fn filestat(guest: &mut Guest<'_>, fd: Fd, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    match access(state, fd)? {
        None => memory.put(into, [0; 64]),
        Some(_) => put_stat(&mut memory, into, &state.wasi.files.stat(fd)?),
    }
}

pub(super) fn put_stat(memory: &mut GuestMemory<'_>, into: u32, stat: &Stat) -> Answer {
    const LINKS: u64 = 1;
    let mut bytes = [0; 64];
    let times = stat.times;
    for (at, value) in [
        (0, stat.device),
        (8, stat.number),
        (16, kind_number(stat.kind).into()),
        (24, LINKS),
        (32, stat.size),
        (40, times.accessed),
        (48, times.modified),
        (56, times.changed),
    ] {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    memory.put(into, bytes)
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Folder => 3,
        Kind::File => 4,
        Kind::Link => 7,
        Kind::Other => 0,
    }
}

/// `fd_filestat_set_size`.
pub(super) fn set_size(guest: &mut Guest<'_>, fd: Fd, size: u64) -> Answer {
    let (_, state) = memory::of(guest)?;
    access(state, fd)?.ok_or(Errno::INVAL)?;
    let now = state.wasi.now();
    Ok(state.wasi.files.set_size(fd, size, now)?)
}

/// The two times, and which of them to set.
pub(super) type Times = (u64, u64, u32);

/// What the times shall become.
pub(super) fn new_times(
    (accessed, modified, flags): Times,
    now: u64,
) -> Answer<(SetTime, SetTime)> {
    let one = |to, set, to_now| match (flags & set != 0, flags & to_now != 0) {
        (true, true) => Err(Failure::from(Errno::INVAL)),
        (true, false) => Ok(SetTime::To(to)),
        (false, true) => Ok(SetTime::To(now)),
        (false, false) => Ok(SetTime::Keep),
    };
    Ok((one(accessed, SET_ACCESSED, ACCESSED_NOW)?, one(modified, SET_MODIFIED, MODIFIED_NOW)?))
}

/// `fd_filestat_set_times`.
pub(super) fn set_times(guest: &mut Guest<'_>, fd: Fd, times: Times) -> Answer {
    let (_, state) = memory::of(guest)?;
    access(state, fd)?.ok_or(Errno::INVAL)?;
    let now = state.wasi.now();
    let (accessed, modified) = new_times(times, now)?;
    Ok(state.wasi.files.set_times(fd, accessed, modified, now)?)
}

/// `fd_read`, and `fd_pread` where there is an offset.
pub(super) fn read(
    guest: &mut Guest<'_>,
    fd: Fd,
    parts: (u32, u32),
    offset: Option<u64>,
    into: u32,
) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let parts = memory.parts(parts, MOST_BYTES)?;
    let mut done = 0_u32;
    match access(state, fd)? {
        None if offset.is_some() => return Err(Errno::SPIPE.into()),
        None if Streams::is_readable(fd) => return memory.put(into, done.to_le_bytes()),
        None => return Err(Errno::BADF.into()),
        Some(_) => {}
    }
    let files = &mut state.wasi.files;
    for (at, length) in parts {
        let buffer = memory.bytes_mut(at, length)?;
        let read = match offset {
            Some(offset) => files.read_at(fd, offset.saturating_add(done.into()), buffer),
            None => files.read(fd, buffer),
        };
        let Some(count) = counted(read, done)? else { break };
        done += count;
        if count < length {
            break;
        }
    }
    memory.put(into, done.to_le_bytes())
}

/// `fd_write`, and `fd_pwrite` where there is an offset.
pub(super) fn write(
    guest: &mut Guest<'_>,
    fd: Fd,
    parts: (u32, u32),
    offset: Option<u64>,
    into: u32,
) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let stream = access(state, fd)?.is_none();
    if stream && offset.is_some() {
        return Err(Errno::SPIPE.into());
    }
    let now = state.wasi.now();
    let mut done = 0_u32;
    for (at, length) in memory.parts(parts, if stream { MOST_OUTPUT } else { MOST_BYTES })? {
        let data = memory.bytes(at, length)?;
        if stream {
            match streams::write(state.active.as_ref(), fd, data) {
                Err(Failure::Errno(_)) if done > 0 => break,
                written => written?,
            }
            done += length;
            continue;
        }
        let files = &mut state.wasi.files;
        let written = match offset {
            Some(offset) => match offset.checked_add(done.into()) {
                Some(offset) => files.write_at(fd, offset, data, now),
                None => Err(pcm_runtime_files::Errno::FileTooLarge),
            },
            None => files.write(fd, data, now),
        };
        let Some(count) = counted(written, done)? else { break };
        done += count;
        if count < length {
            break;
        }
    }
    memory.put(into, done.to_le_bytes())
}

/// The bytes of one part; None for an error after others went well, which the next call will meet.
fn counted(result: Result<usize, pcm_runtime_files::Errno>, done: u32) -> Answer<Option<u32>> {
    match result {
        Ok(count) => Ok(Some(u32::try_from(count).map_err(|_| Errno::IO)?)),
        Err(_) if done > 0 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `fd_prestat_get`.
pub(super) fn prestat(guest: &mut Guest<'_>, fd: Fd, into: u32) -> Answer {
    const FOLDER: u32 = 0;
    let (mut memory, _) = memory::of(guest)?;
    if fd != ROOT {
        return Err(Errno::BADF.into());
    }
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&FOLDER.to_le_bytes());
    bytes[4..].copy_from_slice(&ROOT_NAME_LENGTH.to_le_bytes());
    memory.put(into, bytes)
}

/// `fd_prestat_dir_name`.
pub(super) fn prestat_name(guest: &mut Guest<'_>, fd: Fd, into: u32, length: u32) -> Answer {
    let (mut memory, _) = memory::of(guest)?;
    if fd != ROOT {
        return Err(Errno::BADF.into());
    }
    if length < ROOT_NAME_LENGTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    memory.put(into, ROOT_NAME)
}

/// `fd_readdir`. The last entry may be cut off: then the buffer is full, and the guest asks for it
/// again.
pub(super) fn read_folder(
    guest: &mut Guest<'_>,
    fd: Fd,
    (at, length): (u32, u32),
    cookie: u64,
    into: u32,
) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    file(state, fd)?;
    let buffer = memory.bytes_mut(at, length.min(MOST_BYTES))?;
    let mut used = 0;
    state.wasi.files.read_folder(fd, cookie, &mut |entry| {
        let mut header = [0; 24];
        header[..8].copy_from_slice(&entry.cookie.to_le_bytes());
        header[8..16].copy_from_slice(&entry.number.to_le_bytes());
        let length = u32::try_from(entry.name.len()).unwrap_or(u32::MAX);
        header[16..20].copy_from_slice(&length.to_le_bytes());
        header[20] = kind_number(entry.kind);
        for part in [&header[..], entry.name.as_bytes()] {
            let rest = buffer.get_mut(used..).unwrap_or_default();
            let count = part.len().min(rest.len());
            rest[..count].copy_from_slice(&part[..count]);
            used += count;
        }
        used < buffer.len()
    })?;
    let used = u32::try_from(used).map_err(|_| Errno::IO)?;
    memory.put(into, used.to_le_bytes())
}

/// `fd_seek` and `fd_tell`.
pub(super) fn seek(guest: &mut Guest<'_>, fd: Fd, offset: i64, whence: u32, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    if file(state, fd)?.kind != Kind::File {
        return Err(Errno::BADF.into());
    }
    let whence = match whence {
        FROM_START => Whence::Start,
        FROM_CURRENT => Whence::Current,
        FROM_END => Whence::End,
        _ => return Err(Errno::INVAL.into()),
    };
    let position = state.wasi.files.seek(fd, offset, whence)?;
    memory.put(into, position.to_le_bytes())
}
