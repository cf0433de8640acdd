//! No descriptors but those that are wanted.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, RawFd};

use rustix::io::fcntl_getfd;

use crate::error::JailError;

/// Closes all but `keep`, and leads those of 0, 1 and 2 that are not kept to `/dev/null`. The inner
/// result is why it could not be done.
pub(super) fn keep_only(keep: &[RawFd]) -> Result<io::Result<()>, JailError> {
    let mut kept = keep.to_vec();
    kept.sort_unstable();
    kept.dedup();
    for &descriptor in &kept {
        // SAFETY: borrowed for one call that only asks whether it is open.
        let is_open =
            descriptor >= 0 && fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) }).is_ok();
        if !is_open {
            return Err(JailError::Descriptor(descriptor));
        }
    }
    let silenced = silence(&kept);
    Ok(close_others(&kept).and(silenced))
}

/// Standard descriptors are never closed: the next file would get their numbers, and whoever prints
/// would print into it.
fn silence(kept: &[RawFd]) -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let unwanted = |descriptor| !kept.contains(&descriptor);
    if unwanted(0) {
        rustix::stdio::dup2_stdin(null.as_fd())?;
    }
    if unwanted(1) {
        rustix::stdio::dup2_stdout(null.as_fd())?;
    }
    if unwanted(2) {
        rustix::stdio::dup2_stderr(null.as_fd())?;
    }
    Ok(())
}

fn close_others(kept: &[RawFd]) -> io::Result<()> {
    let mut first = 3;
    for &descriptor in kept.iter().filter(|descriptor| **descriptor > 2) {
        close_range(first, descriptor - 1)?;
        first = descriptor.saturating_add(1);
    }
    close_range(first, RawFd::MAX)
}

/// Closes everything from `first` to `last`, the standard ones too if they are among them.
pub(super) fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    mark_range(first, last, 0).or_else(|_| close_listed(first, last))
}

/// Whether a range can be marked to be closed by exec. There is no descriptor in the one that is tried.
pub(super) fn can_mark() -> io::Result<()> {
    mark_range(RawFd::MAX, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// `close_range(2)`, which takes flags.
pub(super) fn mark_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call touches no memory. Nothing of this process owns what it closes: it is made first
    // thing in `main`, or between fork and exec.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// For kernels before 5.9, and where a filter around this process knows no newer one.
fn close_listed(first: RawFd, last: RawFd) -> io::Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd")?;
    // Collected, so that the descriptor of the listing itself is closed before the others are.
    let open: Vec<RawFd> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|open| (first..=last).contains(open)) {
        // SAFETY: as above. One that is closed already is an error without consequence.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}
