//! What an engine may ask of the kernel: memory, threads, time, and descriptors that it has.

use std::os::raw::{c_int, c_long};

use libc as c;
use seccompiler::{BackendError, BpfProgram, SeccompAction};

use super::{ATTACKS, Calls, Filters, bits, int, null, refuse, unsigned};

/// Calls that are always fine: they reach nothing but this process and what it has open.
const PERMITTED: &[c_long] = &[
    // Memory. Engines compile, so memory may become executable.
    c::SYS_brk,
    c::SYS_madvise,
    c::SYS_membarrier,
    c::SYS_mincore,
    c::SYS_mmap,
    c::SYS_mprotect,
    c::SYS_mremap,
    c::SYS_msync,
    c::SYS_munmap,
    c::SYS_memfd_create,
    c::SYS_pkey_alloc,
    c::SYS_pkey_free,
    c::SYS_pkey_mprotect,
    // Threads.
    c::SYS_exit,
    c::SYS_exit_group,
    c::SYS_futex,
    c::SYS_futex_waitv,
    c::SYS_getcpu,
    c::SYS_restart_syscall,
    c::SYS_rseq,
    c::SYS_sched_get_priority_max,
    c::SYS_sched_get_priority_min,
    c::SYS_sched_getaffinity,
    c::SYS_sched_getparam,
    c::SYS_sched_getscheduler,
    c::SYS_sched_yield,
    c::SYS_set_robust_list,
    c::SYS_set_tid_address,
    // Signals within the process.
    c::SYS_rt_sigaction,
    c::SYS_rt_sigpending,
    c::SYS_rt_sigprocmask,
    c::SYS_rt_sigreturn,
    c::SYS_rt_sigsuspend,
    c::SYS_rt_sigtimedwait,
    c::SYS_sigaltstack,
    // Time.
    c::SYS_clock_getres,
    c::SYS_clock_gettime,
    c::SYS_clock_nanosleep,
    c::SYS_gettimeofday,
    c::SYS_nanosleep,
    c::SYS_timerfd_create,
    c::SYS_timerfd_gettime,
    c::SYS_timerfd_settime,
    c::SYS_times,
    // Who and where.
    c::SYS_getegid,
    c::SYS_geteuid,
    c::SYS_getgid,
    c::SYS_getpgid,
    c::SYS_getpid,
    c::SYS_getppid,
    c::SYS_getrandom,
    c::SYS_getresgid,
    c::SYS_getresuid,
    c::SYS_getrusage,
    c::SYS_getsid,
    c::SYS_gettid,
    c::SYS_getuid,
    c::SYS_sysinfo,
    c::SYS_uname,
    // Descriptors that are open.
    c::SYS_close,
    c::SYS_close_range,
    c::SYS_dup,
    c::SYS_dup3,
    c::SYS_fadvise64,
    c::SYS_fallocate,
    c::SYS_fdatasync,
    c::SYS_fstat,
    c::SYS_fsync,
    c::SYS_ftruncate,
    c::SYS_getdents64,
    c::SYS_lseek,
    c::SYS_pread64,
    c::SYS_preadv,
    c::SYS_preadv2,
    c::SYS_pwrite64,
    c::SYS_pwritev,
    c::SYS_pwritev2,
    c::SYS_read,
    c::SYS_readv,
    c::SYS_write,
    c::SYS_writev,
    // Pipes, events, and waiting for them.
    c::SYS_epoll_create1,
    c::SYS_epoll_ctl,
    c::SYS_epoll_pwait,
    c::SYS_epoll_pwait2,
    c::SYS_eventfd2,
    c::SYS_pipe2,
    c::SYS_ppoll,
    c::SYS_pselect6,
    // Sockets that are connected already. `sendto` has a rule.
    c::SYS_getpeername,
    c::SYS_getsockname,
    c::SYS_getsockopt,
    c::SYS_recvfrom,
    c::SYS_recvmsg,
    c::SYS_shutdown,
];

/// What only this architecture has.
#[cfg(target_arch = "x86_64")]
const PERMITTED_HERE: &[c_long] = &[
    c::SYS_arch_prctl,
    c::SYS_dup2,
    c::SYS_epoll_create,
    c::SYS_epoll_wait,
    c::SYS_eventfd,
    c::SYS_getpgrp,
    c::SYS_pipe,
    c::SYS_poll,
    c::SYS_select,
    c::SYS_time,
];
#[cfg(target_arch = "aarch64")]
const PERMITTED_HERE: &[c_long] = &[];

/// Calls that a library tries, and does without when there are none: it falls back to calls that can be
/// filtered (`clone`), or that take no path (`fstat`).
const ABSENT: &[c_long] = &[c::SYS_clone3, c::SYS_statx];

/// Calls that nothing in an engine makes, not even to see whether it may, besides [`ATTACKS`].
const OUTWARD: &[c_long] = &[
    // Other programs.
    c::SYS_execve,
    c::SYS_execveat,
    // Other processes.
    c::SYS_pidfd_open,
    c::SYS_pidfd_send_signal,
    c::SYS_rt_sigqueueinfo,
    c::SYS_rt_tgsigqueueinfo,
];

#[cfg(target_arch = "x86_64")]
const ATTACKS_HERE: &[c_long] =
    &[c::SYS_fork, c::SYS_ioperm, c::SYS_iopl, c::SYS_modify_ldt, c::SYS_vfork];
#[cfg(target_arch = "aarch64")]
const ATTACKS_HERE: &[c_long] = &[];

/// What a thread shares with the others. All of it, or it is no thread.
const THREAD: c_int =
    c::CLONE_VM | c::CLONE_FS | c::CLONE_FILES | c::CLONE_SIGHAND | c::CLONE_THREAD;

/// What may be asked for besides. The last one is musl's, and has no effect.
const THREAD_EXTRAS: c_int = c::CLONE_SYSVSEM
    | c::CLONE_SETTLS
    | c::CLONE_PARENT_SETTID
    | c::CLONE_CHILD_SETTID
    | c::CLONE_CHILD_CLEARTID
    | c::CLONE_DETACHED;

/// What the kernel has told the program when it began (`linux/prctl.h`): page size, features.
const PR_GET_AUXV: c_int = 0x4155_5856;

/// Names, and what says how things are.
const PRCTL: &[c_int] = &[
    PR_GET_AUXV,
    c::PR_GET_DUMPABLE,
    c::PR_GET_NAME,
    c::PR_GET_NO_NEW_PRIVS,
    c::PR_GET_SECCOMP,
    c::PR_GET_TIMERSLACK,
    c::PR_SET_NAME,
    c::PR_SET_TIMERSLACK,
    c::PR_SET_VMA,
];

const FCNTL: &[c_int] = &[
    c::F_ADD_SEALS,
    c::F_DUPFD_CLOEXEC,
    c::F_GETFD,
    c::F_GETFL,
    c::F_GET_SEALS,
    c::F_SETFD,
    c::F_SETFL,
];

/// Of any descriptor: two flags. Of memory: which pages were written, by `userfaultfd(2)` and
/// `PAGEMAP_SCAN` (`linux/fs.h`, `linux/userfaultfd.h`).
const IOCTL: &[u32] = &[
    0x5421,      // FIONBIO
    0x5451,      // FIOCLEX
    0xc060_6610, // PAGEMAP_SCAN
    0xc018_aa3f, // UFFDIO_API
    0xc020_aa00, // UFFDIO_REGISTER
    0x8010_aa01, // UFFDIO_UNREGISTER
    0xc018_aa06, // UFFDIO_WRITEPROTECT
];

/// `UFFD_USER_MODE_ONLY`: never stops the kernel itself in the middle of something.
const USER_FAULTS_ONLY: c_int = 1;

/// The filters for this process, which must be the one that installs them: it may signal itself.
pub(in super::super) fn filters() -> Result<Filters, BackendError> {
    let fine = || SeccompAction::Allow;
    let absent = Calls::always(ABSENT).answer(refuse(c::ENOSYS), fine())?;
    let trapped = Calls::always(&[c::SYS_newfstatat]).answer(SeccompAction::Trap, fine())?;
    let attacks = attacks()?.answer(SeccompAction::KillProcess, fine())?;
    Ok(Filters(vec![absent, trapped, attacks, permitted()?]))
}

fn attacks() -> Result<Calls, BackendError> {
    let calls = [ATTACKS, OUTWARD, ATTACKS_HERE].concat();
    // Processes instead of threads. (A namespace is refused with all else that is no thread.)
    Calls::always(&calls).when(c::SYS_clone, [bits(0, c::CLONE_THREAD, 0)])
}

fn permitted() -> Result<BpfProgram, BackendError> {
    let calls = [PERMITTED, PERMITTED_HERE, ABSENT, &[c::SYS_newfstatat]].concat();
    let own = c_int::try_from(std::process::id()).unwrap_or_default();
    Calls::always(&calls)
        .when(c::SYS_clone, [bits(0, !THREAD_EXTRAS, THREAD)])?
        .when(c::SYS_kill, [int(0, own)])?
        .when(c::SYS_tgkill, [int(0, own)])?
        .when(c::SYS_prlimit64, [int(0, 0)])?
        .when(c::SYS_sched_setaffinity, [int(0, 0)])?
        .when(c::SYS_prctl, PRCTL.iter().map(|option| int(0, *option)))?
        .when(c::SYS_fcntl, FCNTL.iter().map(|command| int(1, *command)))?
        .when(c::SYS_ioctl, IOCTL.iter().map(|command| unsigned(1, *command)))?
        .when(c::SYS_userfaultfd, [bits(0, USER_FAULTS_ONLY, USER_FAULTS_ONLY)])?
        // To no address: to whom the socket is connected.
        .when(c::SYS_sendto, [null(4)])?
        .answer(SeccompAction::Allow, refuse(c::EPERM))
}
