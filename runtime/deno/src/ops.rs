//! The functions of the host that exist in the isolate: our own, and none of any runtime.
//!
//! They are called by the loader, and by whoever in the guest gets hold of them: every address, every
//! length and every order of calls is the guest's. What breaks the rules ends the isolate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use deno_core::{Extension, OpState, op2};
use pcm_runtime_guest::{CallsError, Control, Refused, Run, Step, Stop};

use crate::files;
use crate::serving::{Serving, Verdict};

/// What the guest gets in place of a length when its wait was cut short by an interrupt.
const INTERRUPTED: i32 = -1;
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The longest text of a log line of Emscripten that is kept.
const LOGGED: usize = 1 << 10;
/// The most random bytes at a time, as in a browser.
const RANDOM: usize = 64 << 10;

/// The only extension. Everything that `deno_core` brings is switched off.
pub(crate) fn extension() -> Extension {
    const OWN: &str = "op_pcm_";
    /// Without these it does not start; none of them leads out of the isolate.
    const NEEDED: [&str; 3] = [
        "op_get_ext_import_meta_proto",
        "op_get_extras_binding_object",
        "op_set_captured_bootstrap",
    ];
    let mut extension = pcm::init();
    extension.ops.to_mut().extend(files::ops());
    extension.middleware_fn = Some(Box::new(|op| {
        let stays = op.name.starts_with(OWN) || NEEDED.contains(&op.name);
        if stays { op } else { op.disable() }
    }));
    extension
}

deno_core::extension!(
    pcm,
    ops = [
        op_pcm_begin,
        op_pcm_call,
        op_pcm_submit,
        op_pcm_poll,
        op_pcm_take,
        op_pcm_emit,
        op_pcm_sleep,
        op_pcm_end,
        op_pcm_grow,
        op_pcm_now,
        op_pcm_random,
        op_pcm_decode,
        op_pcm_encode,
        op_pcm_log,
    ]
);

/// When the isolate began; its clock counts from there.
pub(crate) struct Began(pub(crate) Instant);

/// The last line that Emscripten said, or Python outside of runs, for an interpreter that does not start.
#[derive(Default)]
pub(crate) struct Log(pub(crate) String);

/// Gives the length of options and source, for `take`.
#[op2(fast)]
fn op_pcm_begin(state: &mut OpState) -> u32 {
    let serving = state.borrow_mut::<Serving>();
    let begun = serving.begin();
    serving.checked(begun)
}

/// Sends a request, waits, and gives the length of the reply.
#[op2(fast)]
fn op_pcm_call(state: &mut OpState, #[buffer] memory: &[u8], at: u32, length: u32) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let called = call(serving, memory, at, length);
    serving.checked(called)
}

fn call(serving: &mut Serving, memory: &[u8], at: u32, length: u32) -> Result<i32, Verdict> {
    let data = slice(memory, at, length)?;
    let handle = serving.runtime()?;
    let active = serving.active()?;
    let (run, control) = (&active.run, &active.control);
    let reply = if run.admits(data.len()) {
        wait(&handle, control, run.answer(data))?
    } else {
        Some(Refused::TooLong(data.len()).frame(run))
    };
    match reply {
        Some(reply) => Ok(active.hold(reply)?),
        None => cut_short(control),
    }
}

/// Sends a request and gives its number.
#[op2(fast)]
fn op_pcm_submit(state: &mut OpState, #[buffer] memory: &[u8], at: u32, length: u32) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let submitted = submit(serving, memory, at, length);
    serving.checked(submitted)
}

fn submit(serving: &mut Serving, memory: &[u8], at: u32, length: u32) -> Result<i32, Verdict> {
    let data = slice(memory, at, length)?;
    let handle = serving.runtime()?;
    let active = serving.active()?;
    let admitted = active.run.admits(data.len());
    let request = if admitted { Ok(data.to_vec()) } else { Err(Refused::TooLong(data.len())) };
    let _entered = handle.enter(); // the call is a task of that runtime
    Ok(active.submit(request)?)
}

/// Waits for the reply to any submitted request and gives its length, or 0 after `timeout` seconds.
#[op2(fast)]
fn op_pcm_poll(state: &mut OpState, timeout: f64) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let polled = poll(serving, timeout);
    serving.checked(polled)
}

fn poll(serving: &mut Serving, timeout: f64) -> Result<i32, Verdict> {
    let timeout = if timeout < 0.0 { None } else { Some(seconds(timeout)) };
    let handle = serving.runtime()?;
    let active = serving.active()?;
    let control = std::sync::Arc::clone(&active.control);
    let Some(reply) = wait(&handle, &control, active.next_reply(timeout))? else {
        return cut_short(&control);
    };
    let Some((number, reply)) = reply? else { return Ok(0) };
    let length = active.hold(reply)?;
    serving.number = number;
    Ok(length)
}

/// Copies what waits to where the guest made room for it, and gives the number of the reply.
#[op2(fast)]
fn op_pcm_take(state: &mut OpState, #[buffer] memory: &mut [u8], at: u32) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let taken = take(serving, memory, at);
    serving.checked(taken)
}

fn take(serving: &mut Serving, memory: &mut [u8], at: u32) -> Result<i32, Verdict> {
    let reply = std::mem::take(&mut serving.active()?.held);
    let length = u32::try_from(reply.len()).map_err(|_| Verdict::Broken)?;
    slice_mut(memory, at, length)?.copy_from_slice(&reply);
    Ok(serving.number)
}

/// Takes output; 1 when the run may not write any more.
#[op2(fast)]
fn op_pcm_emit(
    state: &mut OpState,
    #[buffer] memory: &[u8],
    channel: i32,
    at: u32,
    length: u32,
) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let emitted = slice(memory, at, length).and_then(|data| match serving.active() {
        Ok(active) => emit(&active.run, channel, data).map(|refused| (refused, None)),
        Err(_) => Ok((0, Some(String::from_utf8_lossy(data)))), // before and after runs
    });
    let (refused, said) = serving.checked(emitted);
    if let Some(line) = said {
        state.borrow_mut::<Log>().say(&line);
    }
    refused
}

fn emit(run: &Run, channel: i32, data: &[u8]) -> Result<i32, Verdict> {
    let refused = run.emit(channel, data).is_err();
    if refused && run.is_flooding() {
        return Err(Verdict::Stop(Stop::Output));
    }
    Ok(i32::from(refused))
}

/// Waits.
#[op2(fast)]
fn op_pcm_sleep(state: &mut OpState, duration: f64) -> i32 {
    let serving = state.borrow_mut::<Serving>();
    let slept = sleep(serving, duration);
    serving.checked(slept)
}

fn sleep(serving: &mut Serving, duration: f64) -> Result<i32, Verdict> {
    let handle = serving.runtime()?;
    let control = &serving.active()?.control;
    match wait(&handle, control, async { tokio::time::sleep(seconds(duration)).await })? {
        Some(()) => Ok(0),
        None => cut_short(control),
    }
}

/// Takes the outcome of the run.
#[op2(fast)]
fn op_pcm_end(state: &mut OpState, #[buffer] memory: &[u8], at: u32, length: u32) {
    let serving = state.borrow_mut::<Serving>();
    let ended = slice(memory, at, length).and_then(|outcome| serving.end(outcome));
    serving.checked(ended.map(|()| 0));
}

/// The size that Python's memory of `old` bytes shall grow to, if it needs `bytes`; 0 if it may not.
/// The bound that holds is in the module; this one is the run's.
#[op2(fast)]
fn op_pcm_grow(state: &mut OpState, bytes: u32, old: u32) -> u32 {
    let most = u32::try_from(state.borrow::<Serving>().most_memory()).unwrap_or(u32::MAX);
    let ahead = old.saturating_add(old / 8); // so that it does not grow again and again
    if bytes > most { 0 } else { bytes.max(ahead.min(most)) }
}

/// Milliseconds since the isolate began.
#[op2(fast)]
fn op_pcm_now(state: &mut OpState) -> f64 {
    state.borrow::<Began>().0.elapsed().as_secs_f64() * 1e3
}

#[op2(fast)]
fn op_pcm_random(state: &mut OpState, #[buffer] into: &mut [u8]) {
    let serving = state.borrow_mut::<Serving>();
    if into.len() > RANDOM || getrandom::fill(into).is_err() {
        serving.checked(Err::<i32, _>(Verdict::Broken));
    }
}

/// UTF-8 to text.
#[op2]
#[string]
fn op_pcm_decode(#[buffer] bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Text to UTF-8.
#[op2]
#[buffer]
fn op_pcm_encode(#[string] text: String) -> Vec<u8> {
    text.into_bytes()
}

/// Keeps what Emscripten says.
#[op2(fast)]
fn op_pcm_log(state: &mut OpState, #[string] line: &str) {
    state.borrow_mut::<Log>().say(line);
}

impl Log {
    fn say(&mut self, text: &str) {
        if let Some(line) = text.lines().rfind(|line| !line.is_empty()) {
            self.0.clear();
            self.0.extend(line.chars().take(LOGGED));
        }
    }
}

/// What `work` gives; None when the guest has to be interrupted before that.
fn wait<T>(
    handle: &tokio::runtime::Handle,
    control: &Control,
    work: impl Future<Output = T>,
) -> Result<Option<T>, Verdict> {
    let waiting = AssertUnwindSafe(|| handle.block_on(control.unless_interrupted(work)));
    // It panics when its runtime ends under it, and a panic must not pass V8.
    catch_unwind(waiting).map_err(|_| Verdict::Broken)
}

/// The guest's wait was cut short, and Python looks at its signals.
fn cut_short(control: &Control) -> Result<i32, Verdict> {
    match control.step() {
        Step::Kill(stop) => Err(Verdict::Stop(stop)),
        Step::GoOn | Step::Interrupt => Ok(INTERRUPTED),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

fn slice(memory: &[u8], at: u32, length: u32) -> Result<&[u8], Verdict> {
    let rest = memory.get(at as usize..).and_then(|rest| rest.get(..length as usize));
    rest.ok_or(Verdict::Broken)
}

fn slice_mut(memory: &mut [u8], at: u32, length: u32) -> Result<&mut [u8], Verdict> {
    let rest = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..length as usize));
    rest.ok_or(Verdict::Broken)
}

impl From<CallsError> for Verdict {
    fn from(_error: CallsError) -> Self {
        Self::Broken
    }
}
