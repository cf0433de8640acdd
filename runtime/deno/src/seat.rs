//! A thread with an isolate on it, and how the rest of the program talks to it.
//!
//! An isolate lives and dies on its thread. One that had to be stopped is never used again: its
//! thread ends, and the session gets another seat.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use pcm_fences::{Fence, holds};
use pcm_runtime_api::{Limits, NoHost};
use pcm_runtime_guest::{Active, Control, Ending, Run, RunOptions, Stop};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::engine::Recipe;
use crate::error::DenoError;
use crate::files::SharedFiles;
use crate::interpreter::Interpreter;
use crate::memory::Memory;
use crate::platform;
use crate::serving::{Current, Serving, Verdict};
use crate::wasm::WASM_PAGE;
use crate::watch::{EndOnDrop, StopOnDrop, Watch};

/// How long a thread may take to end a run that was stopped. What cannot be stopped, as one long
/// operation of V8 itself, is left behind.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// A Python that is ready, on its thread.
pub(crate) struct Seat {
    tasks: mpsc::Sender<Task>,
    watch: Arc<Watch>,
    /// Whatever still runs when the seat is given up is ended.
    _ends: EndOnDrop,
    /// Whether other sessions begin in the state that it is in.
    fresh: bool,
    /// Told when the thread has given back everything.
    left: Left,
}

/// A seat that was given up, until its thread has ended.
pub(crate) struct Left(oneshot::Receiver<()>);

/// One run, as the thread is told of it.
pub(crate) struct Job {
    pub(crate) run: Arc<Run>,
    pub(crate) control: Arc<Control>,
    pub(crate) source: Vec<u8>,
    pub(crate) repr: bool,
    pub(crate) files: SharedFiles,
}

/// A job on its way.
struct Task {
    job: Job,
    frame: Vec<u8>,
    runtime: Handle,
    ended: oneshot::Sender<Ended>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    /// What Python's memory holds.
    pub(crate) memory_bytes: u64,
}

impl Seat {
    /// Makes one on a thread of its own.
    pub(crate) async fn make(recipe: Recipe) -> Result<Self, DenoError> {
        let (tell, ready) = oneshot::channel();
        platform::spawn(move || live(&recipe, tell))?;
        ready.await.map_err(|_| DenoError::Start("its thread ended".to_owned()))?
    }

    /// Runs code. A seat that was left in the course of it is of no further use.
    pub(crate) async fn run(mut self, job: Job) -> (Ended, Result<Self, Left>) {
        let limits = job.run.limits();
        let options = RunOptions::new(limits, job.repr, std::mem::take(&mut self.fresh));
        let mut frame = options.encode();
        frame.push(b'\n');
        frame.extend_from_slice(&job.source);
        let counts_time = limits.cpu.is_some();
        let cpu_limit = limits.cpu;
        let control = Arc::clone(&job.control);
        let (ended, mut waiting) = oneshot::channel();
        if self.tasks.send(Task { job, frame, runtime: Handle::current(), ended }).is_err() {
            return (gone(), Err(self.left));
        }
        let unless_done = StopOnDrop { watch: &self.watch, control: &control };
        let ended = tokio::select! {
            biased;
            ended = &mut waiting => ended.ok(),
            () = self.watch.look_after(&control, counts_time) => None,
            stop = control.killed() => self.watch.stop(stop, &mut waiting).await,
            () = self.watch.over(cpu_limit) => self.watch.stop(Stop::Cpu, &mut waiting).await,
        };
        std::mem::forget(unless_done);
        let ended = ended.unwrap_or_else(gone);
        // A run can come to its end while it is being stopped: its outcome holds, its isolate is gone.
        let is_of_use = matches!(ended.ending, Ending::Outcome(_) | Ending::Interrupted(..))
            && !self.watch.has_ended();
        (ended, if is_of_use { Ok(self) } else { Err(self.leave()) })
    }

    /// Gives it up.
    pub(crate) fn leave(self) -> Left {
        self.left
    }
}

impl Left {
    /// Waits until everything was given back; not for a thread that cannot end.
    pub(crate) async fn gone(self) {
        let _ = tokio::time::timeout(PATIENCE, self.0).await;
    }
}

impl Ended {
    pub(crate) fn stopped_by(self, stop: Stop) -> Self {
        match self.ending {
            Ending::Crashed(_) => Self { ending: Ending::Stopped(stop), ..self },
            _ => self,
        }
    }
}

/// The thread is gone, which no guest brings about that V8 survives.
fn gone() -> Ended {
    let ending = Ending::Crashed("the thread of the isolate ended".to_owned());
    Ended { ending, memory_bytes: 0 }
}

/// The life of a thread: makes an interpreter, and runs what it is given, until one run damages it or
/// nobody can give it another.
fn live(recipe: &Recipe, ready: oneshot::Sender<Result<Seat, DenoError>>) {
    let runtime = match platform::idle_runtime() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let made = {
        let _entered = runtime.enter();
        recipe.interpreter()
    };
    let made = made.and_then(|mut interpreter| {
        let isolate = interpreter.runtime().v8_isolate().thread_safe_handle();
        let watch = Watch::new(isolate, Arc::clone(&recipe.left_behind));
        let watch = Arc::new(watch.map_err(DenoError::Thread)?);
        if recipe.warm {
            warm(&mut interpreter, &watch, runtime.handle())?;
        }
        Ok((interpreter, watch))
    });
    let (mut interpreter, watch) = match made {
        Ok(made) => made,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let (tasks, given) = mpsc::channel();
    let (leaves, left) = oneshot::channel();
    let (ends, left) = (EndOnDrop(Arc::clone(&watch)), Left(left));
    let seat = Seat { tasks, watch: Arc::clone(&watch), _ends: ends, fresh: true, left };
    if ready.send(Ok(seat)).is_ok() {
        while let Ok(task) = given.recv() {
            if task.ended.is_closed() {
                break; // nobody waits for it any more
            }
            let (ended, goes_on) =
                work(&mut interpreter, &watch, task.job, task.frame, task.runtime);
            let wanted = task.ended.send(ended).is_ok();
            if !(wanted && goes_on) {
                break;
            }
        }
    }
    let _entered = runtime.enter();
    drop(interpreter);
    give_back();
    watch.leave();
    drop(leaves);
}

/// Returns to the system what the allocator keeps of a thread's memory: megabytes for each isolate
/// that V8 made and took apart on it.
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Goes the way of a run once, so that the session's first one finds everything compiled and in memory.
fn warm(
    interpreter: &mut Interpreter,
    watch: &Arc<Watch>,
    runtime: &Handle,
) -> Result<(), DenoError> {
    let limits = Limits { timeout: None, ..Limits::default() };
    let control = Arc::new(Control::new(&limits));
    let mut frame = RunOptions::new(&limits, false, false).encode();
    frame.extend_from_slice(b"\nprint(end=''); [1, 'a']");
    let run = Arc::new(Run::new(limits, Arc::new(NoHost), None));
    let files = SharedFiles::default();
    let job = Job { run, control, source: Vec::new(), repr: false, files };
    match work(interpreter, watch, job, frame, runtime.clone()) {
        (Ended { ending: Ending::Outcome(_), .. }, _) => interpreter.forget(),
        _ => Err(DenoError::Start("it does not run code".to_owned())),
    }
}

/// One run. False with it: the interpreter is of no further use.
fn work(
    interpreter: &mut Interpreter,
    watch: &Arc<Watch>,
    job: Job,
    frame: Vec<u8>,
    runtime: Handle,
) -> (Ended, bool) {
    let Job { run, control, files, .. } = job;
    let Some(memory) = interpreter.ready_memory() else { return (gone(), false) };
    watch.begin(&control, memory);
    let most_memory = run.limits().memory_bytes;
    let most_memory = if holds(Fence::DenoMemory) { most_memory } else { u64::MAX };
    let current = Current {
        active: {
            let _entered = runtime.enter();
            Active::new(Arc::clone(&run), Arc::clone(&control), false)
        },
        runtime,
        assignment: Some(frame),
        outcome: None,
    };
    interpreter.runtime().op_state().borrow_mut().put(files);
    with_serving(interpreter, |serving| serving.start(current));
    // What JavaScript left to be done belongs to the run: its time, its calls, its files.
    let ran = control.metered_here(|| {
        let ran = interpreter.run();
        interpreter.settle();
        ran
    });
    interpreter.runtime().op_state().borrow_mut().try_take::<SharedFiles>();
    let seen = Watch::finish();
    let (outcome, verdict) = with_serving(interpreter, Serving::finish);
    let memory_bytes = interpreter.ready_memory().map_or(0, Memory::bytes) as u64;
    let ending = match (verdict.or(seen), ran, outcome) {
        (Some(Verdict::Stop(stop)), _, _) => Ending::Stopped(stop),
        (Some(verdict @ Verdict::Broken), _, _) => Ending::Crashed(verdict.to_string()),
        _ if memory_bytes > most_memory => Ending::Stopped(Stop::Memory),
        _ if watch.has_ended() => match control.told() {
            Some(stop) => Ending::Stopped(stop),
            None => Ending::Crashed("the isolate was ended".to_owned()),
        },
        (None, Ok(()), Some(outcome)) => match control.told() {
            Some(stop) => Ending::Interrupted(stop, outcome),
            None => Ending::Outcome(outcome),
        },
        _ if memory_bytes + WASM_PAGE > most_memory => Ending::Stopped(Stop::Memory),
        (None, Err(message), _) => Ending::Crashed(crashed(&message)),
        (None, Ok(()), None) => Ending::Crashed("the interpreter left no outcome".to_owned()),
    };
    let goes_on = matches!(ending, Ending::Outcome(_) | Ending::Interrupted(..));
    (Ended { ending, memory_bytes }, goes_on)
}

fn with_serving<T>(interpreter: &mut Interpreter, work: impl FnOnce(&mut Serving) -> T) -> T {
    let state = interpreter.runtime().op_state();
    let mut state = state.borrow_mut();
    work(state.borrow_mut::<Serving>())
}

/// What an exception says that the loader did not expect. Scripts and addresses in it are the
/// isolate's own.
fn crashed(message: &str) -> String {
    const LONGEST: usize = 200;
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line: String = line.chars().take(LONGEST).collect();
    format!("the interpreter stopped: {line}")
}
