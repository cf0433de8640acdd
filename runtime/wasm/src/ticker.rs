//! The clock that interrupts guest code: it ticks while something runs, and sleeps otherwise.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The longest that guest code runs before it looks at its limits and lets others run.
const TICK: Duration = Duration::from_millis(10);
/// Ticks without a run before the thread sleeps: short runs in a row must not each wake it.
const PATIENCE: u32 = 20;

/// Advances the engine's epoch.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    /// Starts the thread; it ends with the ticker.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, state) = (engine.clone(), Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("pcm-ticker".to_owned())
            .spawn(move || tick(&engine, &state))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Lets the clock tick as long as the guard lives.
    pub(crate) fn running(&self) -> Ticking<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Ticking(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
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
