//! An empty root.

use std::fs;
use std::io;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

/// Folders that systems have, to mount over. Nobody sees it: the mount namespace is ours.
const PLACES: [&str; 5] = ["/tmp", "/proc", "/dev", "/usr", "/var"];

/// Makes an empty folder that nobody can write the root, and lets go of the old one.
pub(super) fn empty() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // The root itself is the one inode that there may be.
    let options = c"mode=0555,nr_inodes=1";
    let mut outcome = Err(rustix::io::Errno::NOENT);
    for place in PLACES {
        outcome = mount("none", place, "tmpfs", flags, options).map(|()| place);
        if outcome.is_ok() {
            break;
        }
    }
    let old = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    chdir(outcome?)?;
    // The old root is then mounted over the new one, and taken away from there.
    pivot_root(".", ".")?;
    fchdir(&old)?;
    unmount(".", UnmountFlags::DETACH)?;
    drop(old);
    chdir("/")?;
    let is_empty = fs::read_dir("/")?.next().is_none();
    if is_empty { Ok(()) } else { Err(io::Error::other("the new root is not empty")) }
}
