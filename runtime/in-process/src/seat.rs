//! A thread with a session's variables on it, and how the rest of the program talks to it.
//!
//! A thread that had to be given up is never used again: the session gets another seat.

use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use pcm_runtime_guest::{Active, Clock, Control, Ending, Pace, Run, RunOptions, Step, Stop};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::error::InProcessError;
use crate::gil::{Gil, Held, Thrown};
use crate::port;
use crate::python::{self, Python};
use crate::serving::{Current, Serving};
use crate::watch::{Command, Watched};

/// The stack of a session's thread: room for the recursion that `Limits::recursion` grants. Pages that
/// are never used cost nothing.
const STACK: usize = 64 << 20;
/// How long a session may take to begin. Nothing in it takes that long: the interpreter's lock does,
/// where code holds it.
const START_TIME: Duration = Duration::from_secs(10);
/// How long a thread may take to end when its session is closed, before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often a run that has to stop, or whose processor time is bounded, is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// The outcome of a run that was interrupted on its way out of the evaluator.
const LAST_WORD: &[u8] = br#"{"value":null,"error":{"kind":"exception","type":"KeyboardInterrupt","message":"the run was stopped before its outcome was told","traceback":""}}"#;

/// A session's interpreter, on its thread.
pub(crate) struct Seat {
    python: &'static Python,
    tasks: mpsc::Sender<Task>,
    watched: Arc<Watched>,
    clock: Clock,
    runs: u64,
    pace: Pace,
    /// Told when the thread has given back everything.
    left: Left,
}

/// Where a session lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its working folder.
    pub(crate) work: PathBuf,
    /// Where its packages are, if it may have any.
    pub(crate) packages: Option<PathBuf>,
}

/// A seat that was given up, until its thread has ended.
pub(crate) struct Left(oneshot::Receiver<()>);

/// One run, as the thread is told of it.
pub(crate) struct Job {
    pub(crate) run: Arc<Run>,
    pub(crate) control: Arc<Control>,
    pub(crate) source: Vec<u8>,
    pub(crate) repr: bool,
    /// Whether there are other packages than at the last run.
    pub(crate) packages_changed: bool,
}

/// A job on its way.
struct Task {
    job: Job,
    number: u64,
    runtime: Handle,
    ended: oneshot::Sender<Ending>,
}

/// What the thread tells when it has begun.
struct Begun {
    watched: Arc<Watched>,
    clock: Clock,
}

/// Gives up a thread whose run nobody waits for any more.
struct GiveUpOnDrop<'a>(&'a Seat);

impl Seat {
    /// Makes one on a thread of its own.
    pub(crate) async fn make(
        python: &'static Python,
        place: Place,
    ) -> Result<Self, InProcessError> {
        let (tasks, given) = mpsc::channel();
        let (tell, begun) = oneshot::channel();
        let (leaves, left) = oneshot::channel();
        let thread = thread::Builder::new().name("pcm-session".to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            live(python, &place, tell, &given);
            drop(leaves);
        });
        spawned.map_err(InProcessError::Thread)?;
        let start = |reason: &str| InProcessError::Start(reason.to_owned());
        let begun = match timeout(START_TIME, begun).await {
            Ok(begun) => begun.map_err(|_| start("the thread of the session ended"))??,
            Err(_) => {
                return Err(start("code of another session does not let go of the interpreter"));
            }
        };
        let Begun { watched, clock } = begun;
        Ok(Self { python, tasks, watched, clock, runs: 0, pace: Pace::default(), left: Left(left) })
    }

    /// The clock of the processor time of its thread.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Runs code. A seat that was left in the course of it is of no further use.
    pub(crate) async fn run(mut self, job: Job) -> (Ending, Result<Self, Left>) {
        self.runs += 1;
        let (control, number) = (Arc::clone(&job.control), self.runs);
        let counts_time = job.run.limits().cpu.is_some();
        let (ended, mut waiting) = oneshot::channel();
        let task = Task { job, number, runtime: Handle::current(), ended };
        if self.tasks.send(task).is_err() {
            return (gone(), Err(self.leave()));
        }
        let mut pace = std::mem::take(&mut self.pace);
        // Whatever ends this future before the run ends, as its drop, gives the thread up.
        let given_up = GiveUpOnDrop(&self);
        let ending = loop {
            match waiting.try_recv() {
                Ok(ending) => break ending,
                Err(oneshot::error::TryRecvError::Closed) => break gone(),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            if pace.looks() {
                yield_now().await;
                continue;
            }
            break tokio::select! {
                biased;
                ended = &mut waiting => ended.unwrap_or_else(|_| gone()),
                stop = self.look_after(&control, number, counts_time) => {
                    drop(given_up); // and it is left
                    return (Ending::Stopped(stop), Err(self.left));
                }
            };
        };
        std::mem::forget(given_up);
        pace.came();
        self.pace = pace;
        let is_of_use = matches!(ending, Ending::Outcome(_) | Ending::Interrupted(..));
        (ending, if is_of_use { Ok(self) } else { Err(self.leave()) })
    }

    /// Interrupts the run when it has to stop; gives why, when it does not.
    async fn look_after(&self, control: &Control, number: u64, counts_time: bool) -> Stop {
        let looking = async {
            if !counts_time {
                control.interrupted().await;
            }
            loop {
                match control.step() {
                    Step::GoOn => {}
                    Step::Interrupt => {
                        self.python.tell(Command::Interrupt(Arc::clone(&self.watched), number));
                    }
                    Step::Kill(stop) => return stop,
                }
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            stop = looking => stop,
            () = self.watched.serving.flood.notified() => Stop::Output,
        }
    }

    /// Gives it up: its thread ends, now or when its code does.
    pub(crate) fn leave(self) -> Left {
        let Self { python, watched, left, .. } = self;
        python.tell(Command::Leave(watched));
        left
    }
}

impl Drop for GiveUpOnDrop<'_> {
    fn drop(&mut self) {
        let Seat { python, watched, .. } = self.0;
        watched.serving.give_up();
        python.tell(Command::Leave(Arc::clone(watched)));
    }
}

impl Left {
    /// Waits until everything was given back; not for a thread that cannot end.
    pub(crate) async fn gone(self) {
        let _ = timeout(PATIENCE, self.0).await; // it ends later, or never
    }
}

fn gone() -> Ending {
    Ending::Crashed("the thread of the session ended".to_owned())
}

/// The life of a session's thread: runs what it is given, until nobody can give it another.
fn live(
    python: &'static Python,
    place: &Place,
    began: oneshot::Sender<Result<Begun, InProcessError>>,
    given: &mpsc::Receiver<Task>,
) {
    let own_folder = move_into(&place.work);
    let clock = match Clock::of_this_thread() {
        Ok(clock) => clock,
        Err(error) => return drop(began.send(Err(InProcessError::Thread(error)))),
    };
    let attached = python::attach(python.symbols);
    let gil = attached.gil();
    // SAFETY: this thread is known to Python.
    let ident = unsafe { (python.symbols.PyThread_get_thread_ident)() };
    let serving = Arc::new(Serving::begin_here(ident, Arc::clone(&python.left_behind)));
    let session = match Session::make(gil, python, place, &serving, own_folder) {
        Ok(session) => session,
        Err(thrown) => {
            serving.end();
            return drop(began.send(Err(InProcessError::Start(thrown.text))));
        }
    };
    let interrupts = gil.borrow(session.interrupts.raw()).into_raw();
    let watched = Arc::new(Watched::new(Arc::clone(&serving), interrupts));
    let ready = Begun { watched: Arc::clone(&watched), clock };
    if gil.released(|| began.send(Ok(ready)).is_ok()) {
        let mut looking = Pace::default();
        while let Some(task) = gil.released(|| next_task(given, &mut looking)) {
            if task.ended.is_closed() {
                break; // nobody waits for it any more
            }
            let Task { job, number, runtime, ended } = task;
            let (ending, goes_on) = work(gil, &session, &serving, job, number, runtime);
            if port::is_forked() {
                // A copy of the process that code made: what it was made for is done.
                // SAFETY: it ends the process, which has no host.
                unsafe { libc::_exit(0) };
            }
            let wanted = gil.released(|| ended.send(ending).is_ok());
            if !(wanted && goes_on) {
                break;
            }
        }
    }
    session.leave(gil);
    serving.end(); // nobody interrupts it from here on
    let interrupts = watched.take_interrupts();
    drop(gil.own(interrupts));
}

/// The next task; None when nobody can give another.
fn next_task(given: &mpsc::Receiver<Task>, pace: &mut Pace) -> Option<Task> {
    loop {
        match given.try_recv() {
            Ok(task) => {
                pace.came();
                return Some(task);
            }
            Err(mpsc::TryRecvError::Disconnected) => return None,
            Err(mpsc::TryRecvError::Empty) if pace.looks() => std::hint::spin_loop(),
            Err(mpsc::TryRecvError::Empty) => {
                let task = given.recv().ok()?;
                pace.came();
                return Some(task);
            }
        }
    }
}

/// What the thread keeps of its session.
struct Session<'g> {
    object: Held<'g>,
    run: Held<'g>,
    interrupts: Held<'g>,
}

impl<'g> Session<'g> {
    fn make(
        gil: &'g Gil,
        python: &Python,
        place: &Place,
        serving: &Arc<Serving>,
        own_folder: bool,
    ) -> Result<Self, Thrown> {
        let packages = match place.packages.as_ref().and_then(|path| path.to_str()) {
            Some(path) => gil.text(path)?,
            None => gil.none()?,
        };
        let class = gil.borrow(python.session_class());
        let functions = port::functions(gil, serving)?;
        let session = gil.call(&class, [functions, packages, gil.truth(own_folder)?])?;
        let (run, interrupts) = (session.attribute(c"run")?, session.attribute(c"interrupts")?);
        Ok(Self { object: session, run, interrupts })
    }

    fn tell(&self, gil: &Gil, method: &CStr) {
        // Whatever it raises, there is nobody to tell.
        let _ = self.object.attribute(method).and_then(|method| gil.call(&method, []));
    }

    fn leave(self, gil: &Gil) {
        self.tell(gil, c"leave");
    }
}

/// One run. False with it: the thread is of no further use.
fn work(
    gil: &Gil,
    session: &Session<'_>,
    serving: &Serving,
    job: Job,
    number: u64,
    runtime: Handle,
) -> (Ending, bool) {
    let Job { run, control, source, repr, packages_changed } = job;
    let options = RunOptions::new(run.limits(), repr, false).encode();
    if packages_changed {
        session.tell(gil, c"packages_changed");
    }
    let active = {
        let _entered = runtime.enter();
        Active::new(Arc::clone(&run), Arc::clone(&control), false)
    };
    forget_interrupts(gil, serving);
    serving.start(Current {
        number,
        run: Arc::clone(&run),
        runtime,
        active: Mutex::new(active),
        cut: Notify::new(),
        over: Notify::new(),
    });
    let outcome = control.metered_here(|| {
        let arguments = [gil.bytes(&options)?, gil.bytes(&source)?];
        let outcome = gil.call(&session.run, arguments)?;
        gil.content(&outcome).map(<[u8]>::to_vec)
    });
    forget_interrupts(gil, serving);
    serving.finish();
    let told = control.told();
    let ending = match (outcome, told) {
        (Ok(outcome), _) if outcome.len() > run.longest_outcome() => {
            Ending::Crashed("the interpreter's outcome is too long".to_owned())
        }
        (Ok(outcome), None) => Ending::Outcome(outcome),
        (Ok(outcome), Some(stop)) => Ending::Interrupted(stop, outcome),
        (Err(thrown), Some(stop)) if thrown.is_interrupt => {
            Ending::Interrupted(stop, LAST_WORD.to_vec())
        }
        (Err(thrown), _) => {
            Ending::Crashed(format!("the code damaged the interpreter it ran in: {}", thrown.text))
        }
    };
    let goes_on = matches!(ending, Ending::Outcome(_) | Ending::Interrupted(..));
    (ending, goes_on && !serving.is_given_up())
}

/// What was to interrupt an earlier run, and came too late, interrupts nothing else.
fn forget_interrupts(gil: &Gil, serving: &Serving) {
    // SAFETY: the thread is this one.
    unsafe {
        (gil.symbols().PyThreadState_SetAsyncExc)(serving.ident, std::ptr::null_mut());
    }
}

/// Makes a folder the working folder of this thread, and of those that it starts, alone; false where
/// the system does not do that.
#[cfg(target_os = "linux")]
fn move_into(folder: &std::path::Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(folder) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: it takes no memory; the path ends in NUL.
    unsafe { libc::unshare(libc::CLONE_FS) == 0 && libc::chdir(folder.as_ptr()) == 0 }
}

/// Elsewhere the working folder is the process's.
#[cfg(not(target_os = "linux"))]
fn move_into(_folder: &std::path::Path) -> bool {
    false
}
