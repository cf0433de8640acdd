//! The ops of files: what `js/src/files.js` calls, and whoever in the guest gets hold of them.
//!
//! Every path, number and buffer is the guest's. What is refused is told by a negative number, that of
//! the error as Emscripten has it; no text goes back. How much one call does is bounded, and doing
//! less than asked for is always allowed. Ops that take a path are none of V8's fast calls, which may
//! not allocate: a string may have to be put together first.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use deno_core::v8::{self, WriteFlags};
use deno_core::{OpDecl, OpState, op2};
use pcm_runtime_files::{
    Errno, Files, FolderEntry, Kind, LONGEST_PATH, Opening, ROOT, SetTime, Stat,
};

use super::{SharedFiles, now};

/// The most that one call reads or writes.
const MOST_BYTES: usize = 1 << 20;
/// Numbers up to here are whole in JavaScript.
const MOST_SAFE: f64 = 9_007_199_254_740_991.0;
/// Marks the host's numbers of files, below what JavaScript counts exactly.
const HOST_NUMBER: u64 = 1 << 52;

// How something is opened, as libc says it.
const ACCESS: u32 = 3;
const WRITE_ONLY: u32 = 1;
const READ_WRITE: u32 = 2;
const CREATE: u32 = 0o100;
const EXCLUSIVE: u32 = 0o200;
const TRUNCATE: u32 = 0o1000;
const APPEND: u32 = 0o2000;
const FOLDER: u32 = 0o20_0000;
const NO_FOLLOW: u32 = 0o40_0000;

// What stands for a time, in the place of its nanoseconds.
const TIME_NOW: u64 = 0x3fff_ffff;
const TIME_KEEP: u64 = 0x3fff_fffe;
const SECOND: u64 = 1_000_000_000;

/// The fields of a stat, of eight bytes each.
const STAT: usize = 10;
/// The bytes of an entry of a listing, without its name.
const RECORD: usize = 32;

/// For the extension.
pub(crate) fn ops() -> [OpDecl; 16] {
    [
        op_pcm_file_stat(),
        op_pcm_file_stat_open(),
        op_pcm_file_room(),
        op_pcm_file_open(),
        op_pcm_file_close(),
        op_pcm_file_read(),
        op_pcm_file_write(),
        op_pcm_file_set_size(),
        op_pcm_file_list(),
        op_pcm_file_make_folder(),
        op_pcm_file_remove(),
        op_pcm_file_remove_folder(),
        op_pcm_file_rename(),
        op_pcm_file_read_link(),
        op_pcm_file_set_times(),
        op_pcm_file_set_times_open(),
    ]
}

/// What is known of what lies at a path.
#[op2(nofast)]
fn op_pcm_file_stat(
    isolate: &v8::Isolate,
    state: &mut OpState,
    path: &v8::String,
    follow: bool,
    #[buffer] into: &mut [u8],
) -> i32 {
    answer(state, |files| {
        let stat = text(isolate, path, |path| files.stat_path(ROOT, path, follow))?;
        put_stat(into, &stat)
    })
}

/// What is known of what a descriptor is open on.
#[op2(fast)]
fn op_pcm_file_stat_open(state: &mut OpState, fd: u32, #[buffer] into: &mut [u8]) -> i32 {
    answer(state, |files| put_stat(into, &files.stat(fd)?))
}

/// The bytes and the entries that there may be, and how many there are.
#[op2(fast)]
fn op_pcm_file_room(state: &mut OpState, #[buffer] into: &mut [u8]) -> i32 {
    answer(state, |files| {
        let quota = files.quota();
        let room = [quota.bytes, files.bytes(), quota.entries, files.entries()];
        put_fields(into, room.map(|count| (count as f64).to_ne_bytes()))
    })
}

/// Opens what lies at a path, and gives the descriptor and what is known of it.
#[op2(nofast)]
fn op_pcm_file_open(
    isolate: &v8::Isolate,
    state: &mut OpState,
    path: &v8::String,
    flags: u32,
    #[buffer] into: &mut [u8],
) -> i32 {
    answer(state, |files| {
        fields::<STAT>(into)?; // before a descriptor is opened that nobody would know of
        let how = opening(flags)?;
        let fd = text(isolate, path, |path| files.open(ROOT, path, how, now()))?;
        let known = files.stat(fd).map_err(Failure::from).and_then(|stat| put_stat(into, &stat));
        if let Err(failure) = known {
            files.close(fd)?;
            return Err(failure);
        }
        number(fd)
    })
}

fn opening(flags: u32) -> Answer<Opening> {
    let (read, write) = match flags & ACCESS {
        0 => (true, false),
        WRITE_ONLY => (false, true),
        READ_WRITE => (true, true),
        _ => return Err(Failure::INVALID),
    };
    let has = |flag| flags & flag != 0;
    Ok(Opening {
        read,
        write,
        append: write && has(APPEND),
        create: has(CREATE),
        exclusive: has(EXCLUSIVE),
        truncate: has(TRUNCATE),
        folder: has(FOLDER),
        follow: !has(NO_FOLLOW),
    })
}

/// Closes a descriptor.
#[op2(fast)]
fn op_pcm_file_close(state: &mut OpState, fd: u32) -> i32 {
    answer(state, |files| {
        files.close(fd)?;
        Ok(0)
    })
}

/// Reads into memory from a position of a file, and gives how much.
#[op2(fast)]
fn op_pcm_file_read(
    state: &mut OpState,
    fd: u32,
    #[buffer] memory: &mut [u8],
    at: u32,
    length: u32,
    position: f64,
) -> i32 {
    answer(state, |files| {
        let rest = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..length as usize));
        let into = rest.ok_or(Failure::FAULT)?;
        let length = into.len().min(MOST_BYTES);
        number(files.read_at(fd, whole(position)?, &mut into[..length])?)
    })
}

/// Writes from memory to a position of a file, or to its end, and gives how much.
#[op2(fast)]
fn op_pcm_file_write(
    state: &mut OpState,
    fd: u32,
    #[buffer] memory: &[u8],
    at: u32,
    length: u32,
    position: f64,
    append: bool,
) -> i32 {
    answer(state, |files| {
        let rest = memory.get(at as usize..).and_then(|rest| rest.get(..length as usize));
        let data = rest.ok_or(Failure::FAULT)?;
        let data = &data[..data.len().min(MOST_BYTES)];
        if append {
            files.set_append(fd, true)?;
            return number(files.write(fd, data, now())?);
        }
        number(files.write_at(fd, whole(position)?, data, now())?)
    })
}

/// Cuts a file off or adds zeros to it.
#[op2(fast)]
fn op_pcm_file_set_size(state: &mut OpState, fd: u32, size: f64) -> i32 {
    answer(state, |files| {
        files.set_size(fd, whole(size)?, now())?;
        Ok(0)
    })
}

/// Lists entries of a folder after a cookie, and gives how many. The first half of the buffer gets
/// their numbers, the second half their names, each with a slash behind it.
#[op2(fast)]
fn op_pcm_file_list(
    state: &mut OpState,
    fd: u32,
    #[bigint] cookie: u64,
    #[buffer] into: &mut [u8],
) -> i32 {
    answer(state, |files| {
        let half = into.len() / 2;
        let (records, names) = into.split_at_mut(half);
        let mut records = records.chunks_exact_mut(RECORD);
        let (mut count, mut end, mut cut_off) = (0_usize, 0, false);
        files.read_folder(fd, cookie, &mut |entry| {
            let put = put_name(names, end, entry.name).zip(records.next());
            let Some((after, record)) = put else {
                cut_off = true;
                return false;
            };
            put_record(record, &entry, after);
            (count, end) = (count + 1, after);
            true
        })?;
        if cut_off && count == 0 { Err(Failure::INVALID) } else { number(count) }
    })
}

/// Gives where the name ends.
fn put_name(names: &mut [u8], start: usize, name: &str) -> Option<usize> {
    let (into, slash) = names.get_mut(start..)?.get_mut(..=name.len())?.split_at_mut(name.len());
    into.copy_from_slice(name.as_bytes());
    slash.copy_from_slice(b"/");
    Some(start + name.len() + 1)
}

fn put_record(record: &mut [u8], entry: &FolderEntry<'_>, end: usize) {
    let fields = [
        entry.cookie.to_ne_bytes(),
        (shown(entry.number) as f64).to_ne_bytes(),
        kind_number(entry.kind).to_ne_bytes(),
        (end as f64).to_ne_bytes(),
    ];
    for (place, field) in record.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field);
    }
}

/// Makes a folder.
#[op2(nofast)]
fn op_pcm_file_make_folder(isolate: &v8::Isolate, state: &mut OpState, path: &v8::String) -> i32 {
    answer(state, |files| {
        text(isolate, path, |path| files.make_folder(ROOT, path, now()))?;
        Ok(0)
    })
}

/// Removes a file.
#[op2(nofast)]
fn op_pcm_file_remove(isolate: &v8::Isolate, state: &mut OpState, path: &v8::String) -> i32 {
    answer(state, |files| {
        text(isolate, path, |path| files.remove_file(ROOT, path, now()))?;
        Ok(0)
    })
}

/// Removes a folder that is empty.
#[op2(nofast)]
fn op_pcm_file_remove_folder(isolate: &v8::Isolate, state: &mut OpState, path: &v8::String) -> i32 {
    answer(state, |files| {
        text(isolate, path, |path| files.remove_folder(ROOT, path, now()))?;
        Ok(0)
    })
}

/// Gives a file or folder another name.
#[op2(nofast)]
fn op_pcm_file_rename(
    isolate: &v8::Isolate,
    state: &mut OpState,
    from: &v8::String,
    to: &v8::String,
) -> i32 {
    answer(state, |files| {
        let to = text(isolate, to, |to| Ok(to.to_owned()))?;
        text(isolate, from, |from| files.rename((ROOT, from), (ROOT, &to), now()))?;
        Ok(0)
    })
}

/// Where a symbolic link leads, in UTF-8; gives its length. What does not fit is cut off.
#[op2(nofast)]
fn op_pcm_file_read_link(
    isolate: &v8::Isolate,
    state: &mut OpState,
    path: &v8::String,
    #[buffer] into: &mut [u8],
) -> i32 {
    answer(state, |files| {
        let target = text(isolate, path, |path| files.read_link(ROOT, path))?;
        let length = target.len().min(into.len());
        into[..length].copy_from_slice(&target.as_bytes()[..length]);
        number(length)
    })
}

/// Sets the times of what lies at a path.
#[op2(nofast)]
fn op_pcm_file_set_times(
    isolate: &v8::Isolate,
    state: &mut OpState,
    path: &v8::String,
    follow: bool,
    #[buffer] times: &[u8],
) -> i32 {
    answer(state, |files| {
        let now = now();
        let (accessed, modified) = new_times(times, now)?;
        text(isolate, path, |path| {
            files.set_times_path((ROOT, path, follow), accessed, modified, now)
        })?;
        Ok(0)
    })
}

/// Sets the times of what a descriptor is open on.
#[op2(fast)]
fn op_pcm_file_set_times_open(state: &mut OpState, fd: u32, #[buffer] times: &[u8]) -> i32 {
    answer(state, |files| {
        let now = now();
        let (accessed, modified) = new_times(times, now)?;
        files.set_times(fd, accessed, modified, now)?;
        Ok(0)
    })
}

/// Two times, each of seconds and nanoseconds.
fn new_times(times: &[u8], now: u64) -> Answer<(SetTime, SetTime)> {
    let fields: &[[u8; 8]; 4] = times.as_chunks().0.first_chunk().ok_or(Failure::FAULT)?;
    let [accessed, accessed_rest, modified, modified_rest] = fields.map(f64::from_ne_bytes);
    Ok((time(accessed, accessed_rest, now)?, time(modified, modified_rest, now)?))
}

/// A time as libc gives it: before 1970 there is nothing.
fn time(seconds: f64, nanoseconds: f64, now: u64) -> Answer<SetTime> {
    match whole(nanoseconds)? {
        TIME_NOW => Ok(SetTime::To(now)),
        TIME_KEEP => Ok(SetTime::Keep),
        SECOND.. => Err(Failure::INVALID),
        _ if seconds < 0.0 => Ok(SetTime::To(0)),
        nanoseconds => {
            let seconds = whole(seconds)?;
            Ok(SetTime::To(seconds.saturating_mul(SECOND).saturating_add(nanoseconds)))
        }
    }
}

/// Why a call did nothing: the number of an error, Emscripten's, which is that of WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failure(i32);

impl Failure {
    /// EFAULT: what is not in the buffer.
    const FAULT: Self = Self(21);
    /// EILSEQ: what is not text.
    const NOT_TEXT: Self = Self(25);
    const INVALID: Self = Self(28);
    const IO: Self = Self(29);
    const TOO_LONG: Self = Self(37);
}

type Answer<T = i32> = Result<T, Failure>;

/// Does something with the files. A panic must not pass V8; there should be none.
fn answer(state: &mut OpState, work: impl FnOnce(&mut Files) -> Answer) -> i32 {
    let Some(files) = state.try_borrow::<SharedFiles>() else { return -Failure::IO.0 };
    let done = catch_unwind(AssertUnwindSafe(|| work(&mut files.lock())));
    done.unwrap_or(Err(Failure::IO)).unwrap_or_else(|failure| -failure.0)
}

/// Gives `work` the text of a path, if it is no longer than one may be: a string of JavaScript may be
/// hundreds of megabytes, and may not be text.
fn text<T>(
    isolate: &v8::Isolate,
    path: &v8::String,
    work: impl FnOnce(&str) -> Result<T, Errno>,
) -> Answer<T> {
    // A unit of UTF-16 is up to three bytes.
    const ROOM: usize = LONGEST_PATH * 3;
    if path.length() > LONGEST_PATH {
        return Err(Failure::TOO_LONG);
    }
    let mut buffer = [MaybeUninit::<u8>::uninit(); ROOM];
    let written = path.write_utf8_uninit_v2(isolate, &mut buffer, WriteFlags::empty(), None);
    let bytes = buffer.get(..written).ok_or(Failure::TOO_LONG)?;
    // SAFETY: V8 has written so many bytes.
    let bytes = unsafe { bytes.assume_init_ref() };
    Ok(work(str::from_utf8(bytes).map_err(|_| Failure::NOT_TEXT)?)?)
}

/// A number of the guest that counts bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is whole, not negative, and small enough"
)]
fn whole(number: f64) -> Answer<u64> {
    let fits = (0.0..=MOST_SAFE).contains(&number) && number.fract() == 0.0;
    if fits { Ok(number as u64) } else { Err(Failure::INVALID) }
}

fn number<T: TryInto<i32>>(count: T) -> Answer {
    count.try_into().map_err(|_| Failure::IO)
}

fn put_stat(into: &mut [u8], stat: &Stat) -> Answer {
    let of = |time: u64| [(time / SECOND).to_ne_bytes(), (time % SECOND).to_ne_bytes()];
    let [accessed, accessed_rest] = of(stat.times.accessed);
    let [modified, modified_rest] = of(stat.times.modified);
    let [changed, changed_rest] = of(stat.times.changed);
    let fields: [[u8; 8]; STAT] = [
        kind_number(stat.kind).to_ne_bytes(),
        (stat.size as f64).to_ne_bytes(),
        (shown(stat.number) as f64).to_ne_bytes(),
        (stat.device as f64).to_ne_bytes(),
        accessed,
        accessed_rest,
        modified,
        modified_rest,
        changed,
        changed_rest,
    ];
    put_fields(into, fields)
}

fn put_fields<const COUNT: usize>(into: &mut [u8], from: [[u8; 8]; COUNT]) -> Answer {
    *fields(into)? = from;
    Ok(0)
}

fn fields<const COUNT: usize>(into: &mut [u8]) -> Answer<&mut [[u8; 8]; COUNT]> {
    into.as_chunks_mut().0.first_chunk_mut().ok_or(Failure::FAULT)
}

/// As a number of JavaScript.
fn kind_number(kind: Kind) -> f64 {
    match kind {
        Kind::File => 0.0,
        Kind::Folder => 1.0,
        Kind::Link => 2.0,
        Kind::Other => 3.0,
    }
}

/// The number of a file, as JavaScript can count it: in memory they are small, the host's are random
/// and lose some bits.
fn shown(number: u64) -> u64 {
    if number < HOST_NUMBER { number } else { HOST_NUMBER | number & (HOST_NUMBER - 1) }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self(match errno {
            Errno::Access => 2,
            Errno::BadDescriptor => 8,
            Errno::Busy => 10,
            Errno::Exists => 20,
            Errno::FileTooLarge => 22,
            Errno::Invalid => return Self::INVALID,
            Errno::IsFolder => 31,
            Errno::Loop => 32,
            Errno::TooManyOpen => 33,
            Errno::NameTooLong => return Self::TOO_LONG,
            Errno::NotFound => 44,
            Errno::NoSpace => 51,
            Errno::NotFolder => 54,
            Errno::NotEmpty => 55,
            Errno::NotPermitted => 63,
            Errno::ReadOnly => 69,
            Errno::CrossDevice => 75,
            _ => return Self::IO,
        })
    }
}
