//! What an installed program may ask of the kernel: everything but what only attackers need.

use std::os::raw::{c_int, c_long};

use libc as c;
use seccompiler::{BackendError, BpfProgram, SeccompAction, sock_filter};

use super::{ATTACKS, Calls, Filters, bits, not, refuse, unsigned};

/// Calls that fail besides [`ATTACKS`]: they reach other processes, the machine, or parts of the kernel with
/// a history.
const REFUSED: &[c_long] = &[
    // Other processes.
    c::SYS_migrate_pages,
    c::SYS_move_pages,
    // Namespaces, mounts and roots. (Landlock does not restrict handles.)
    c::SYS_name_to_handle_at,
    c::SYS_quotactl,
    c::SYS_quotactl_fd,
    // The kernel itself.
    c::SYS_fanotify_init,
    c::SYS_lookup_dcookie,
    c::SYS_nfsservctl,
    c::SYS_syslog,
    c::SYS_userfaultfd,
    c::SYS_vhangup,
    // The machine.
    c::SYS_acct,
    c::SYS_adjtimex,
    c::SYS_clock_adjtime,
    c::SYS_clock_settime,
    c::SYS_setdomainname,
    c::SYS_sethostname,
    c::SYS_settimeofday,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[
    c::SYS__sysctl,
    c::SYS_ioperm,
    c::SYS_iopl,
    c::SYS_modify_ldt,
    c::SYS_sysfs,
    c::SYS_uselib,
    c::SYS_ustat,
];
#[cfg(target_arch = "aarch64")]
const REFUSED_HERE: &[c_long] = &[];

/// Namespaces that a new process could ask for. (That of time cannot be asked for here.)
const NAMESPACES: [c_int; 7] = [
    c::CLONE_NEWCGROUP,
    c::CLONE_NEWIPC,
    c::CLONE_NEWNET,
    c::CLONE_NEWNS,
    c::CLONE_NEWPID,
    c::CLONE_NEWUSER,
    c::CLONE_NEWUTS,
];

/// Families of sockets that there are.
const SOCKETS: [c_int; 3] = [c::AF_UNIX, c::AF_INET, c::AF_INET6];

/// What puts characters into a terminal, as if they were typed: `TIOCSTI` and `TIOCLINUX`.
const TYPING: [u32; 2] = [0x5412, 0x541c];

/// Calls up to this one are known: `mseal`, of Linux 6.10. Later ones, and those of another ABI (x32),
/// are not on any list.
const LAST_KNOWN: u32 = 462;

/// The filters for a program that is about to be executed.
pub(in super::super) fn filters() -> Result<Filters, BackendError> {
    let fine = || SeccompAction::Allow;
    // Its flags lie in memory, where a filter cannot see them. C libraries then use `clone`.
    let absent = Calls::always(&[c::SYS_clone3]).answer(refuse(c::ENOSYS), fine())?;
    let netlink = c::AF_NETLINK;
    let families = SOCKETS.into_iter().chain([netlink]);
    let sockets = Calls::default()
        .when_all(c::SYS_socket, families.map(|family| not(0, family)))?
        // By this protocol of it libraries learn which addresses the machine has.
        .when_all(c::SYS_socket, [unsigned(0, netlink.cast_unsigned()), not(2, c::NETLINK_ROUTE)])?
        .when_all(c::SYS_socketpair, SOCKETS.map(|family| not(0, family)))?
        .answer(refuse(c::EAFNOSUPPORT), fine())?;
    let refused = [ATTACKS, REFUSED, REFUSED_HERE].concat();
    let refused = Calls::always(&refused)
        .when(c::SYS_clone, NAMESPACES.map(|flag| bits(0, flag, flag)))?
        .when(c::SYS_ioctl, TYPING.map(|command| unsigned(1, command)))?
        .answer(refuse(c::EPERM), fine())?;
    Ok(Filters(vec![unknown(), absent, sockets, refused]))
}

/// The number is the first thing that a filter sees (`struct seccomp_data`).
const NUMBER: u32 = 0;

/// Written out, because `seccompiler` compares numbers of calls for equality only.
fn unknown() -> BpfProgram {
    let load = c::BPF_LD | c::BPF_W | c::BPF_ABS;
    let is_later = c::BPF_JMP | c::BPF_JGT | c::BPF_K;
    let answer = c::BPF_RET | c::BPF_K;
    let absent = c::SECCOMP_RET_ERRNO | c::ENOSYS.cast_unsigned();
    vec![
        instruction(load, 0, NUMBER),
        instruction(is_later, 1, LAST_KNOWN),
        instruction(answer, 0, absent),
        instruction(answer, 0, c::SECCOMP_RET_ALLOW),
    ]
}

/// `otherwise`: how many instructions a comparison skips that is not true.
fn instruction(code: u32, otherwise: u8, value: u32) -> sock_filter {
    // Codes have 16 bits; libc has them in the type that it has for all such numbers.
    let code = u16::try_from(code).unwrap_or_default();
    sock_filter { code, jt: 0, jf: otherwise, k: value }
}
