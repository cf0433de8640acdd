//! The second step: the walls close.

use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::separate::{Separated, one_thread};
use super::{capabilities, identity, landlock, limits, memory, root, seccomp, status};
use crate::error::JailError;
use crate::report::{JailReport, Part, PartState};

impl Separated {
    /// Closes the walls around this process, for good.
    ///
    /// To be called with one thread still, when everything is open that the engine will ever need by
    /// name. Afterwards there are no files, no sockets, no other processes; there is memory, threads,
    /// time, and what the kept descriptors lead to.
    ///
    /// A runtime of tokio with signals wants a pair of sockets once per process: build one before, of
    /// any kind that starts no thread; those built afterwards use the same pair.
    ///
    /// In strict mode it is an error when a part is missing. Then the process is in an unfinished jail,
    /// and must end.
    pub fn close(mut self) -> Result<JailReport, JailError> {
        let Some(guardian) = self.guardian.take() else { return Ok(self.report) };
        one_thread()?;
        // What is read from /proc, while there is one.
        memory::remember();
        let _ = rustix::param::page_size(); // reads all that the kernel has said at the start
        self.note(Part::Rlimits, &limits::bound(limits::WORKER_FILES));
        if self.namespaces.mounts {
            self.note(Part::MountNamespace, &root::empty());
        }
        capabilities::close_sources();
        self.note(Part::User, &identity::leave_root(self.guardian_may_kill));
        self.note(Part::Threads, &limits::bound_threads(self.namespaces.user));
        self.note(Part::Capabilities, &capabilities::drop_all());
        // No core dumps, no reading of this process's memory. Not before: then the files of this process
        // under /proc belong to root, and the engine may need one.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        // The change of user has undone it.
        guardian.bind()?;
        let privileges = rustix::thread::set_no_new_privs(true);
        self.note(Part::NoNewPrivileges, &privileges.map_err(Into::into));
        self.note(Part::Landlock, &landlock::refuse_all());
        let filters = seccomp::engine().map_err(io::Error::other);
        drop(guardian);
        let closed = status::answer_traps().and_then(|()| filters?.apply());
        self.note(Part::Seccomp, &closed);
        self.report.demand(self.mode)
    }

    fn note(&mut self, part: Part, outcome: &io::Result<()>) {
        self.report.record(part, PartState::of(outcome));
    }
}
