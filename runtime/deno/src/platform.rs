//! V8, once per process.

use std::sync::Once;

use deno_core::JsRuntime;
use deno_core::v8::V8;

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

/// What snapshots and code caches depend on: the version of V8 and the features that it found.
pub(crate) fn version() -> String {
    format!(
        "{} {:08x}",
        V8::get_version(),
        deno_core::v8::script_compiler::cached_data_version_tag()
    )
}
