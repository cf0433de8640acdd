//! The interpreter of this process: loaded once, initialised once, never finalised.

use std::ffi::{CStr, CString, c_int};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use pcm_runtime_guest::{LeftBehind, MODULES};
use tokio::sync::oneshot;

use crate::error::InProcessError;
use crate::find::{self, Found};
use crate::gil::{Attached, Gil, Thrown};
use crate::port;
use crate::symbols::{Object, Symbols};
use crate::watch::{self, Command};

const BOOT: &str = include_str!("../pcm_in_process/boot.py");
/// Names and sources of the modules that sessions have besides the evaluator.
const OWN: [(&str, &str); 4] = [
    ("pcm_in_process/__init__.py", include_str!("../pcm_in_process/__init__.py")),
    ("pcm_in_process/belonging.py", include_str!("../pcm_in_process/belonging.py")),
    ("pcm_in_process/session.py", include_str!("../pcm_in_process/session.py")),
    ("pcm_in_process/shared.py", include_str!("../pcm_in_process/shared.py")),
];
/// The stack of Python's main thread, which imports modules and little else.
const STACK: usize = 16 << 20;

/// A Python that runs in this process.
pub(crate) struct Python {
    pub(crate) symbols: &'static Symbols,
    pub(crate) found: Found,
    /// The class of sessions; kept for ever.
    session: Object,
    commands: mpsc::Sender<Command>,
    pub(crate) left_behind: Arc<LeftBehind>,
}

// SAFETY: the object is used under the interpreter's lock.
unsafe impl Send for Python {}
// SAFETY: as above.
unsafe impl Sync for Python {}

impl Python {
    /// The one of this process, which is loaded if there is none yet. Takes a fraction of a second the
    /// first time.
    pub(crate) fn load(wanted: Option<&Path>) -> Result<&'static Self, InProcessError> {
        static LOADED: Mutex<Option<&'static Python>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(python) = *loaded {
            return python.suits(wanted);
        }
        let python: &'static Self = Box::leak(Box::new(Self::start(find::find(wanted)?)?));
        *loaded = Some(python);
        Ok(python)
    }

    /// There is no second one beside it.
    fn suits(&'static self, wanted: Option<&Path>) -> Result<&'static Self, InProcessError> {
        let Some(wanted) = wanted else { return Ok(self) };
        if wanted == self.found.executable
            || find::find(Some(wanted))?.executable == self.found.executable
        {
            return Ok(self);
        }
        let loaded = format!("{} (Python {})", self.found.executable.display(), self.found.version);
        Err(InProcessError::OtherPython { loaded, wanted: wanted.to_owned() })
    }

    fn start(found: Found) -> Result<Self, InProcessError> {
        let (commands, told) = mpsc::channel();
        let (tell, started) = oneshot::channel();
        let thread = thread::Builder::new().name("pcm-python".to_owned()).stack_size(STACK);
        let spawned = thread.spawn({
            let found = found.clone();
            move || live(&found, tell, &told)
        });
        spawned.map_err(InProcessError::Thread)?;
        let ended = |_| InProcessError::Start("its thread ended".to_owned());
        let Started { symbols, session } = started.blocking_recv().map_err(ended)??;
        Ok(Self { symbols, found, session, commands, left_behind: Arc::default() })
    }

    /// The class of sessions.
    pub(crate) fn session_class(&self) -> Object {
        self.session
    }

    /// Tells the main thread something. It lives as long as the process.
    pub(crate) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// What the main thread tells when it has begun.
struct Started {
    symbols: &'static Symbols,
    session: Object,
}

// SAFETY: the object is used under the interpreter's lock.
unsafe impl Send for Started {}

/// The life of Python's main thread.
fn live(
    found: &Found,
    tell: oneshot::Sender<Result<Started, InProcessError>>,
    told: &mpsc::Receiver<Command>,
) {
    let symbols = match initialise(found) {
        Ok(symbols) => symbols,
        Err(error) => return drop(tell.send(Err(error))),
    };
    // SAFETY: who initialised Python holds its lock, and this thread never ends.
    let gil = unsafe { Gil::assume(symbols) };
    let parked = match boot(&gil) {
        Ok((session, parked)) => {
            let _ = tell.send(Ok(Started { symbols, session })); // nobody waits any more: it stays
            parked
        }
        Err(thrown) => {
            drop(tell.send(Err(InProcessError::Start(thrown.text))));
            // Not even now may this thread end.
            gil.released(|| {
                loop {
                    thread::park();
                }
            })
        }
    };
    watch::serve(&gil, told, parked);
}

/// Loads the library and starts the interpreter, on this thread.
fn initialise(found: &Found) -> Result<&'static Symbols, InProcessError> {
    let failed = |error: libloading::Error| InProcessError::Load {
        library: found.library.clone(),
        reason: error.to_string(),
    };
    // Global: extension modules find Python's symbols there.
    // SAFETY: the library is the one that the installed Python names as its own.
    let library = unsafe { Library::open(Some(&found.library), RTLD_NOW | RTLD_GLOBAL) };
    let library: libloading::Library = library.map_err(failed)?.into();
    // SAFETY: it is a libpython, and is kept below.
    let symbols = unsafe { Symbols::find(&library) }.map_err(failed)?;
    let symbols: &'static Symbols = Box::leak(Box::new(symbols));
    // SAFETY: it may be asked at any time.
    if unsafe { (symbols.Py_IsInitialized)() } != 0 {
        std::mem::forget(library);
        let loaded = "a Python of somebody else's".to_owned();
        return Err(InProcessError::OtherPython { loaded, wanted: found.executable.clone() });
    }
    // Variables of Python's may name other folders than the ones that were asked for, and a Python
    // that does not find its library ends the process. Files are UTF-8, as behind every other wall.
    for flag in [c"Py_IgnoreEnvironmentFlag", c"Py_UTF8Mode"] {
        set_flag(&library, flag);
    }
    std::mem::forget(library); // never unloaded
    let executable = CString::new(found.executable.as_os_str().as_encoded_bytes());
    let executable = executable.map_err(|error| InProcessError::Start(error.to_string()))?;
    // SAFETY: nothing of Python has begun. The name is kept for ever, as it must be.
    unsafe {
        let name = (symbols.Py_DecodeLocale)(executable.as_ptr(), std::ptr::null_mut());
        if name.is_null() {
            return Err(InProcessError::Start("the name of its program is no text".to_owned()));
        }
        // With the name of its program it finds its folders, and a virtual environment.
        (symbols.Py_SetProgramName)(name);
        (symbols.Py_InitializeEx)(0); // no signal handlers: signals are the host's
    }
    Ok(symbols)
}

/// Sets a flag of the interpreter to come, where the library has it.
fn set_flag(library: &libloading::Library, name: &CStr) {
    // SAFETY: the flags are ints, and nothing of Python runs yet.
    unsafe {
        if let Ok(flag) = library.get::<*mut c_int>(name.to_bytes_with_nul()) {
            **flag = 1;
        }
    }
}

/// Imports what sessions need; gives the class of sessions, and the exception that parks a thread.
fn boot(gil: &Gil) -> Result<(Object, Object), Thrown> {
    let globals = gil.dict()?;
    let sources = gil.dict()?;
    for (name, source) in MODULES.iter().copied().chain(OWN) {
        let name = CString::new(name).unwrap_or_default();
        sources.set_item(&name, &gil.text(source)?)?;
    }
    globals.set_item(c"SOURCES", &sources)?;
    port::prepare(gil.symbols());
    port::add_common(gil, &globals)?;
    gil.execute(&CString::new(BOOT).unwrap_or_default(), &globals)?;
    let taken = |name: &CStr| {
        let missing = || Thrown { is_interrupt: false, text: format!("no {name:?}") };
        globals.item(name).map(crate::gil::Held::into_raw).ok_or_else(missing)
    };
    port::set_output_limit(taken(c"OutputLimitError")?);
    let (session, parked) = (taken(c"Session")?, taken(c"Parked")?);
    Ok((session, parked))
}

/// Attaches the calling thread to the interpreter.
pub(crate) fn attach(symbols: &'static Symbols) -> Attached {
    Attached::new(symbols)
}
