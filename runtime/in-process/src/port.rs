//! The functions of the host that a session's Python has.
//!
//! Code of the session may call them in any order, from any thread, with anything. Those that wait
//! let go of the interpreter's lock. No panic passes into Python.

use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use pcm_runtime_guest::{CallsError, Refused};

use crate::gil::{Gil, Held, Thrown};
use crate::serving::{Caller, Current, Serving};
use crate::symbols::{FASTCALL, FastFunction, MethodDef, Object, Symbols};

const LONGEST_WAIT: Duration = Duration::from_hours(1);
const CAPSULE: &CStr = c"pcm_in_process.Serving";
/// How often a thread that was given up is told so before it is parked.
const REFUSALS: u32 = 16;

/// Whether this process is one that a session forked: it has no host.
static FORKED: AtomicBool = AtomicBool::new(false);

/// What the functions need, once per process.
static COMMON: OnceLock<Common> = OnceLock::new();

struct Common {
    symbols: &'static Symbols,
    /// The class of the exception for output that is refused; kept for ever.
    output_limit: AtomicPtr<c_void>,
}

/// Why a function gives nothing.
enum Failure {
    /// The run has to stop.
    Interrupted,
    /// The thread belongs to no run that goes on.
    Late,
    /// The run wrote too much.
    Output,
    /// The arguments are none of this function.
    Arguments(String),
    /// The host failed.
    Broken(&'static str),
}

impl From<Thrown> for Failure {
    fn from(thrown: Thrown) -> Self {
        Self::Arguments(thrown.text)
    }
}

impl From<CallsError> for Failure {
    fn from(_error: CallsError) -> Self {
        Self::Broken("the host cannot take more calls of this run")
    }
}

/// Once per process, before there is any function.
pub(crate) fn prepare(symbols: &'static Symbols) {
    let output_limit = AtomicPtr::new(symbols.PyExc_RuntimeError);
    let _ = COMMON.set(Common { symbols, output_limit }); // the same the second time
}

/// Once per process, before the first session.
pub(crate) fn set_output_limit(class: Object) {
    if let Some(common) = COMMON.get() {
        common.output_limit.store(class, Ordering::Release);
    }
}

/// Whether this is a process that a session forked.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

macro_rules! methods {
    ($($name:literal $function:ident $wrapped:ident),* $(,)?) => {
        $(
            unsafe extern "C" fn $wrapped(this: Object, arguments: *const Object, count: isize) -> Object {
                // SAFETY: Python gives what it promises for METH_FASTCALL, under its lock.
                unsafe { guarded(this, arguments, count, $function) }
            }
        )*

        /// The functions of a session's port, by their names in Python.
        const NAMES: &[&CStr] = &[$($name),*];
        const FUNCTIONS: &[FastFunction] = &[$($wrapped),*];
    };
}

methods! {
    c"call" call python_call,
    c"submit" submit python_submit,
    c"poll" poll python_poll,
    c"emit" emit python_emit,
    c"sleep" sleep python_sleep,
    c"run" run python_run,
    c"adopt" adopt python_adopt,
}

static METHODS: OnceLock<Vec<MethodDef>> = OnceLock::new();

/// A dict of the functions, for one session.
pub(crate) fn functions<'g>(gil: &'g Gil, serving: &Arc<Serving>) -> Result<Held<'g>, Thrown> {
    let symbols = gil.symbols();
    let methods = METHODS.get_or_init(|| {
        let defined = NAMES.iter().zip(FUNCTIONS);
        defined.map(|(name, function)| method(name, *function)).collect()
    });
    let pointer = Arc::into_raw(Arc::clone(serving)).cast_mut().cast::<c_void>();
    // SAFETY: the capsule has the reference, and its destructor gives it back.
    let capsule = unsafe { (symbols.PyCapsule_New)(pointer, CAPSULE.as_ptr(), Some(drop_serving)) };
    let capsule = gil.own(capsule)?;
    let dict = gil.dict()?;
    for (name, method) in NAMES.iter().zip(methods) {
        // SAFETY: the definition lives for ever; the function keeps the capsule.
        let function =
            unsafe { (symbols.PyCFunction_NewEx)(method, capsule.raw(), ptr::null_mut()) };
        dict.set_item(name, &gil.own(function)?)?;
    }
    Ok(dict)
}

/// Puts into a dict the functions that belong to no session.
pub(crate) fn add_common(gil: &Gil, dict: &Held<'_>) -> Result<(), Thrown> {
    static COMMON_METHODS: [MethodDef; 3] = [
        method(c"forked", python_forked),
        method(c"is_forked", python_is_forked),
        method(c"park", python_park),
    ];
    for method in &COMMON_METHODS {
        // SAFETY: as above, without an object of their own.
        let function =
            unsafe { (gil.symbols().PyCFunction_NewEx)(method, ptr::null_mut(), ptr::null_mut()) };
        // SAFETY: the names are constants.
        dict.set_item(unsafe { CStr::from_ptr(method.name) }, &gil.own(function)?)?;
    }
    Ok(())
}

const fn method(name: &'static CStr, function: FastFunction) -> MethodDef {
    MethodDef { name: name.as_ptr(), function, flags: FASTCALL, doc: ptr::null() }
}

unsafe extern "C" fn drop_serving(capsule: Object) {
    let Some(common) = COMMON.get() else { return };
    // SAFETY: Python calls it once, with a capsule that `functions` made.
    unsafe {
        let pointer = (common.symbols.PyCapsule_GetPointer)(capsule, CAPSULE.as_ptr());
        if !pointer.is_null() {
            drop(Arc::from_raw(pointer.cast::<Serving>().cast_const()));
        }
    }
}

/// Calls a function of the port, and makes its failure an exception.
///
/// # Safety
///
/// As Python calls a method of the kind `METH_FASTCALL`.
unsafe fn guarded(
    this: Object,
    arguments: *const Object,
    count: isize,
    function: for<'g> fn(&'g Gil, &Serving, &[Object]) -> Result<Held<'g>, Failure>,
) -> Object {
    let Some(common) = COMMON.get() else { return ptr::null_mut() };
    // SAFETY: Python calls with the lock held, and the capsule lives during the call.
    let (gil, serving) = unsafe {
        let pointer = (common.symbols.PyCapsule_GetPointer)(this, CAPSULE.as_ptr());
        (Gil::assume(common.symbols), pointer.cast::<Serving>().cast_const().as_ref())
    };
    let Some(serving) = serving else { return ptr::null_mut() };
    let length = count.unsigned_abs();
    let arguments = if length == 0 {
        &[] // the pointer may be null
    } else {
        // SAFETY: Python says so.
        unsafe { std::slice::from_raw_parts(arguments, length) }
    };
    let done = catch_unwind(AssertUnwindSafe(|| {
        if is_forked() {
            return Err(Failure::Broken("this process was forked, and has no host"));
        }
        if serving.is_own() && serving.is_given_up() {
            return Err(given_up(&gil, serving));
        }
        function(&gil, serving, arguments)
    }));
    match done {
        Ok(Ok(result)) => result.into_raw(),
        Ok(Err(failure)) => raise(&gil, common, serving, &failure),
        Err(_) => raise(&gil, common, serving, &Failure::Broken("the host failed on this call")),
    }
}

fn raise(gil: &Gil, common: &Common, serving: &Serving, failure: &Failure) -> Object {
    let symbols = gil.symbols();
    let say = |class: Object, text: &str| {
        let text: String = text.chars().filter(|&letter| letter != '\0').collect();
        let text = std::ffi::CString::new(text).unwrap_or_default();
        // SAFETY: the class is an exception's, the text ends in NUL.
        unsafe { (symbols.PyErr_SetString)(class, text.as_ptr()) };
    };
    match failure {
        Failure::Interrupted => {
            // SAFETY: the thread is this one. What was to interrupt it did.
            unsafe {
                if serving.is_own() {
                    (symbols.PyThreadState_SetAsyncExc)(serving.ident, ptr::null_mut());
                }
                (symbols.PyErr_SetNone)(symbols.PyExc_KeyboardInterrupt);
            }
        }
        Failure::Late => {
            say(symbols.PyExc_RuntimeError, "the run that this thread belongs to is over");
        }
        Failure::Output => {
            let class = common.output_limit.load(Ordering::Acquire);
            say(class, "the run wrote more output than it may");
        }
        Failure::Arguments(text) => say(symbols.PyExc_TypeError, text),
        Failure::Broken(text) => say(symbols.PyExc_RuntimeError, text),
    }
    ptr::null_mut()
}

/// A thread that nobody waits for is interrupted wherever it comes by. One that goes on all the same
/// stays here.
fn given_up(gil: &Gil, serving: &Serving) -> Failure {
    if serving.refusals.fetch_add(1, Ordering::Relaxed) >= REFUSALS {
        park(gil);
    }
    Failure::Interrupted
}

fn park(gil: &Gil) -> ! {
    gil.released(|| {
        loop {
            thread::park();
        }
    })
}

/// What `work` gives; a failure when the caller has to stop waiting.
fn wait<T>(
    gil: &Gil,
    serving: &Serving,
    caller: &Caller,
    current: &Current,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    // It hears of whatever is said from now on.
    let (stop, failure) = match caller {
        Caller::Own(_) => (current.cut.notified(), Failure::Interrupted),
        _ => (current.over.notified(), Failure::Late),
    };
    let is_over = serving.is_given_up() || serving.going_on(current.number).is_none();
    if is_over {
        return Err(failure);
    }
    let waiting = async {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = stop => None,
        }
    };
    gil.released(|| current.runtime.block_on(waiting)).ok_or(failure)
}

impl Caller {
    fn current(&self) -> Result<&Arc<Current>, Failure> {
        match self {
            Self::Own(current) | Self::Started(current) => Ok(current),
            Self::Late => Err(Failure::Late),
        }
    }

    /// For what only the session's own thread does.
    fn own(&self) -> Result<&Arc<Current>, Failure> {
        match self {
            Self::Own(current) => Ok(current),
            Self::Started(_) => Err(Failure::Broken("only the thread of the session does that")),
            Self::Late => Err(Failure::Late),
        }
    }
}

fn arguments<const N: usize>(given: &[Object]) -> Result<[Object; N], Failure> {
    let wrong = || Failure::Arguments(format!("it takes {N} arguments, not {}", given.len()));
    given.try_into().map_err(|_| wrong())
}

/// Sends a request and waits for the reply.
fn call<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [request] = arguments(given)?;
    // SAFETY: the arguments live during the call.
    let request = unsafe { gil.content_of(request) }?;
    let caller = serving.caller();
    let current = caller.current()?;
    let run = &current.run;
    let reply = if run.admits(request.len()) {
        wait(gil, serving, &caller, current, run.answer(request))?
    } else {
        Refused::TooLong(request.len()).frame(run)
    };
    Ok(gil.bytes(&reply)?)
}

/// Sends a request and gives its number.
fn submit<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [request] = arguments(given)?;
    // SAFETY: the arguments live during the call.
    let request = unsafe { gil.content_of(request) }?;
    let caller = serving.caller();
    let current = caller.own()?;
    let admitted = current.run.admits(request.len());
    let request =
        if admitted { Ok(request.to_vec()) } else { Err(Refused::TooLong(request.len())) };
    let _entered = current.runtime.enter(); // the call is a task of that runtime
    let number = current.active().submit(request)?;
    Ok(gil.number(number.into())?)
}

/// Waits for the reply to any submitted request: its number and itself, or None after that time.
fn poll<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [timeout] = arguments(given)?;
    let timeout = if timeout == gil.none()?.raw() { None } else { Some(duration(gil, timeout)?) };
    let caller = serving.caller();
    let current = caller.own()?;
    let mut active = current.active();
    let reply = wait(gil, serving, &caller, current, active.next_reply(timeout))??;
    match reply {
        Some((number, reply)) => Ok(gil.tuple([gil.number(number.into())?, gil.bytes(&reply)?])?),
        None => Ok(gil.none()?),
    }
}

/// Takes output. That of threads whose run is over goes nowhere.
fn emit<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [channel, data] = arguments(given)?;
    let channel = i32::try_from(integer(gil, channel)?).unwrap_or(0);
    // SAFETY: the arguments live during the call.
    let data = unsafe { gil.content_of(data) }?;
    if let Ok(current) = serving.caller().current()
        && current.run.emit(channel, data).is_err()
    {
        if current.run.is_flooding() {
            serving.flood.notify_one();
        }
        return Err(Failure::Output);
    }
    Ok(gil.none()?)
}

/// Waits.
fn sleep<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [seconds] = arguments(given)?;
    let duration = duration(gil, seconds)?;
    let caller = serving.caller();
    let current = caller.current()?;
    wait(gil, serving, &caller, current, async { tokio::time::sleep(duration).await })?;
    Ok(gil.none()?)
}

/// The number of the run that the thread belongs to; 0 when that is over.
fn run<'g>(gil: &'g Gil, serving: &Serving, _given: &[Object]) -> Result<Held<'g>, Failure> {
    let number = serving.caller().current().map_or(0, |current| current.number);
    Ok(gil.number(number.cast_signed())?)
}

/// Makes the thread one of a run.
fn adopt<'g>(gil: &'g Gil, serving: &Serving, given: &[Object]) -> Result<Held<'g>, Failure> {
    let [number] = arguments(given)?;
    let number = integer(gil, number)?;
    if !serving.is_own() {
        // A number that no session's own thread has.
        serving.adopt(u64::try_from(number).unwrap_or(0));
    }
    Ok(gil.none()?)
}

unsafe extern "C" fn python_forked(_this: Object, _given: *const Object, _count: isize) -> Object {
    FORKED.store(true, Ordering::Relaxed);
    truth(true)
}

unsafe extern "C" fn python_is_forked(
    _this: Object,
    _given: *const Object,
    _count: isize,
) -> Object {
    truth(is_forked())
}

unsafe extern "C" fn python_park(_this: Object, _given: *const Object, _count: isize) -> Object {
    if let Some(common) = COMMON.get() {
        // SAFETY: Python calls with the lock held.
        park(&unsafe { Gil::assume(common.symbols) });
    }
    truth(false)
}

fn truth(truth: bool) -> Object {
    // SAFETY: Python calls with the lock held.
    COMMON
        .get()
        .map_or(ptr::null_mut(), |common| unsafe { (common.symbols.PyBool_FromLong)(truth.into()) })
}

fn integer(gil: &Gil, object: Object) -> Result<i64, Failure> {
    // SAFETY: it refuses what is no number.
    let number = unsafe { (gil.symbols().PyLong_AsLongLong)(object) };
    if number == -1 { unless_thrown(gil, number) } else { Ok(number) }
}

fn duration(gil: &Gil, object: Object) -> Result<Duration, Failure> {
    // SAFETY: it refuses what is no number.
    let seconds = unsafe { (gil.symbols().PyFloat_AsDouble)(object) };
    let seconds: f64 = if seconds < 0.0 { unless_thrown(gil, seconds)? } else { seconds };
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}

fn unless_thrown<T>(gil: &Gil, value: T) -> Result<T, Failure> {
    // SAFETY: the lock is held.
    let thrown = unsafe { !(gil.symbols().PyErr_Occurred)().is_null() };
    if thrown { Err(gil.thrown().into()) } else { Ok(value) }
}
