//! No environment.

use std::ffi::c_char;

unsafe extern "C" {
    /// The C library's: a list of strings `NAME=value` that ends with null, or null.
    static mut environ: *mut *mut c_char;
}

/// Forgets all variables. Those that came with the process lie in its memory, where a leak would still
/// find them, so they are overwritten first.
pub(super) fn forget() {
    // SAFETY: the process has one thread (`one_thread`), so nobody reads or changes the list meanwhile.
    // Its strings are null-terminated and writable: the kernel puts them on the stack, `setenv` on the
    // heap. Nothing in the standard library keeps a pointer into them.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let length = libc::strlen(*entry);
            std::ptr::write_bytes(*entry, 0, length);
            entry = entry.add(1);
        }
        libc::clearenv();
    }
}
