//! No capabilities.

use std::io;

use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits,
};

const NONE: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Takes from the future what capabilities could come from: programs with capabilities, being root, a
/// change of user. Needs a capability itself; who does not have it has `no_new_privs` for the same.
pub(super) fn close_sources() {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        // Numbers that the kernel does not know are refused, each one after the last.
        if remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    let _ = set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    );
}

/// Whether this process may end those of other users.
pub(super) fn may_kill() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::KILL))
}

/// Gives up all but the right to end processes of another user: the system sends the signal on the death
/// of a parent in the parent's name, and with its rights.
pub(super) fn drop_all_but_kill() -> io::Result<()> {
    let _ = clear_ambient_capability_set();
    let kill = capabilities(None)?.effective & CapabilitySet::KILL;
    set_capabilities(None, CapabilitySets { effective: kill, permitted: kill, ..NONE })?;
    Ok(())
}

/// Gives up all that there are, and looks whether they are gone. Allocates nothing.
pub(super) fn drop_all() -> io::Result<()> {
    // Kernels before 4.3 have no ambient ones.
    let _ = clear_ambient_capability_set();
    set_capabilities(None, NONE)?;
    let left = capabilities(None)?;
    let is_empty = left.effective.is_empty() && left.permitted.is_empty();
    if is_empty { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}
