//! The clock that interrupts guest code: it ticks while something runs, and sleeps otherwise.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The longest that guest code runs before it looks at its limits and lets others run.
const TICK: Duration = Duration::from_millis(10);
/// Ticks without a run before the thread sleeps: short runs in a row must not each wake it.
const PATIENCE: u32 = 20;

/// Advances the engine's epoch.
pub(crate) struct Ticker {
    engine: Engine,
    shared: Arc<Shared>,
    thread: Mutex<Option<Thread>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), shared: Arc::default(), thread: Mutex::default() }
    }

    /// Starts the thread, unless it was started before; it ends with the ticker. Not with the engine:
    /// a process that still has one thread can close a jail around itself.
    pub(crate) fn start(&self) -> io::Result<()> {
        let mut thread = self.thread();
        if thread.is_none() {
            let (engine, state) = (self.engine.clone(), Arc::clone(&self.shared));
            let started = thread::Builder::new()
                .name("pcm-ticker".to_owned())
                .spawn(move || tick(&engine, &state))?;
            *thread = Some(started.thread().clone());
        }
        Ok(())
    }

    /// Lets the clock tick as long as the guard lives.
    pub(crate) fn running(&self) -> Ticking<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.wake();
        }
        Ticking(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread() {
            thread.unpark();
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<Thread>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.wake();
    }
}

/// Something is running.
#[derive(Debug)]
pub(crate) struct Ticking<'a>(&'a Shared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stopped.load(SeqCst) {
        thread::sleep(TICK);
        engine.increment_epoch();
        idle = if shared.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > PATIENCE {
            // First `asleep`, then the look at `running`; a run does it the other way round, so at
            // least one of the two sees the other.
            shared.asleep.store(true, SeqCst);
            while shared.running.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
                thread::park();
            }
            shared.asleep.store(false, SeqCst);
            idle = 0;
        }
    }
}
