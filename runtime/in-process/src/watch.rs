//! Interrupting threads of sessions, from a thread that may wait for the interpreter's lock.
//!
//! Python's main thread does this, and nothing else: whoever runs code never waits for a lock that
//! other code holds.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::gil::Gil;
use crate::serving::Serving;
use crate::symbols::Object;

/// How often a thread that was given up is interrupted.
const AGAIN: Duration = Duration::from_millis(100);
/// How often it is, before it is parked wherever it next handles an exception.
const INTERRUPTS: u32 = 20;
/// How long a session that ends may take to let go of what it holds.
const LEAVE_TIME: Duration = Duration::from_secs(1);

/// What the main thread is told.
pub(crate) enum Command {
    /// Interrupt that run, if it goes on.
    Interrupt(Arc<Watched>, u64),
    /// The thread shall end: see to it.
    Leave(Arc<Watched>),
}

/// A thread of a session, and what its evaluator calls its interrupts.
pub(crate) struct Watched {
    pub(crate) serving: Arc<Serving>,
    /// A reference that the thread gives back, under the lock, when it ends.
    interrupts: AtomicPtr<std::ffi::c_void>,
}

impl Watched {
    pub(crate) fn new(serving: Arc<Serving>, interrupts: Object) -> Self {
        Self { serving, interrupts: AtomicPtr::new(interrupts) }
    }

    /// Gives the reference back.
    pub(crate) fn take_interrupts(&self) -> Object {
        self.interrupts.swap(ptr::null_mut(), Ordering::AcqRel)
    }

    /// Interrupts a run where the evaluator lets interrupts through. Else it is told that there is one.
    /// No code of Python runs meanwhile, so what is seen here holds until the thread has the lock.
    fn interrupt(&self, gil: &Gil, number: u64) {
        let Some(current) = self.serving.going_on(number) else { return };
        let interrupts = self.interrupts.load(Ordering::Acquire);
        if interrupts.is_null() || self.serving.has_ended() {
            return;
        }
        let interrupts = gil.borrow(interrupts);
        if interrupts.attribute(c"allowed").is_ok_and(|allowed| allowed.is_true()) {
            self.throw(gil, gil.symbols().PyExc_KeyboardInterrupt);
        } else if let Ok(truth) = gil.truth(true) {
            drop(interrupts.set_attribute(c"pending", &truth)); // code replaced the object: its loss
        }
        current.cut.notify_waiters();
    }

    /// Raises an exception in the thread, when it next looks. Under the lock.
    fn throw(&self, gil: &Gil, class: Object) {
        if !self.serving.has_ended() {
            // SAFETY: the lock is held; a thread that has not ended has this number.
            unsafe { (gil.symbols().PyThreadState_SetAsyncExc)(self.serving.ident, class) };
        }
    }
}

/// A thread that shall end.
struct Leaving {
    watched: Arc<Watched>,
    since: Instant,
    times: u32,
}

/// Does what it is told, for ever. `gil` is let go of while there is nothing to do.
pub(crate) fn serve(gil: &Gil, commands: &Receiver<Command>, parked: Object) {
    let mut leaving: Vec<Leaving> = Vec::new();
    loop {
        let command = gil.released(|| {
            if leaving.is_empty() {
                return commands.recv().map_err(|_| RecvTimeoutError::Disconnected);
            }
            commands.recv_timeout(AGAIN)
        });
        match command {
            Ok(Command::Interrupt(watched, number)) => watched.interrupt(gil, number),
            Ok(Command::Leave(watched)) => {
                leaving.push(Leaving { watched, since: Instant::now(), times: 0 });
            }
            Err(RecvTimeoutError::Timeout) => {
                for thread in &mut leaving {
                    thread.hurry(gil, parked);
                }
            }
            Err(RecvTimeoutError::Disconnected) => loop {
                // Python's main thread must not end: its number would be another thread's.
                gil.released(std::thread::park);
            },
        }
        leaving.retain(|thread| !thread.watched.serving.has_ended());
    }
}

impl Leaving {
    fn hurry(&mut self, gil: &Gil, parked: Object) {
        let serving = &self.watched.serving;
        if !serving.is_given_up() {
            if self.since.elapsed() < LEAVE_TIME {
                return;
            }
            serving.give_up();
        }
        self.times = self.times.saturating_add(1);
        let keyboard_interrupt = gil.symbols().PyExc_KeyboardInterrupt;
        self.watched.throw(gil, if self.times > INTERRUPTS { parked } else { keyboard_interrupt });
    }
}
