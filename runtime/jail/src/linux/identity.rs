//! Nobody instead of root.

use std::io;

use rustix::fs::{Gid, Uid};
use rustix::process::{geteuid, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// The user that owns nothing, on every Linux.
pub(super) const NOBODY: u32 = 65534;

/// Becomes nobody, if root has started this process: root without capabilities still owns most of a
/// machine's files. Not where the guardian could not end a process of nobody's: one that outlives its
/// parent would be worse.
pub(super) fn leave_root(guardian_may_kill: bool) -> io::Result<()> {
    if !getuid().is_root() && !geteuid().is_root() {
        return Ok(());
    }
    if !guardian_may_kill {
        return Err(io::Error::other("the parent has no right to end a process of another user"));
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    // These are a thread's; the process has one (`Separated::close` has looked).
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}
