//! Walls around a program that is going to be executed.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pcm_fences::{Fence, holds};
use rustix::process::Resource;

use super::guardian::Guardian;
use super::seccomp::{self, Filters};
use super::{capabilities, descriptors, landlock, limits};
use crate::error::JailError;
use crate::mode::JailMode;
use crate::report::{JailReport, Part, PartState};
use crate::walls::KernelWalls;

/// Walls that are ready to be put around commands. All that needs memory is done: between fork and
/// exec there are system calls only.
#[derive(Debug)]
pub struct PreparedWalls {
    report: JailReport,
    memory: Option<u64>,
    landlock: Option<OwnedFd>,
    filters: Option<Filters>,
}

impl KernelWalls {
    /// Prepares the walls, and says in the report what will hold. In strict mode it is an error when a
    /// part is missing. A path that does not exist is an error in each mode but `off`.
    pub fn prepare(&self, mode: JailMode) -> Result<PreparedWalls, JailError> {
        if mode == JailMode::Off {
            let report = JailReport::all(&PartState::Off);
            return Ok(PreparedWalls { report, memory: None, landlock: None, filters: None });
        }
        if self.open {
            return Ok(self.bounds());
        }
        let landlock = landlock::rules(self)?;
        let filters = seccomp::kernel().map_err(io::Error::other);
        let mut report = JailReport::default();
        for part in [Part::NoNewPrivileges, Part::Rlimits, Part::ParentDeath, Part::Capabilities] {
            report.record(part, PartState::Held);
        }
        report.record(Part::Descriptors, PartState::of(&descriptors::can_mark()));
        report.record(Part::Landlock, PartState::of(&landlock));
        report.record(Part::Seccomp, PartState::of(&filters));
        let report = report.demand(mode)?;
        let landlock = landlock.ok().filter(|_| holds(Fence::Landlock));
        let filters = filters.ok().filter(|_| holds(Fence::Seccomp));
        Ok(PreparedWalls { report, memory: self.memory, landlock, filters })
    }

    /// What is left where nothing is closed. It keeps the rights of its user.
    fn bounds(&self) -> PreparedWalls {
        let mut report = JailReport::all(&PartState::Off);
        for part in [Part::NoNewPrivileges, Part::Rlimits, Part::ParentDeath] {
            report.record(part, PartState::Held);
        }
        report.record(Part::Descriptors, PartState::of(&descriptors::can_mark()));
        PreparedWalls { report, memory: self.memory, landlock: None, filters: None }
    }
}

impl PreparedWalls {
    /// What holds of a program that was started with these walls. One around which a part cannot be put
    /// after all is not started.
    pub fn report(&self) -> &JailReport {
        &self.report
    }

    /// Puts the walls around what `command` will start. It is killed when the thread that has started it
    /// ends. Its environment is the command's matter.
    pub fn put_around(self, command: &mut Command) {
        if !self.report.holds(Part::NoNewPrivileges) {
            return;
        }
        let parent = Guardian::Parent(std::process::id());
        let close = move || self.close(&parent);
        // SAFETY: `close` makes system calls and touches memory that was made before; it neither
        // allocates nor takes a lock.
        unsafe { command.pre_exec(close) };
    }

    fn close(&self, parent: &Guardian) -> io::Result<()> {
        // Those of the command itself are marked like this anyway, until it has put them in place.
        if self.report.holds(Part::Descriptors) {
            descriptors::mark_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)?;
        }
        limits::bound(limits::KERNEL_FILES)?;
        if let Some(memory) = self.memory {
            limits::set(Resource::Data, memory)?;
        }
        if self.report.holds(Part::Capabilities) {
            capabilities::close_sources();
            capabilities::drop_all()?;
        }
        rustix::thread::set_no_new_privs(true)?;
        parent.bind().map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
        if let Some(rules) = &self.landlock {
            restrict(rules)?;
        }
        self.filters.as_ref().map_or(Ok(()), Filters::apply)
    }
}

/// `landlock_restrict_self(2)`; the crate's own would allocate.
fn restrict(rules: &OwnedFd) -> io::Result<()> {
    // SAFETY: the call touches no memory.
    let outcome = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
