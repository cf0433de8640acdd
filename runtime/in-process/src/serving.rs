//! What the host keeps of a session's thread: the run that goes on, and how it is stopped.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcm_runtime_guest::{Active, LeftBehind, Run};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The host's side of a session's thread. Code of the session reaches it through the functions of
/// `port.rs`, from this thread and from those that it started.
pub(crate) struct Serving {
    /// No two are alike in a process.
    id: u64,
    /// As Python numbers threads.
    pub(crate) ident: std::ffi::c_ulong,
    current: Mutex<Option<Arc<Current>>>,
    life: Mutex<Life>,
    left_behind: Arc<LeftBehind>,
    /// How often the thread was told that it was given up.
    pub(crate) refusals: AtomicU32,
    /// Told when the run writes and writes.
    pub(crate) flood: Notify,
}

/// One run.
pub(crate) struct Current {
    pub(crate) number: u64,
    pub(crate) run: Arc<Run>,
    /// The runtime of whoever runs it, whose tasks its calls are.
    pub(crate) runtime: Handle,
    /// Used by the session's own thread alone.
    pub(crate) active: Mutex<Active>,
    /// Ends a wait of the session's own thread.
    pub(crate) cut: Notify,
    /// Ends the waits of threads that the run started.
    pub(crate) over: Notify,
}

#[derive(Default)]
struct Life {
    is_given_up: bool,
    has_ended: bool,
}

/// Who asks for something.
pub(crate) enum Caller {
    /// The session's own thread, in a run.
    Own(Arc<Current>),
    /// A thread that the run started.
    Started(Arc<Current>),
    /// A thread whose run is over, or that is none of the session's.
    Late,
}

/// The number of no run: the thread is a session's own.
const OWN: u64 = u64::MAX;

thread_local! {
    /// The session and the run that the thread belongs to.
    static BELONGS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl Serving {
    /// That of a session whose own thread is this one.
    pub(crate) fn begin_here(ident: std::ffi::c_ulong, left_behind: Arc<LeftBehind>) -> Self {
        static SESSIONS: AtomicU64 = AtomicU64::new(1);
        let id = SESSIONS.fetch_add(1, Ordering::Relaxed);
        BELONGS.set((id, OWN));
        Self {
            id,
            ident,
            current: Mutex::default(),
            life: Mutex::default(),
            left_behind,
            refusals: AtomicU32::new(0),
            flood: Notify::new(),
        }
    }

    /// Makes the calling thread one of a run.
    pub(crate) fn adopt(&self, number: u64) {
        BELONGS.set((self.id, number));
    }

    pub(crate) fn caller(&self) -> Caller {
        let (id, number) = BELONGS.get();
        match self.current().as_ref() {
            Some(current) if id == self.id && number == OWN => Caller::Own(Arc::clone(current)),
            Some(current) if id == self.id && number == current.number => {
                Caller::Started(Arc::clone(current))
            }
            _ => Caller::Late,
        }
    }

    /// Whether the calling thread is the session's own.
    pub(crate) fn is_own(&self) -> bool {
        BELONGS.get() == (self.id, OWN)
    }

    pub(crate) fn start(&self, current: Current) {
        *self.current() = Some(Arc::new(current));
    }

    /// The run is over, and so are the waits of the threads that it started.
    pub(crate) fn finish(&self) {
        let current = self.current().take();
        if let Some(current) = current {
            current.over.notify_waiters();
        }
    }

    /// The run of that number, if it goes on.
    pub(crate) fn going_on(&self, number: u64) -> Option<Arc<Current>> {
        self.current().as_ref().filter(|current| current.number == number).cloned()
    }

    /// Nobody waits for the thread any more. It counts as left behind until it ends.
    pub(crate) fn give_up(&self) {
        {
            let mut life = self.life();
            if life.has_ended || life.is_given_up {
                return;
            }
            life.is_given_up = true;
            self.left_behind.add();
        }
        let current = self.current().clone();
        if let Some(current) = current {
            current.cut.notify_waiters();
            current.over.notify_waiters();
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.life().is_given_up
    }

    /// The thread ends. Said under the lock of the interpreter: its number may be another's soon.
    pub(crate) fn end(&self) {
        let mut life = self.life();
        life.has_ended = true;
        if life.is_given_up {
            self.left_behind.remove();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.life().has_ended
    }

    /// A panic, which would be a defect, leaves them as they are.
    fn current(&self) -> MutexGuard<'_, Option<Arc<Current>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    pub(crate) fn active(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
