//! Whose death ends this process.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::error::JailError;

/// Whose death ends this process.
#[derive(Debug)]
pub(super) enum Guardian {
    /// The process with this number, which started this one.
    Parent(u32),
    /// The outer process. From inside a process namespace it has no number; but it holds the other end
    /// of this pipe.
    Outer(OwnedFd),
}

impl Guardian {
    /// Asks for SIGKILL when the guardian dies, and then looks whether it has died before. To be called
    /// again after a change of user, which the kernel answers by forgetting the signal.
    pub(super) fn bind(&self) -> Result<(), JailError> {
        // Cannot fail: the signal is a valid one.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        if self.is_alive() { Ok(()) } else { Err(JailError::Orphan) }
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::Parent(parent) => {
                let found = Pid::as_raw(getppid());
                u32::try_from(found).is_ok_and(|found| found == *parent)
            }
            Self::Outer(pipe) => {
                let mut ends = [PollFd::new(pipe, PollFlags::IN)];
                let none = Timespec { tv_sec: 0, tv_nsec: 0 };
                matches!(poll(&mut ends, Some(&none)), Ok(0))
            }
        }
    }
}
