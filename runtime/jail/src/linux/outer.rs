//! The process that stays outside of the process namespace.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal, waitpid,
};

use super::guardian::Guardian;
use super::{capabilities, descriptors, limits};
use crate::error::JailError;

/// Divides the process, and goes on in the inner one, which the outer one guards.
pub(super) fn continue_inside(
    guardian: &Guardian,
    lifeline: Option<OwnedFd>,
) -> Result<Guardian, JailError> {
    let (alive, held) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|error| JailError::Fork(error.into()))?;
    // SAFETY: the process has one thread, so the child may do what any process may.
    match unsafe { libc::fork() } {
        -1 => Err(JailError::Fork(io::Error::last_os_error())),
        0 => {
            drop((held, lifeline));
            let guardian = Guardian::Outer(alive);
            guardian.bind()?;
            // Refused to the leader of a group only, which a new process is not.
            let _ = rustix::process::setsid();
            Ok(guardian)
        }
        inner => {
            drop(alive);
            wait_for(inner, &held, lifeline.as_ref(), guardian)
        }
    }
}

/// All that the outer process does. It holds nothing but its ends of the two pipes.
fn wait_for(
    inner: libc::pid_t,
    held: &OwnedFd,
    lifeline: Option<&OwnedFd>,
    guardian: &Guardian,
) -> ! {
    let (first, last) = (held.as_raw_fd(), lifeline.unwrap_or(held).as_raw_fd());
    let (first, last) = (first.min(last), first.max(last));
    // Whatever fails here leaves more open in a process that does nothing with it.
    let _ = descriptors::close_range(0, first - 1);
    if last - first > 1 {
        let _ = descriptors::close_range(first + 1, last - 1);
    }
    let _ = descriptors::close_range(last + 1, RawFd::MAX);
    let process = Pid::from_raw(inner);
    // Before rights are dropped: what is inside becomes somebody else.
    let watched = process.map(|process| pidfd_open(process, PidfdFlags::empty()));
    let _ = limits::no_core_dumps();
    let _ = capabilities::drop_all_but_kill();
    let _ = rustix::thread::set_no_new_privs(true);
    if guardian.bind().is_err() {
        end(1);
    }
    if let (Some(Ok(watched)), Some(lifeline)) = (watched, lifeline) {
        let mut ends = [PollFd::new(&watched, PollFlags::IN), PollFd::new(lifeline, PollFlags::IN)];
        while matches!(poll(&mut ends, None), Err(rustix::io::Errno::INTR)) {}
        if ends[0].revents().is_empty() {
            let _ = pidfd_send_signal(&watched, Signal::KILL); // it may end by itself just now
        }
    }
    let status = loop {
        match waitpid(process, WaitOptions::empty()) {
            Ok(Some((_, status))) => break status,
            Err(error) if error != rustix::io::Errno::INTR => end(1),
            Ok(None) | Err(_) => {}
        }
    };
    end_like(status)
}

/// Ends as the inner process has ended, so that the parent sees one process.
fn end_like(status: WaitStatus) -> ! {
    if let Some(signal) = status.terminating_signal() {
        // SAFETY: calls on signals that touch no memory but the set, which is this frame's. The process
        // has one thread.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, signal);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
            libc::raise(signal);
        }
        end(signal.saturating_add(128));
    }
    end(status.exit_status().unwrap_or(1))
}

fn end(code: i32) -> ! {
    // SAFETY: ends the process at once, without what the inner one has registered for its own end.
    unsafe { libc::_exit(code) }
}
