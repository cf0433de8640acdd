//! What native code does that wants out of its process.

use std::fs;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::process::{abort, exit};
use std::ptr;
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

/// What is read of memory at a time.
const PAGE: usize = 4096;
/// The most pages that are looked at in one place.
const PAGES: usize = 64 << 10;
/// Hides a secret from the search for it.
const HIDDEN: u8 = 0x5a;

/// One thing to try. Its outcome is text: `done…`, or `refused: …`, unless there is nobody left to
/// tell it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Probe {
    Abort,
    Exit,
    Segfault,
    KillSelf,
    StackOverflow,
    Panic,
    PanicElsewhere,
    /// Vectors, until there is no memory.
    Bomb,
    /// Memory of the system, until there is none; gives how many MiB that were.
    Map,
    CloseAll,
    Fork,
    Exec,
    KillParent,
    KillAll,
    KillGroup,
    Kill(i32),
    Open(PathBuf),
    List(PathBuf),
    Stat(PathBuf),
    Tcp(u16),
    Udp(u16),
    UnixPath(PathBuf),
    UnixName(String),
    Ptrace(i32),
    ReadMemory {
        process: i32,
        address: usize,
    },
    /// Looks for a secret, which comes hidden.
    Find(Vec<u8>),
    /// Another process of the same program, deaf to everything.
    Deaf,
}

/// The secret as [`Probe::Find`] takes it.
pub(crate) fn hide(secret: &str) -> Vec<u8> {
    secret.bytes().map(|byte| byte ^ HIDDEN).collect()
}

impl Probe {
    pub(crate) fn go(self) -> String {
        match tried(self) {
            Ok(what) => format!("done: {what}"),
            Err(error) => format!("refused: {error}"),
        }
    }
}

#[expect(clippy::panic, reason = "one of the things to try")]
fn tried(probe: Probe) -> io::Result<String> {
    let done = || String::from("it");
    match probe {
        Probe::Abort => abort(),
        Probe::Exit => exit(0),
        // SAFETY: it is not sound, and ends the worker, which is meant.
        Probe::Segfault => unsafe { ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) },
        // SAFETY: a signal to this process.
        Probe::KillSelf => system(unsafe { libc::kill(libc::getpid(), libc::SIGKILL) })?,
        Probe::StackOverflow => drop(overflow(0)),
        Probe::Panic => panic!("the engine panicked"),
        Probe::PanicElsewhere => {
            let _ = thread::spawn(|| panic!("a thread of the engine panicked")).join();
        }
        Probe::Bomb => bomb(),
        Probe::Map => return Ok(map().to_string()),
        Probe::CloseAll => {
            for fd in 0..crate::forgery::DESCRIPTORS {
                // SAFETY: what uses them fails from here on, which is meant.
                unsafe { libc::close(fd) };
            }
        }
        Probe::Fork => fork()?,
        Probe::Exec => {
            let program = c"/bin/true".as_ptr();
            // SAFETY: lists that end, of texts that end. It comes back only when it failed.
            system(unsafe { libc::execv(program, [program, ptr::null()].as_ptr()) })?;
        }
        // SAFETY: signals; where a jail is missing that keeps them in, the tests do not send them.
        Probe::KillParent => system(unsafe { libc::kill(libc::getppid(), libc::SIGKILL) })?,
        // SAFETY: as above.
        Probe::KillAll => system(unsafe { libc::kill(-1, libc::SIGKILL) })?,
        // SAFETY: as above.
        Probe::KillGroup => system(unsafe { libc::kill(0, libc::SIGKILL) })?,
        // SAFETY: as above.
        Probe::Kill(process) => system(unsafe { libc::kill(process, libc::SIGKILL) })?,
        Probe::Open(path) => return fs::read(path).map(|text| text.len().to_string()),
        Probe::List(path) => return listed(&path),
        Probe::Stat(path) => return fs::metadata(path).map(|_| done()),
        Probe::Tcp(port) => return TcpStream::connect(("127.0.0.1", port)).map(|_| done()),
        Probe::Udp(port) => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.send_to(b"out", ("127.0.0.1", port))?;
        }
        Probe::UnixPath(path) => return UnixStream::connect(path).map(|_| done()),
        Probe::UnixName(name) => {
            let address = SocketAddr::from_abstract_name(name)?;
            return UnixStream::connect_addr(&address).map(|_| done());
        }
        Probe::Ptrace(process) => {
            let none = ptr::null_mut::<libc::c_void>();
            // SAFETY: the kernel looks at what it is given.
            let traced = unsafe { libc::ptrace(libc::PTRACE_ATTACH, process, none, none) };
            system(-i32::from(traced != 0))?;
        }
        Probe::ReadMemory { process, address } => return read_memory(process, address),
        Probe::Find(hidden) => return find(&hidden),
        Probe::Deaf => crate::forgery::silence(),
    }
    Ok(done())
}

fn system(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[expect(unconditional_recursion, reason = "until there is no stack")]
fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    overflow(depth + 1) + frame.iter().sum::<u64>()
}

fn bomb() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 16 << 20]));
    }
}

/// How many MiB could be had.
fn map() -> usize {
    const PIECE: usize = 16 << 20;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // More than any bound of the tests, in case there is none.
    (0..4096 >> 4)
        .take_while(|_| {
            // SAFETY: new memory, which nobody is given.
            let piece = unsafe { libc::mmap(ptr::null_mut(), PIECE, protection, flags, -1, 0) };
            piece != libc::MAP_FAILED
        })
        .count()
        * 16
}

fn fork() -> io::Result<()> {
    // SAFETY: the child ends at once.
    match unsafe { libc::fork() } {
        // SAFETY: ends this process.
        0 => unsafe { libc::_exit(0) },
        child => system(-i32::from(child < 0)),
    }
}

fn listed(path: &PathBuf) -> io::Result<String> {
    let count = fs::read_dir(path)?.count();
    // An empty folder tells nothing.
    if count == 0 { Err(io::Error::other("it is empty")) } else { Ok(format!("{count} entries")) }
}

fn read_memory(process: i32, address: usize) -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let theirs = libc::iovec { iov_base: ptr::without_provenance_mut(address), iov_len: 16 };
    // SAFETY: `ours` is the array above; the other address is of another process.
    let read =
        unsafe { libc::process_vm_readv(process, &raw const ours, 1, &raw const theirs, 1, 0) };
    if read < 0 { Err(io::Error::last_os_error()) } else { Ok(format!("{read} bytes")) }
}

/// Looks in the variables, above the stack and below the end of the heap.
fn find(hidden: &[u8]) -> io::Result<String> {
    let is_there = |bytes: &[u8]| {
        bytes
            .windows(hidden.len())
            .any(|window| window.iter().zip(hidden).all(|(byte, hidden)| *byte ^ HIDDEN == *hidden))
    };
    for (name, value) in std::env::vars_os() {
        if is_there(name.as_encoded_bytes()) || is_there(value.as_encoded_bytes()) {
            return Ok("in the environment".to_owned());
        }
    }
    let here = 0_u8;
    let stack = ptr::from_ref(&here).addr();
    // SAFETY: asks where the heap ends.
    let heap = unsafe { libc::sbrk(0) }.addr();
    let (up, down) = (pages(stack, 1)?, pages(heap, -1)?);
    if up.is_empty() || down.is_empty() {
        return Err(io::Error::other("there was nothing to look at")); // the test is broken
    }
    if is_there(&up) || is_there(&down) {
        return Ok("in memory".to_owned());
    }
    Err(io::Error::other(format!("not in {} bytes", up.len() + down.len())))
}

/// What is mapped from an address on, page by page in one direction. The kernel reads it: an address
/// at which there is nothing is an error to it, and no fault.
fn pages(address: usize, direction: isize) -> io::Result<Vec<u8>> {
    let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut found = Vec::new();
    let mut page = address / PAGE * PAGE;
    for _ in 0..PAGES {
        // SAFETY: the kernel looks whether there is something at that address.
        let written = unsafe {
            use std::os::fd::AsRawFd as _;
            libc::write(into.as_fd().as_raw_fd(), ptr::without_provenance(page), PAGE)
        };
        if written < 1 && direction > 0 {
            break;
        }
        // The page at which the heap ends may be none of it.
        if written < 1 && !found.is_empty() {
            break;
        }
        if written > 0 {
            let mut bytes = [0; PAGE];
            let count = rustix::io::read(&out, &mut bytes)?;
            found.write_all(bytes.get(..count).unwrap_or_default())?;
        }
        let Some(next) = page.checked_add_signed(direction * PAGE.cast_signed()) else { break };
        page = next;
    }
    Ok(found)
}
