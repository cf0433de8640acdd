//! Namespaces of its own.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getegid, geteuid, getpid, waitpid};
use rustix::thread::UnshareFlags;

use super::identity::NOBODY;
use crate::report::{JailReport, Part, PartState};

/// Which namespaces are this process's own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Namespaces {
    pub(super) user: bool,
    pub(super) mounts: bool,
    /// Children, not this process itself, are in a process namespace of their own.
    pub(super) processes: bool,
}

impl Namespaces {
    /// One by one: a system that refuses one may permit another.
    pub(super) fn enter(report: &mut JailReport) -> Self {
        let user = enter_user_namespace();
        report.record(Part::UserNamespace, PartState::of(&user));
        let mut enter = |part, flags| {
            let outcome = unshare(flags);
            report.record(part, PartState::of(&outcome));
            outcome.is_ok()
        };
        enter(Part::NetworkNamespace, UnshareFlags::NEWNET);
        let others = UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
        if enter(Part::IpcNamespace, others) {
            // The old name was the machine's. A namespace that does not permit it keeps a copy.
            let _ = rustix::system::sethostname(b"sandbox");
        }
        let mounts = enter(Part::MountNamespace, UnshareFlags::NEWNS);
        let processes = enter(Part::PidNamespace, UnshareFlags::NEWPID);
        Self { user: user.is_ok(), mounts, processes }
    }
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: FILES is never among the flags.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// Inside, this process is who it was, and may become nobody where root has started it.
fn enter_user_namespace() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let mapper = if user == 0 { Mapper::start(group).ok() } else { None };
    let entered = unshare(UnshareFlags::NEWUSER);
    let is_mapped = mapper.is_some_and(|mapper| mapper.finish(entered.is_ok()));
    entered?;
    if is_mapped {
        return Ok(());
    }
    // Who has no rights outside may map itself, when it can no longer drop groups.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1\n"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1\n"))
}

/// A process that stays outside and maps two users of the new namespace, which from inside is not
/// permitted.
struct Mapper {
    process: Pid,
    go: OwnedFd,
}

impl Mapper {
    fn start(group: u32) -> io::Result<Self> {
        let (wait, go) = pipe_with(PipeFlags::CLOEXEC)?;
        let target = getpid().as_raw_nonzero();
        // SAFETY: the process has one thread, so the child may do what any process may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(go);
                let mapped = map(wait, target.get(), group).is_ok();
                // SAFETY: ends at once, without what the parent has registered for its end.
                unsafe { libc::_exit(i32::from(!mapped)) }
            }
            child => {
                let process = Pid::from_raw(child).ok_or(io::ErrorKind::InvalidData)?;
                Ok(Self { process, go })
            }
        }
    }

    /// Lets it map when the namespace is there, waits for it, and says whether it has mapped.
    fn finish(self, entered: bool) -> bool {
        let mut go = fs::File::from(self.go);
        let told = !entered || go.write_all(b"g").is_ok();
        drop(go);
        let ended = waitpid(Some(self.process), WaitOptions::empty());
        told && matches!(ended, Ok(Some((_, status))) if status.exit_status() == Some(0))
    }
}

fn map(wait: OwnedFd, process: i32, group: u32) -> io::Result<()> {
    fs::File::from(wait).read_exact(&mut [0])?;
    let own = if group == NOBODY { String::new() } else { format!("{group} {group} 1\n") };
    let groups = format!("{own}{NOBODY} {NOBODY} 1\n");
    fs::write(format!("/proc/{process}/gid_map"), groups)?;
    fs::write(format!("/proc/{process}/uid_map"), format!("0 0 1\n{NOBODY} {NOBODY} 1\n"))
}
