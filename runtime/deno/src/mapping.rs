//! A file in memory, for a buffer of JavaScript: read when it is needed, shared until it is written.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::{NonNull, null_mut};

use deno_core::v8::{ArrayBuffer, BackingStore, UniqueRef};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A private mapping. Writing to it changes no file.
pub(crate) struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapping {
    /// All of a file, which nobody truncates while it is mapped.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping overlaps nothing.
        let start = unsafe { mmap(null_mut(), length, access, MapFlags::PRIVATE, file, 0) }?;
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("mapped nowhere"))?;
        Ok(Self { start, length })
    }

    /// Gives it to V8, which unmaps it in the end.
    pub(crate) fn into_backing_store(self) -> UniqueRef<BackingStore> {
        let (start, length) = (self.start.as_ptr(), self.length);
        std::mem::forget(self);
        // SAFETY: the mapping lives until `unmap` is called, once.
        unsafe { ArrayBuffer::new_backing_store_from_ptr(start, length, unmap, null_mut()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is the mapping that `of` made.
        let _ = unsafe { munmap(self.start.as_ptr(), self.length) };
    }
}

unsafe extern "C" fn unmap(start: *mut c_void, length: usize, _data: *mut c_void) {
    // SAFETY: V8 gives back what `into_backing_store` gave.
    let _ = unsafe { munmap(start, length) };
}
