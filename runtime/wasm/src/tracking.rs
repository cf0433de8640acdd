//! Follows which pages of a memory are written to, so that a checkpoint costs what changed.
//!
//! The system write-protects the pages that were looked at; the first write to one lifts that, in
//! the kernel, for a microsecond. `docs/decisions/0009-checkpoints.md` has the figures, and what the
//! other ways would cost.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::mm::{UserfaultfdFlags, userfaultfd};

use crate::pagemap::{Which, of_this_process, scan};

/// Follows one memory, for as long as it lives. It must end before that memory is used for another
/// session: the engine asks the system what is dirty, and the answer would leave out what is
/// protected here.
#[derive(Debug)]
pub(crate) struct Tracker {
    faults: OwnedFd,
    pagemap: &'static File,
    /// The part of the memory that is followed, from its start.
    length: usize,
}

impl Tracker {
    /// Follows `memory` from now on, if the system can. What it finds first is all that was written.
    pub(crate) fn new(memory: &[u8]) -> io::Result<Self> {
        // No handler runs anywhere, so nothing needs the right to handle faults of the kernel.
        let flags = UserfaultfdFlags::CLOEXEC | USER_MODE_ONLY;
        // SAFETY: the descriptor is used for write protection that the kernel lifts by itself; no
        // memory access of this process ever waits for an answer to a fault.
        let faults = unsafe { userfaultfd(flags) }?;
        let mut hello = Hello { api: API, features: WRITE_PROTECT_ASYNC, ioctls: 0 };
        // SAFETY: UFFDIO_API takes a `struct uffdio_api`, which `Hello` is.
        unsafe { ioctl(&faults, Updater::<HELLO, Hello>::new(&mut hello)) }?;
        let mut tracker = Self { faults, pagemap: of_this_process()?, length: 0 };
        tracker.follow(memory)?;
        Ok(tracker)
    }

    /// The ranges that were written to since this was last asked.
    pub(crate) fn changed(&mut self, memory: &[u8]) -> io::Result<Vec<Range<usize>>> {
        if memory.len() > self.length {
            self.follow(memory)?; // it has grown
        }
        scan(self.pagemap, memory, Which::Changed)
    }

    fn follow(&mut self, memory: &[u8]) -> io::Result<()> {
        let range = [memory.as_ptr().addr() as u64, memory.len() as u64];
        let mut registration = Registration { range, mode: WRITE_PROTECT, ioctls: 0 };
        // SAFETY: UFFDIO_REGISTER takes a `struct uffdio_register`, which `Registration` is. It makes
        // the kernel note first writes to the pages of `memory`, and changes no content.
        unsafe { ioctl(&self.faults, Updater::<REGISTER, Registration>::new(&mut registration)) }?;
        self.length = memory.len();
        Ok(())
    }
}

// See the system's `linux/userfaultfd.h`.
const USER_MODE_ONLY: UserfaultfdFlags = UserfaultfdFlags::from_bits_retain(1);
const API: u64 = 0xaa;
const WRITE_PROTECT_ASYNC: u64 = 1 << 15;
const WRITE_PROTECT: u64 = 1 << 1;
const HELLO: Opcode = opcode::read_write::<Hello>(0xaa, 0x3f);
const REGISTER: Opcode = opcode::read_write::<Registration>(0xaa, 0x00);

#[repr(C)]
#[derive(Debug)]
struct Hello {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
#[derive(Debug)]
struct Registration {
    range: [u64; 2],
    mode: u64,
    ioctls: u64,
}
