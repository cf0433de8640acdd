//! What an engine that was taken over says to the host: bytes, to descriptors.

use std::os::fd::{BorrowedFd, RawFd};
use std::thread::sleep;
use std::time::Duration;

use pcm_runtime_wire::{News, PROTOCOL, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};
use serde::{Deserialize, Serialize};

/// The descriptors that are tried; a worker has some twenty.
pub(crate) const DESCRIPTORS: RawFd = 256;
/// What is written at a time, where pieces are not to go alone.
const BATCH: usize = 64 << 10;
/// How long one descriptor may not take anything before the next is tried.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Bytes, and where they go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Forgery {
    pub(crate) target: Target,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) then: Then,
}

/// Who hears it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Target {
    /// The host.
    Wire,
    /// Who serves folders.
    Folders,
    /// Every descriptor there is.
    All,
}

/// What is said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// Bytes, so many times.
    Bytes { bytes: Vec<u8>, times: u64 },
    /// Each byte in a write of its own, with a pause.
    Slowly { bytes: Vec<u8> },
    /// So many bytes that mean nothing.
    Random { seed: u64, length: usize },
    /// A byte out of band.
    OutOfBand,
    /// A byte with descriptors.
    Descriptors,
}

/// What comes after it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Then {
    /// The honest result.
    Return,
    /// Nothing, for ever.
    Silence,
}

impl Forgery {
    /// Says it to the host.
    pub(crate) fn wire(pieces: Vec<Piece>) -> Self {
        Self { target: Target::Wire, pieces, then: Then::Return }
    }

    pub(crate) fn and_silence(self) -> Self {
        Self { then: Then::Silence, ..self }
    }

    pub(crate) fn go(&self) {
        for fd in descriptors(self.target) {
            for piece in &self.pieces {
                piece.write(fd);
            }
        }
        if let Then::Silence = self.then {
            silence();
        }
    }
}

impl Piece {
    /// Bytes, once.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes { bytes: bytes.into(), times: 1 }
    }

    /// A frame that can be read.
    pub(crate) fn news(news: &News) -> Self {
        Self::bytes(encode(news, &[]).unwrap_or_default())
    }

    /// A frame around a head, which may be anything.
    pub(crate) fn framed(head: &[u8]) -> Self {
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
        Self::bytes([header(length, 0), head.to_vec()].concat())
    }

    pub(crate) fn times(self, count: u64) -> Self {
        match self {
            Self::Bytes { bytes, .. } => Self::Bytes { bytes, times: count },
            other => other,
        }
    }

    fn write(&self, fd: BorrowedFd<'_>) {
        match self {
            Self::Bytes { bytes, times } => {
                let at_once = (BATCH / bytes.len().max(1)).clamp(1, usize::MAX) as u64;
                let mut left = *times;
                while left > 0 {
                    let count = left.min(at_once);
                    let batch = bytes.repeat(usize::try_from(count).unwrap_or(1));
                    if !write_all(fd, &batch) {
                        return;
                    }
                    left -= count;
                }
            }
            Self::Slowly { bytes } => {
                for byte in bytes {
                    if !write_all(fd, &[*byte]) {
                        return;
                    }
                    sleep(Duration::from_millis(1));
                }
            }
            Self::Random { seed, length } => drop(write_all(fd, &random(*seed, *length))),
            Self::OutOfBand => send_out_of_band(fd),
            Self::Descriptors => send_descriptors(fd),
        }
    }
}

/// The header of a frame that says it has so many bytes.
pub(crate) fn header(head: u32, bytes: u64) -> Vec<u8> {
    let magic = [b'P', b'C', b'M', PROTOCOL];
    [&magic[..], &head.to_le_bytes(), &bytes.to_le_bytes()].concat()
}

/// Does nothing more, on the one thread of the worker.
pub(crate) fn silence() -> ! {
    loop {
        sleep(Duration::from_hours(1));
    }
}

/// Bytes by the rule of xorshift.
fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// Whether all of it was taken.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !matches!(
                    poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&PATIENCE)),
                    Ok(1..)
                ) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

fn send_out_of_band(fd: BorrowedFd<'_>) {
    let _ = rustix::net::send(fd, b"!", rustix::net::SendFlags::OOB); // it may not be permitted
}

fn send_descriptors(fd: BorrowedFd<'_>) {
    use std::mem::MaybeUninit;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let several = [fd; 8];
    let _ = control.push(SendAncillaryMessage::ScmRights(&several));
    let _ = sendmsg(fd, &[std::io::IoSlice::new(b"!")], &mut control, SendFlags::NOSIGNAL);
}

/// The open descriptors that are meant.
pub(crate) fn descriptors(target: Target) -> Vec<BorrowedFd<'static>> {
    let all = (0..DESCRIPTORS).map(|fd| {
        // SAFETY: the worker is going to be ended, and what it has open is used for nothing but this.
        unsafe { BorrowedFd::borrow_raw(fd) }
    });
    let all = all.filter(|fd| rustix::io::fcntl_getfd(fd).is_ok());
    match target {
        Target::All => all.collect(),
        Target::Wire => of_type(all, SocketType::STREAM),
        Target::Folders => of_type(all, SocketType::SEQPACKET),
    }
}

/// The first socket of a type; connected ones only, which the runtime's own are too, but later.
fn of_type(
    all: impl Iterator<Item = BorrowedFd<'static>>,
    wanted: SocketType,
) -> Vec<BorrowedFd<'static>> {
    all.filter(|fd| sockopt::socket_type(fd) == Ok(wanted)).take(1).collect()
}
