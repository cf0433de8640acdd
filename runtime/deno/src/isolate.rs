//! An isolate: V8 with our ops, bounds on what it may take, and nothing else of the host.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use deno_core::v8::{self, CreateParams, OomDetails, UniqueRef};
use deno_core::{JsRuntime, RuntimeOptions};
use pcm_fences::{Fence, holds};
use pcm_runtime_guest::Stop;

use crate::files::SharedFiles;
use crate::ops::{self, Began, Log};
use crate::platform;
use crate::serving::{Serving, Verdict};
use crate::watch;

/// What JavaScript may hold besides the memory of Python: the loader, proxies, file tables.
const HEAP: usize = 192 << 20;
/// What array buffers hold together. The memory of WebAssembly is not among them.
const BUFFERS: usize = 128 << 20;
/// What the heap gets more when it is full, so that it can be ended in order.
const HEAP_RESERVE: usize = 2 << 30;

/// Makes an isolate on this thread, which becomes its own.
pub(crate) fn make() -> JsRuntime {
    platform::start();
    let buffers = if holds(Fence::Buffers) { BUFFERS } else { usize::MAX };
    let params = CreateParams::default()
        .heap_limits(0, HEAP)
        .allow_atomics_wait(false)
        .array_buffer_allocator(allocator(buffers));
    let mut runtime = JsRuntime::new(RuntimeOptions {
        extensions: vec![ops::extension()],
        create_params: Some(params),
        ..RuntimeOptions::default()
    });
    let isolate = runtime.v8_isolate();
    let handle = isolate.thread_safe_handle();
    isolate.set_oom_error_handler(out_of_memory);
    isolate.add_near_heap_limit_callback(near_heap_limit, std::ptr::null_mut());
    isolate.set_prepare_stack_trace_callback(no_stack_trace);
    isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    let state = runtime.op_state();
    let mut state = state.borrow_mut();
    state.put(Serving::new(handle));
    state.put(Began(Instant::now()));
    state.put(Log::default());
    state.put(SharedFiles::default());
    drop(state);
    runtime
}

/// What errors tell of the way to them: nothing. The callback of `deno_core` calls code of the guest,
/// and panics over what that gives; and `Error.prepareStackTrace`, which this is in place of, would
/// hand out the objects that functions were called on.
fn no_stack_trace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _error: v8::Local<'s, v8::Value>,
    _sites: v8::Local<'s, v8::Array>,
) -> v8::Local<'s, v8::Value> {
    v8::String::empty(scope).into()
}

/// JavaScript used up its heap: it ends, and gets room to end in.
unsafe extern "C" fn near_heap_limit(_: *mut c_void, current: usize, _initial: usize) -> usize {
    watch::condemn(Verdict::Stop(Stop::Memory));
    current.saturating_add(HEAP_RESERVE)
}

/// V8 would now abort the process. It cannot go on, but the thread need not end: it stays here, with
/// all that the isolate holds, and whoever waits for the isolate gives it up.
unsafe extern "C" fn out_of_memory(_location: *const c_char, _details: &OomDetails) {
    loop {
        std::thread::park();
    }
}

/// Memory for array buffers, up to a bound.
fn allocator(most: usize) -> UniqueRef<v8::Allocator> {
    static FUNCTIONS: v8::RustAllocatorVtable<Buffers> = v8::RustAllocatorVtable {
        allocate,
        allocate_uninitialized: allocate,
        free,
        drop: drop_buffers,
    };
    let buffers = Box::into_raw(Box::new(Buffers { left: AtomicUsize::new(most) }));
    // SAFETY: the functions take the type of the handle, and `drop_buffers` frees it.
    unsafe { v8::new_rust_allocator(buffers, &FUNCTIONS) }
}

struct Buffers {
    left: AtomicUsize,
}

const ALIGNMENT: usize = 16;

unsafe extern "C" fn allocate(buffers: &Buffers, length: usize) -> *mut c_void {
    let taken = buffers.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(length));
    let layout = std::alloc::Layout::from_size_align(length.max(1), ALIGNMENT);
    match (taken, layout) {
        // SAFETY: the layout is not empty.
        (Ok(_), Ok(layout)) => unsafe { std::alloc::alloc_zeroed(layout).cast() },
        _ => std::ptr::null_mut(), // a RangeError for whoever asked
    }
}

unsafe extern "C" fn free(buffers: &Buffers, data: *mut c_void, length: usize) {
    buffers.left.fetch_add(length, Relaxed);
    if let Ok(layout) = std::alloc::Layout::from_size_align(length.max(1), ALIGNMENT) {
        // SAFETY: V8 gives back what `allocate` gave, with the length that it asked for.
        unsafe { std::alloc::dealloc(data.cast(), layout) }
    }
}

unsafe extern "C" fn drop_buffers(buffers: *const Buffers) {
    // SAFETY: `allocator` made it, and V8 drops it once.
    drop(unsafe { Box::from_raw(buffers.cast_mut()) });
}
