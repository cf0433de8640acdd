//! The linear memory of Python, as far as the host touches it.

use deno_core::v8::{BackingStore, SharedRef};

use crate::interpreter::Start;

/// Python's memory. It stays where it is: what grows, grows in place, or else this is the memory of
/// before, which nobody uses any more.
pub(crate) struct Memory {
    /// Keeps the memory.
    store: SharedRef<BackingStore>,
    start: Start,
    handling: u32,
    clock: u32,
}

impl Memory {
    /// The memory at `start`, with the addresses of the two words that make Python look for signals.
    pub(crate) fn new(
        store: SharedRef<BackingStore>,
        start: Start,
        handling: u32,
        clock: u32,
    ) -> Self {
        Self { store, start, handling, clock }
    }

    pub(crate) fn start(&self) -> Start {
        self.start
    }

    /// Its size now.
    pub(crate) fn bytes(&self) -> usize {
        self.store.byte_length()
    }

    /// A copy of it.
    pub(crate) fn copy(&self) -> Vec<u8> {
        // SAFETY: the store has that many bytes from there on; nothing runs in the isolate of this
        // thread, so that nobody writes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes()) }.to_vec()
    }

    /// Makes Python look for a signal before its next instruction. Only on the thread of the isolate.
    pub(crate) fn interrupt(&self) {
        self.set(self.clock, 0);
        self.set(self.handling, 1);
    }

    fn set(&self, at: u32, value: u32) {
        let at = at as usize;
        if at.checked_add(4).is_some_and(|end| end <= self.bytes()) {
            // SAFETY: in bounds, as was checked. The isolate of this thread stands still, and no
            // reference into the memory is alive.
            unsafe { self.start.add(at).cast::<[u8; 4]>().write(value.to_le_bytes()) }
        }
    }
}
