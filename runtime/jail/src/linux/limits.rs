//! Bounds of the process.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const GIB: u64 = 1 << 30;

/// What a process may have. `RLIMIT_AS` is not among it: engines reserve terabytes of addresses that
/// they never use.
const BOUNDS: [(Resource, u64); 6] = [
    (Resource::Core, 0),
    // The memory of a guest may be a file in memory, and modules of wasm have up to four of these.
    (Resource::Fsize, 16 * GIB),
    (Resource::Memlock, 0),
    (Resource::Msgqueue, 0),
    (Resource::Nice, 0),
    (Resource::Rtprio, 0),
];

/// Open files of a worker: pipes and polls of its runtimes, and what a broker hands it.
pub(super) const WORKER_FILES: u64 = 512;

/// Open files of an installed program.
pub(super) const KERNEL_FILES: u64 = 4096;

/// Threads of a worker: one for each guest and a pool or two.
const THREADS: u64 = 512;

/// Sets what does not depend on users. Allocates nothing.
pub(super) fn bound(files: u64) -> io::Result<()> {
    for (resource, value) in BOUNDS {
        set(resource, value)?;
    }
    set(Resource::Nofile, files)
}

/// As early as possible.
pub(super) fn no_core_dumps() -> io::Result<()> {
    set(Resource::Core, 0)
}

/// Bounds the number of threads. The system counts those of a user, so it means something only for a
/// user of a namespace of its own, and counts by namespace since Linux 5.14.
pub(super) fn bound_threads(own_users: bool) -> io::Result<()> {
    if !own_users {
        return Err(io::Error::other(
            "the system would count all processes of the user; a cgroup bounds them",
        ));
    }
    if geteuid_is_root() {
        return Err(io::Error::other("the system does not count threads of root"));
    }
    if kernel() < (5, 14) {
        return Err(io::Error::other("counting by namespace begins with Linux 5.14"));
    }
    set(Resource::Nproc, THREADS)
}

fn geteuid_is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn kernel() -> (u32, u32) {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Both the bound and what it may be raised to; never more than there was.
pub(super) fn set(resource: Resource, value: u64) -> io::Result<()> {
    let value = getrlimit(resource).maximum.map_or(value, |most| most.min(value));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?;
    Ok(())
}
