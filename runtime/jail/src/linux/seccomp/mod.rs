//! System calls that are not on the list fail.
//!
//! A filter of `seccompiler` knows two answers, so there are several filters, of which the kernel takes
//! the strictest answer. The last one is the list of what is permitted, since nothing can be installed
//! after it; what an earlier one answers otherwise is on that list too.

mod engine;
mod kernel;

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

pub(super) use self::engine::filters as engine;
pub(super) use self::kernel::filters as kernel;

/// Calls that reach other processes, other views of the system or parts of the kernel with a history:
/// what neither an engine nor an installed program has a use for.
const ATTACKS: &[libc::c_long] = &[
    // Other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // Other views of the system.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // Parts of the kernel with a history, which no engine uses.
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_perf_event_open,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_swapoff,
    libc::SYS_swapon,
];

/// Programs for the kernel, in the order in which they are installed.
#[derive(Debug)]
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// Installs them in this thread, for good. Allocates nothing.
    pub(super) fn apply(&self) -> io::Result<()> {
        for program in &self.0 {
            apply_filter(program).map_err(|error| match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
                _ => io::ErrorKind::InvalidInput.into(),
            })?;
        }
        Ok(())
    }
}

/// System calls, each with its rules: one of them has to fit. A call without rules fits always.
#[derive(Default)]
struct Calls(BTreeMap<i64, Vec<SeccompRule>>);

impl Calls {
    fn always(calls: &[libc::c_long]) -> Self {
        Self(calls.iter().map(|call| (*call, Vec::new())).collect())
    }

    /// Adds a call that fits if one of these conditions does.
    fn when(
        mut self,
        call: libc::c_long,
        conditions: impl IntoIterator<Item = Result<SeccompCondition, BackendError>>,
    ) -> Result<Self, BackendError> {
        for condition in conditions {
            let rule = SeccompRule::new(vec![condition?])?;
            self.0.entry(call).or_default().push(rule);
        }
        Ok(self)
    }

    /// Adds a call that fits if all these conditions do.
    fn when_all(
        mut self,
        call: libc::c_long,
        conditions: impl IntoIterator<Item = Result<SeccompCondition, BackendError>>,
    ) -> Result<Self, BackendError> {
        let rule = SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)?;
        self.0.entry(call).or_default().push(rule);
        Ok(self)
    }

    /// The program that answers `fits` to these calls, and `otherwise` to others. Calls of another
    /// architecture end the process.
    fn answer(
        self,
        fits: SeccompAction,
        otherwise: SeccompAction,
    ) -> Result<BpfProgram, BackendError> {
        let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
        SeccompFilter::new(self.0, otherwise, fits, architecture)?.try_into()
    }
}

/// An argument that the kernel reads as an `int`, is this value.
fn int(argument: u8, value: libc::c_int) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// An argument that the kernel reads as an `int`, is another value.
fn not(argument: u8, value: libc::c_int) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

/// As above, for numbers that fill the whole of an `unsigned int`.
fn unsigned(argument: u8, value: u32) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value);
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// An argument is a null pointer.
fn null(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

/// These bits of an argument are those of `value`.
fn bits(
    argument: u8,
    mask: libc::c_int,
    value: libc::c_int,
) -> Result<SeccompCondition, BackendError> {
    // Sign extended, so that the complement of some flags covers the upper half of the register.
    let operator = SeccompCmpOp::MaskedEq(i64::from(mask).cast_unsigned());
    let value = i64::from(value).cast_unsigned();
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)
}

fn refuse(error: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(error.cast_unsigned())
}
