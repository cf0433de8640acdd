//! The first step: away from everything that the parent has left in reach.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::guardian::Guardian;
use super::namespaces::Namespaces;
use super::{capabilities, descriptors, environment, outer};
use crate::error::JailError;
use crate::mode::JailMode;
use crate::report::{JailReport, Part, PartState};

/// A process that is on its own, and still open: the first of three steps is done.
#[derive(Debug)]
#[must_use = "the walls are not closed yet"]
pub struct Separated {
    pub(super) mode: JailMode,
    pub(super) report: JailReport,
    pub(super) namespaces: Namespaces,
    pub(super) guardian: Option<Guardian>,
    pub(super) guardian_may_kill: bool,
}

/// Separates this process from its parent's environment, descriptors and namespaces.
///
/// To be called first thing in `main`, with one thread, before anything is opened or read from the
/// environment. `keep` are the descriptors that stay open; those of 0, 1 and 2 that are not among them
/// lead to `/dev/null` afterwards. `parent` is the process that started this one, as it sees itself
/// (`std::process::id()`): when that has ended already, this process must not go on.
///
/// `lifeline` is the other end of a pipe that the parent holds and nobody writes to: it ends the worker by
/// closing it, whatever the worker does, and its end is taken note of. Where no second process is started,
/// nobody listens to it, and the parent has to end this process itself.
///
/// Where the system permits it, this call starts a second process and returns in that one. It is the
/// first of a process namespace, so a signal whose default is to end a process cannot be sent by
/// itself: `abort` ends it by SIGSEGV. The outer process waits, and ends as the inner one has ended;
/// when it is killed, or its parent dies, the inner one is killed. Both are in a session of their own, so
/// that what is typed at a terminal is the parent's to handle.
pub fn separate(
    mode: JailMode,
    keep: &[RawFd],
    lifeline: Option<OwnedFd>,
    parent: u32,
) -> Result<Separated, JailError> {
    if mode == JailMode::Off {
        return Ok(Separated {
            mode,
            report: JailReport::all(&PartState::Off),
            namespaces: Namespaces::default(),
            guardian: None,
            guardian_may_kill: false,
        });
    }
    one_thread()?;
    let mut report = JailReport::default();
    let guardian = Guardian::Parent(parent);
    guardian.bind()?;
    environment::forget();
    report.record(Part::Environment, PartState::Held);
    // When memory is short it shall be this process that ends, not what started it.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let lifeline_number: Vec<RawFd> = lifeline.iter().map(AsRawFd::as_raw_fd).collect();
    report.record(
        Part::Descriptors,
        PartState::of(&descriptors::keep_only(&[keep, &lifeline_number].concat())?),
    );
    // Refused where the parent has made this process the leader of a group, which does as well.
    let _ = rustix::process::setsid();
    // What the parent had, this process has until it gives it up.
    let parent_may_kill = capabilities::may_kill();
    let namespaces = Namespaces::enter(&mut report);
    let guardian_may_kill =
        if namespaces.processes { capabilities::may_kill() } else { parent_may_kill };
    let guardian = if namespaces.processes {
        outer::continue_inside(&guardian, lifeline)?
    } else {
        // To change identities may have undone it.
        guardian.bind()?;
        guardian
    };
    report.record(Part::ParentDeath, PartState::Held);
    Ok(Separated { mode, report, namespaces, guardian: Some(guardian), guardian_may_kill })
}

/// Namespaces, capabilities and filters are a thread's: another one would keep what this one gives up.
pub(super) fn one_thread() -> Result<(), JailError> {
    // Without /proc the number is not known, and namespaces are refused to more than one thread.
    match fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(threads) if threads > 1 => Err(JailError::Threads(threads)),
        _ => Ok(()),
    }
}
