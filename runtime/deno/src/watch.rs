//! How a run on an isolate's thread is stopped by others: looked at, ended, and given up in the end.

use std::cell::RefCell;
use std::ffi::c_void;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deno_core::v8::{IsolateHandle, UnsafeRawIsolatePtr};
use pcm_runtime_guest::{Clock, Control, Ending, LeftBehind, Step, Stop};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::memory::Memory;
use crate::seat::{Ended, PATIENCE};
use crate::serving::Verdict;

/// How often a run that has to stop, or whose processor time is bounded, is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How others reach the isolate while it runs.
pub(crate) struct Watch {
    isolate: IsolateHandle,
    /// Whether it was ended: then it is never used again.
    ended: AtomicBool,
    /// The clock of the thread's processor time.
    clock: Clock,
    left_behind: Arc<LeftBehind>,
    is_left_behind: AtomicBool,
    /// Whether the isolate was asked to look at its limits and has not yet.
    asked: AtomicBool,
}

/// What the thread keeps for [`look`] while it runs.
struct Watched {
    control: Arc<Control>,
    memory: *const Memory,
    watch: Arc<Watch>,
    verdict: Option<Verdict>,
}

thread_local! {
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
}

/// Ends a run that nobody waits for any more.
pub(crate) struct StopOnDrop<'a> {
    pub(crate) watch: &'a Watch,
    pub(crate) control: &'a Control,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.control.cancel();
        self.watch.end();
    }
}

/// Ends whatever the isolate still does.
pub(crate) struct EndOnDrop(pub(crate) Arc<Watch>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Watch {
    /// Watches the isolate of this thread.
    pub(crate) fn new(isolate: IsolateHandle, left_behind: Arc<LeftBehind>) -> io::Result<Self> {
        Ok(Self {
            isolate,
            ended: AtomicBool::new(false),
            clock: Clock::of_this_thread()?,
            left_behind,
            is_left_behind: AtomicBool::new(false),
            asked: AtomicBool::new(false),
        })
    }

    /// A run begins on this thread. Whatever was asked of an earlier one is forgotten.
    pub(crate) fn begin(self: &Arc<Self>, control: &Arc<Control>, memory: &Memory) {
        self.asked.store(false, Ordering::Release);
        let (control, watch) = (Arc::clone(control), Arc::clone(self));
        WATCHED.set(Some(Watched { control, memory, watch, verdict: None }));
    }

    /// The run is over; why it was ended from here, if it was.
    pub(crate) fn finish() -> Option<Verdict> {
        WATCHED.take().and_then(|watched| watched.verdict)
    }

    /// Whether the isolate is of no further use.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The thread ends, after all.
    pub(crate) fn leave(&self) {
        if self.is_left_behind.load(Ordering::Acquire) {
            self.left_behind.remove();
        }
    }

    /// Ends what runs, and the use of the isolate.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.isolate.terminate_execution();
    }

    /// Ends a run, and gives up a thread that does not end with it.
    pub(crate) async fn stop(
        &self,
        stop: Stop,
        waiting: &mut oneshot::Receiver<Ended>,
    ) -> Option<Ended> {
        self.end();
        if let Ok(ended) = timeout(PATIENCE, waiting).await {
            // To the thread it looks as if something else had stopped it.
            return ended.ok().map(|ended| ended.stopped_by(stop));
        }
        self.left_behind.add();
        self.is_left_behind.store(true, Ordering::Release);
        Some(Ended { ending: Ending::Stopped(stop), memory_bytes: 0 })
    }

    /// Waits until the thread has used that much processor time and a grace; for ever without a
    /// limit. What looks at its limits by itself has ended before.
    pub(crate) async fn over(&self, limit: Option<Duration>) {
        const GRACE: Duration = Duration::from_millis(500);
        let most = limit.zip(self.clock.now()).map(|(limit, begun)| begun + limit + GRACE);
        let Some(most) = most else { return std::future::pending().await };
        while self.clock.now().is_some_and(|used| used < most) {
            sleep(LOOK).await;
        }
    }

    /// Makes the isolate look at its limits again and again, from the moment on at which it matters.
    pub(crate) async fn look_after(&self, control: &Control, counts_time: bool) {
        if !counts_time {
            control.interrupted().await;
        }
        loop {
            if !self.asked.swap(true, Ordering::AcqRel) {
                self.isolate.request_interrupt(look, std::ptr::null_mut());
            }
            sleep(LOOK).await;
        }
    }
}

/// Called by V8 on the isolate's thread, in the middle of whatever runs.
unsafe extern "C" fn look(_isolate: UnsafeRawIsolatePtr, _data: *mut c_void) {
    WATCHED.with_borrow_mut(|watched| {
        let Some(watched) = watched else { return }; // `begin` forgets what was asked before it
        watched.watch.asked.store(false, Ordering::Release);
        match watched.control.step() {
            Step::GoOn => {}
            Step::Interrupt => {
                // SAFETY: the interpreter that owns the memory runs now, on this thread.
                unsafe { &*watched.memory }.interrupt();
            }
            Step::Kill(stop) => watched.condemn(Verdict::Stop(stop)),
        }
    });
}

/// Ends the run that goes on on this thread.
pub(crate) fn condemn(verdict: Verdict) {
    WATCHED.with_borrow_mut(|watched| {
        if let Some(watched) = watched {
            watched.condemn(verdict);
        }
    });
}

impl Watched {
    fn condemn(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
        self.watch.end();
    }
}
