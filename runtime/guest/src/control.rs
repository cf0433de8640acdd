//! When a run has to stop. First the guest is asked to: it gets an interrupt and may clean up. If it
//! goes on for longer than the grace, it is stopped where it is.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pcm_fences::{Fence, holds};
use pcm_runtime_api::Limits;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::{Clock, Stop};

/// The processor time in which an interrupted guest must end: a machine that is busy with other
/// things must not cost anybody a session.
const GRACE_CPU: Duration = Duration::from_millis(100);
/// The time in which it must end in any case.
const GRACE: Duration = Duration::from_secs(1);
/// What the grace is without the fence: for ever would be a test that never ends.
const LATE: Duration = Duration::from_secs(8);
/// Halfway through the grace the guest is interrupted once more.
const INTERRUPTS: u8 = 2;

/// The limits in time of one run, and its processor time.
#[derive(Debug)]
pub struct Control {
    deadline: Option<Instant>,
    cpu_limit: Option<Duration>,
    /// None where the thread that asks is the guest's.
    clock: Option<Clock>,
    /// Nanoseconds of the polls that are over.
    cpu_used: AtomicU64,
    /// The thread's processor time when the poll that goes on began.
    poll_began: AtomicU64,
    cancelled: watch::Sender<bool>,
    told: Mutex<Option<Told>>,
}

/// The guest was interrupted.
#[derive(Debug, Clone, Copy)]
struct Told {
    stop: Stop,
    at: Instant,
    cpu: Duration,
    times: u8,
}

/// What to do with a guest that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    GoOn,
    /// Interrupt it.
    Interrupt,
    /// Stop it where it is.
    Kill(Stop),
}

impl Control {
    /// The control of a run that begins now.
    pub fn new(limits: &Limits) -> Self {
        Self {
            deadline: limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            cpu_limit: limits.cpu,
            clock: None,
            cpu_used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            cancelled: watch::Sender::new(false),
            told: Mutex::new(None),
        }
    }

    /// The control of a run that begins now, and whose [`step`](Self::step)s another thread takes than
    /// the one that it runs on: `clock` tells the processor time of that one.
    pub fn watched(limits: &Limits, clock: Clock) -> Self {
        let control = Self { clock: Some(clock), ..Self::new(limits) };
        control.poll_began.store(control.time(), Relaxed); // what the thread did before is not the run's
        control
    }

    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Why the guest was interrupted, if it was.
    pub fn told(&self) -> Option<Stop> {
        self.lock().map(|told| told.stop)
    }

    /// What to do now. For the thread that polls the guest, which does it, unless the run is
    /// [watched](Self::watched).
    pub fn step(&self) -> Step {
        let mut told = self.lock();
        let Some(told) = &mut *told else {
            let Some(stop) = self.due() else { return Step::GoOn };
            *told = Some(Told { stop, at: Instant::now(), cpu: self.cpu_now(), times: 1 });
            return if holds(Fence::Interrupt) { Step::Interrupt } else { Step::GoOn };
        };
        let (time, cpu) = (told.at.elapsed(), self.cpu_now().saturating_sub(told.cpu));
        let over = |part| time >= GRACE / part || cpu >= GRACE_CPU / part;
        if over(1) && (holds(Fence::HardStop) || time >= LATE) {
            Step::Kill(told.stop)
        } else if over(2) && told.times < INTERRUPTS && holds(Fence::Interrupt) {
            told.times += 1;
            Step::Interrupt
        } else {
            Step::GoOn
        }
    }

    fn due(&self) -> Option<Stop> {
        if *self.cancelled.borrow() {
            Some(Stop::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Stop::Timeout)
        } else if self.cpu_limit.is_some_and(|limit| self.cpu_now() >= limit) {
            Some(Stop::Cpu)
        } else {
            None
        }
    }

    /// Waits until a guest that waits has to be interrupted; then it is time for a [`step`](Self::step).
    pub async fn interrupted(&self) {
        let told = *self.lock();
        match told {
            None => drop(self.called_off().await),
            Some(Told { times, at, .. }) if times < INTERRUPTS => {
                sleep_until((at + GRACE / 2).into()).await;
            }
            Some(_) => std::future::pending().await,
        }
    }

    /// Waits until the guest has to be stopped, whether it runs or not.
    pub async fn killed(&self) -> Stop {
        let stop = self.called_off().await;
        sleep(if holds(Fence::HardStop) { GRACE } else { LATE }).await;
        self.told().unwrap_or(stop)
    }

    /// Waits for the deadline, or for somebody's wish.
    async fn called_off(&self) -> Stop {
        let timeout = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let mut cancelled = self.cancelled.subscribe();
        tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => Stop::Cancelled,
            () = timeout => Stop::Timeout,
        }
    }

    /// Processor time of the polls so far.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_used.load(Relaxed))
    }

    /// The same with the poll that goes on.
    fn cpu_now(&self) -> Duration {
        let poll = self.time().saturating_sub(self.poll_began.load(Relaxed));
        self.cpu() + Duration::from_nanos(poll)
    }

    /// Whether processor time is bounded.
    pub fn counts_cpu(&self) -> bool {
        self.cpu_limit.is_some()
    }

    /// The processor time of the guest's thread, in nanoseconds.
    fn time(&self) -> u64 {
        match self.clock.map(Clock::now) {
            None => thread_time(),
            Some(time) => u64::try_from(time.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Counts the processor time of `work`.
    pub async fn metered<F: Future>(&self, work: F) -> F::Output {
        Metered { control: self, work: std::pin::pin!(work) }.await
    }

    /// Counts the processor time of `work`, which does not wait.
    pub fn metered_here<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = thread_time();
        self.poll_began.store(began, Relaxed);
        let result = work();
        self.cpu_used.fetch_add(thread_time().saturating_sub(began), Relaxed);
        result
    }

    /// What `work` gives; None when the guest has to be interrupted before that.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.interrupted() => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Metered<'a, F> {
    control: &'a Control,
    work: Pin<&'a mut F>,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { control, work } = &mut *self;
        control.metered_here(|| work.as_mut().poll(context))
    }
}

/// Processor time of this thread in nanoseconds.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
