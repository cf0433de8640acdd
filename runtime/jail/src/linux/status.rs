//! The status of a descriptor, without that of a path.
//!
//! C libraries ask for the status of an open descriptor with the system call that takes a path, and an
//! empty one; so do glibc 2.33 to 2.38. A filter sees the address of the path, not what is there. So the
//! filter lets these calls raise a signal, and its handler asks the call that knows no paths.

use std::io;

use libc::{c_int, c_long, c_void, siginfo_t, ucontext_t};

/// Installs the handler.
pub(super) fn answer_traps() -> io::Result<()> {
    // SAFETY: the structures are this frame's; all zeros are valid for them. The handler does nothing
    // that is not permitted in one.
    let outcome = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut())
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn handle(_signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO the context of its thread, to read and change.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    let trap = Trap::read(context);
    answer(context, trap.status().unwrap_or(-c_long::from(libc::EPERM)));
}

/// A system call that was not made, with the arguments that matter here.
struct Trap {
    call: c_long,
    descriptor: u64,
    path: u64,
    status: u64,
    flags: u64,
}

impl Trap {
    /// What the system says of the descriptor; None if something else was asked.
    fn status(&self) -> Option<c_long> {
        let is_status = self.call == libc::SYS_newfstatat;
        if !is_status || self.flags != libc::AT_EMPTY_PATH as u64 || !self.has_empty_path() {
            return None;
        }
        // SAFETY: the kernel checks both arguments, as it would have those of the call that was made.
        let outcome = unsafe { libc::syscall(libc::SYS_fstat, self.descriptor, self.status) };
        if outcome >= 0 {
            return Some(outcome);
        }
        // SAFETY: the address of this thread's variable.
        Some(-c_long::from(unsafe { *libc::__errno_location() }))
    }

    fn has_empty_path(&self) -> bool {
        let path = self.path as *const u8;
        // SAFETY: who calls the system with a path has one there. Whoever passes anything else ends
        // this process, which is its own.
        path.is_null() || unsafe { path.read_volatile() } == 0
    }
}

/// The C library's numbers of registers are small ones of another type.
#[cfg(target_arch = "x86_64")]
const fn place(register: c_int) -> usize {
    register.unsigned_abs() as usize
}

#[cfg(target_arch = "x86_64")]
impl Trap {
    fn read(context: &ucontext_t) -> Self {
        let register = |number: c_int| context.uc_mcontext.gregs[place(number)];
        Self {
            call: register(libc::REG_RAX),
            descriptor: register(libc::REG_RDI).cast_unsigned(),
            path: register(libc::REG_RSI).cast_unsigned(),
            status: register(libc::REG_RDX).cast_unsigned(),
            flags: register(libc::REG_R10).cast_unsigned(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn answer(context: &mut ucontext_t, outcome: c_long) {
    context.uc_mcontext.gregs[place(libc::REG_RAX)] = outcome;
}

#[cfg(target_arch = "aarch64")]
impl Trap {
    fn read(context: &ucontext_t) -> Self {
        let registers = &context.uc_mcontext.regs;
        Self {
            call: registers[8].cast_signed(),
            descriptor: registers[0],
            path: registers[1],
            status: registers[2],
            flags: registers[3],
        }
    }
}

#[cfg(target_arch = "aarch64")]
fn answer(context: &mut ucontext_t, outcome: c_long) {
    context.uc_mcontext.regs[0] = outcome.cast_unsigned();
}
