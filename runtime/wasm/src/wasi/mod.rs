//! WASI preview 1, as far as the image imports it: files, clocks, randomness, and three streams. No
//! network, no environment, no arguments.
//!
//! Every pointer and every length is the guest's and is checked in `memory.rs`; how much one call may
//! read, write or wait for is bounded, and doing less than asked for is always allowed. The files
//! themselves are those of `runtime/files`, where paths, mounts and quotas are looked after.
//!
//! Descriptors 0, 1 and 2 are an empty standard input, and two streams for what is written past
//! Python's own (`os.write(1, …)`, a fatal error of the interpreter). Descriptor 3 is the root.

mod clocks;
mod descriptors;
mod errno;
mod memory;
mod paths;
mod poll;
mod random;
mod saved;
mod streams;
#[cfg(test)]
mod tests;

use std::time::Duration;

use pcm_runtime_api::SandboxConfig;
use pcm_runtime_files::{Fd, Files, FilesError, Quota};
use wasmtime::{Error, Linker, Result};

use self::clocks::Clock;
use self::errno::{Answer, Errno, answer};
use self::random::Random;
use self::streams::Streams;
use crate::imports::{Guest, GuestState};

const MODULE: &str = "wasi_snapshot_preview1";

/// What the host keeps of WASI for one session.
#[derive(Debug)]
pub(crate) struct Wasi {
    pub(crate) files: Files,
    clock: Clock,
    random: Random,
    streams: Streams,
}

/// The guest ended its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest ended with status {0}")]
pub(crate) struct Exited(pub(crate) i32);

impl Wasi {
    /// That of a fresh session.
    pub(crate) fn new(config: &SandboxConfig) -> Result<Self, FilesError> {
        let clock = Clock::new(config.deterministic);
        let quota = Quota::from(&config.limits);
        let files = Files::with_mounts(quota, &config.mounts, clock.now())?;
        let random = Random::new(config.deterministic);
        Ok(Self { files, clock, random, streams: Streams::default() })
    }

    /// That of another session in the same state.
    pub(crate) fn fork(&self) -> Self {
        let Self { files, clock, random, streams } = self;
        let (clock, random) = (clock.clone(), random.clone());
        Self { files: files.clone(), clock, random, streams: *streams }
    }

    /// Whether clocks and random numbers are made up.
    pub(crate) fn is_deterministic(&self) -> bool {
        matches!(self.clock, Clock::Virtual { .. })
    }

    /// Lets made-up time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.clock.sleep(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The time that files are stamped with.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }
}

/// Defines the functions.
pub(crate) fn define(linker: &mut Linker<GuestState>) -> Result<()> {
    define_process(linker)?;
    define_descriptors(linker)?;
    define_paths(linker)?;
    define_sockets(linker)
}

fn define_process(linker: &mut Linker<GuestState>) -> Result<()> {
    linker.func_wrap(MODULE, "environ_sizes_get", |mut guest: Guest<'_>, count, size| {
        answer(no_environment(&mut guest, count, size))
    })?;
    linker.func_wrap(MODULE, "environ_get", |_: Guest<'_>, _: u32, _: u32| 0)?;
    linker.func_wrap(MODULE, "clock_res_get", |mut guest: Guest<'_>, id, into| {
        answer(clocks::resolution(&mut guest, id, into))
    })?;
    linker.func_wrap(MODULE, "clock_time_get", |mut guest: Guest<'_>, id, _: u64, into| {
        answer(clocks::time(&mut guest, id, into))
    })?;
    linker.func_wrap(MODULE, "random_get", |mut guest: Guest<'_>, into, length| {
        answer(random::get(&mut guest, into, length))
    })?;
    linker.func_wrap_async(
        MODULE,
        "poll_oneoff",
        |mut guest: Guest<'_>, (wishes, events, count, into): (u32, u32, u32, u32)| {
            Box::new(
                async move { answer(poll::poll(&mut guest, wishes, events, count, into).await) },
            )
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", |_: Guest<'_>| 0)?;
    linker.func_wrap(MODULE, "proc_exit", |_: Guest<'_>, status: i32| -> Result<()> {
        Err(Error::from(Exited(status)))
    })?;
    Ok(())
}

fn define_descriptors(linker: &mut Linker<GuestState>) -> Result<()> {
    linker.func_wrap(MODULE, "fd_close", |mut guest: Guest<'_>, fd| {
        answer(descriptors::close(&mut guest, fd))
    })?;
    for name in ["fd_sync", "fd_datasync"] {
        linker.func_wrap(MODULE, name, |mut guest: Guest<'_>, fd| {
            answer(descriptors::sync(&mut guest, fd))
        })?;
    }
    linker.func_wrap(MODULE, "fd_advise", |mut guest: Guest<'_>, fd, _: u64, _: u64, _: u32| {
        answer(descriptors::sync(&mut guest, fd))
    })?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |mut guest: Guest<'_>, fd, into| {
        answer(descriptors::fdstat(&mut guest, fd, into))
    })?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |mut guest: Guest<'_>, fd, flags| {
        answer(descriptors::set_flags(&mut guest, fd, flags))
    })?;
    linker.func_wrap(MODULE, "fd_filestat_get", |mut guest: Guest<'_>, fd, into| {
        answer(descriptors::filestat(&mut guest, fd, into))
    })?;
    linker.func_wrap(MODULE, "fd_filestat_set_size", |mut guest: Guest<'_>, fd, size| {
        answer(descriptors::set_size(&mut guest, fd, size))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_filestat_set_times",
        |mut guest: Guest<'_>, fd, accessed, modified, flags| {
            answer(descriptors::set_times(&mut guest, fd, (accessed, modified, flags)))
        },
    )?;
    linker.func_wrap(MODULE, "fd_pread", |mut guest: Guest<'_>, fd, at, count, offset, into| {
        answer(descriptors::read(&mut guest, fd, (at, count), Some(offset), into))
    })?;
    linker.func_wrap(MODULE, "fd_read", |mut guest: Guest<'_>, fd, at, count, into| {
        answer(descriptors::read(&mut guest, fd, (at, count), None, into))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_pwrite",
        |mut guest: Guest<'_>, fd, at, count, offset, into| {
            answer(descriptors::write(&mut guest, fd, (at, count), Some(offset), into))
        },
    )?;
    linker.func_wrap(MODULE, "fd_write", |mut guest: Guest<'_>, fd, at, count, into| {
        answer(descriptors::write(&mut guest, fd, (at, count), None, into))
    })?;
    linker.func_wrap(MODULE, "fd_prestat_get", |mut guest: Guest<'_>, fd, into| {
        answer(descriptors::prestat(&mut guest, fd, into))
    })?;
    linker.func_wrap(MODULE, "fd_prestat_dir_name", |mut guest: Guest<'_>, fd, into, length| {
        answer(descriptors::prestat_name(&mut guest, fd, into, length))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_readdir",
        |mut guest: Guest<'_>, fd, at, length, cookie, into| {
            answer(descriptors::read_folder(&mut guest, fd, (at, length), cookie, into))
        },
    )?;
    linker.func_wrap(MODULE, "fd_seek", |mut guest: Guest<'_>, fd, offset, whence, into| {
        answer(descriptors::seek(&mut guest, fd, offset, whence, into))
    })?;
    linker.func_wrap(MODULE, "fd_tell", |mut guest: Guest<'_>, fd, into| {
        answer(descriptors::seek(&mut guest, fd, 0, descriptors::FROM_CURRENT, into))
    })?;
    Ok(())
}

fn define_paths(linker: &mut Linker<GuestState>) -> Result<()> {
    linker.func_wrap(MODULE, "path_create_directory", |mut guest: Guest<'_>, fd, at, length| {
        answer(paths::make_folder(&mut guest, fd, (at, length)))
    })?;
    linker.func_wrap(
        MODULE,
        "path_filestat_get",
        |mut guest: Guest<'_>, fd, flags, at, length, into| {
            answer(paths::filestat(&mut guest, fd, flags, (at, length), into))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_filestat_set_times",
        |mut guest: Guest<'_>, fd, flags, at, length, accessed, modified, which| {
            let times = (accessed, modified, which);
            answer(paths::set_times(&mut guest, fd, flags, (at, length), times))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_open",
        |mut guest: Guest<'_>, fd, lookup, at, length, flags, rights, _: u64, fd_flags, into| {
            let how = paths::Wish { lookup, flags, rights, fd_flags };
            answer(paths::open(&mut guest, fd, (at, length), how, into))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_readlink",
        |mut guest: Guest<'_>, fd, at, length, buffer, size, into| {
            answer(paths::read_link(&mut guest, fd, (at, length), (buffer, size), into))
        },
    )?;
    linker.func_wrap(MODULE, "path_remove_directory", |mut guest: Guest<'_>, fd, at, length| {
        answer(paths::remove_folder(&mut guest, fd, (at, length)))
    })?;
    linker.func_wrap(MODULE, "path_unlink_file", |mut guest: Guest<'_>, fd, at, length| {
        answer(paths::remove_file(&mut guest, fd, (at, length)))
    })?;
    linker.func_wrap(
        MODULE,
        "path_rename",
        |mut guest: Guest<'_>, fd, at, length, to_fd, to_at, to_length| {
            answer(paths::rename(&mut guest, (fd, at, length), (to_fd, to_at, to_length)))
        },
    )?;
    // Nobody can make a link here: where one leads is never the guest's to say.
    linker.func_wrap(
        MODULE,
        "path_symlink",
        |_: Guest<'_>, _: u32, _: u32, _: Fd, _: u32, _: u32| Errno::PERM.code(),
    )?;
    linker.func_wrap(
        MODULE,
        "path_link",
        |_: Guest<'_>, _: Fd, _: u32, _: u32, _: u32, _: Fd, _: u32, _: u32| Errno::PERM.code(),
    )?;
    Ok(())
}

/// There are none.
fn define_sockets(linker: &mut Linker<GuestState>) -> Result<()> {
    let no_socket = Errno::NOTSOCK.code();
    linker
        .func_wrap(MODULE, "sock_accept", move |_: Guest<'_>, _: Fd, _: u32, _: u32| no_socket)?;
    linker.func_wrap(
        MODULE,
        "sock_recv",
        move |_: Guest<'_>, _: Fd, _: u32, _: u32, _: u32, _: u32, _: u32| no_socket,
    )?;
    linker.func_wrap(
        MODULE,
        "sock_send",
        move |_: Guest<'_>, _: Fd, _: u32, _: u32, _: u32, _: u32| no_socket,
    )?;
    linker.func_wrap(MODULE, "sock_shutdown", move |_: Guest<'_>, _: Fd, _: u32| no_socket)?;
    Ok(())
}

fn no_environment(guest: &mut Guest<'_>, count: u32, size: u32) -> Answer {
    let (mut memory, _) = memory::of(guest)?;
    memory.put(count, 0_u32.to_le_bytes())?;
    memory.put(size, 0_u32.to_le_bytes())
}
