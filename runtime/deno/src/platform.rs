//! V8, once per process.

use std::sync::Once;
use std::thread;

use deno_core::JsRuntime;
use deno_core::v8::V8;
use tokio::runtime::{Builder, Runtime};

use crate::error::DenoError;

/// The stack of a thread that an isolate runs on. Pages that are never used cost nothing.
pub(crate) const STACK: usize = 64 << 20;
/// How much of it V8 may use, in KiB: the rest is for the host's own functions.
const V8_STACK_KIB: usize = (STACK >> 10) - (4 << 10);

/// Starts V8 with the flags of this program. An embedder who started V8 before keeps their own.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What an isolate held goes back to the system with it, and does not wait for another one.
        let flags =
            format!("--stack-size={V8_STACK_KIB} --no-memory-pool-share-memory-on-teardown");
        V8::set_flags_from_string(&flags);
        JsRuntime::init_platform(None);
    });
}

/// Starts a thread on which an isolate can run.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), DenoError> {
    let thread = thread::Builder::new().name("pcm-deno".to_owned()).stack_size(STACK);
    thread.spawn(work).map(drop).map_err(DenoError::Thread)
}

/// A runtime that is never driven. V8 wants one entered where an isolate is made and ends, for timers
/// of its own: they are for idle time, of which an isolate has none.
pub(crate) fn idle_runtime() -> Result<Runtime, DenoError> {
    Builder::new_current_thread().enable_time().build().map_err(DenoError::Thread)
}
