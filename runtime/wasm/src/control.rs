//! Why a run has to stop, seen from the guest's thread and from the host's.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pcm_runtime_api::Limits;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;

/// A run was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the run took too long")]
    Timeout,
    #[error("the run took too much processor time")]
    Cpu,
    #[error("the run wrote too much")]
    Output,
    #[error("the run was interrupted")]
    Cancelled,
}

/// The limits in time of one run, and its processor time.
#[derive(Debug)]
pub(crate) struct Control {
    deadline: Option<Instant>,
    cpu_limit: Option<u64>,
    /// Nanoseconds of the polls that are over.
    cpu_used: AtomicU64,
    /// The thread's processor time when the poll that goes on began.
    poll_began: AtomicU64,
    cancelled: AtomicBool,
    cancel: Notify,
}

impl Control {
    /// The control of a run that begins now.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            deadline: limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            cpu_limit: limits.cpu.map(nanoseconds),
            cpu_used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        }
    }

    /// Asks the run to stop.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.cancel.notify_one();
    }

    /// Looks whether the run has to stop. For the thread that polls the guest.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.cancelled.load(Relaxed) {
            return Err(Stop::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Stop::Timeout);
        }
        if let Some(limit) = self.cpu_limit {
            let poll = thread_time().saturating_sub(self.poll_began.load(Relaxed));
            if self.cpu_used.load(Relaxed) + poll >= limit {
                return Err(Stop::Cpu);
            }
        }
        Ok(())
    }

    /// Waits until the run has to stop for a reason that does not need the guest to run.
    pub(crate) async fn stopped(&self) -> Stop {
        let timeout = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timeout => Stop::Timeout,
            () = self.cancel.notified() => Stop::Cancelled,
        }
    }

    /// Processor time of the polls so far.
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_used.load(Relaxed))
    }

    /// Counts the processor time of `work`.
    pub(crate) async fn metered<F: Future>(&self, work: F) -> F::Output {
        Metered { control: self, work: std::pin::pin!(work) }.await
    }
}

struct Metered<'a, F> {
    control: &'a Control,
    work: Pin<&'a mut F>,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = thread_time();
        self.control.poll_began.store(began, Relaxed);
        let result = self.work.as_mut().poll(context);
        self.control.cpu_used.fetch_add(thread_time().saturating_sub(began), Relaxed);
        result
    }
}

/// Processor time of this thread in nanoseconds.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
