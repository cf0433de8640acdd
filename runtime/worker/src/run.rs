//! One run in a worker, seen from the host.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{AbortHandle, Aborted, BoxFuture, abortable};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use pcm_runtime_api::{
    EventSink, ExecutionResult, HostCall, HostError, HostPort, Limits, Payload, RunEvent,
    RunRequest,
};
use pcm_runtime_guest::Stop;
use pcm_runtime_wire::{News, Order, Running};
use tokio::sync::Notify;
use tokio::time::{Instant as Time, sleep_until};

use crate::WorkerError;
use crate::channel::Channel;

/// How long a worker may take to stop a run by itself: its own grace of a second, and what a machine
/// that is busy adds.
const GRACE: Duration = Duration::from_millis(1_750);

/// Why there is no result of the worker's.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It is gone, or has to go.
    Worker(WorkerError),
    /// It did not stop when it should have.
    Stuck(Stop),
}

impl<E: Into<WorkerError>> From<E> for Lost {
    fn from(error: E) -> Self {
        Self::Worker(error.into())
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) result: ExecutionResult,
    pub(crate) fuel: Option<u64>,
}

/// The calls that the host works on.
#[derive(Default)]
struct Answering {
    calls: FuturesUnordered<BoxFuture<'static, (u64, Answered)>>,
    handles: HashMap<u64, AbortHandle>,
}

/// None of it where the code did not want to wait any longer.
type Answered = Result<Result<Payload, HostError>, Aborted>;

impl Answering {
    fn begin(
        &mut self,
        call: u64,
        answer: impl Future<Output = Result<Payload, HostError>> + Send + 'static,
    ) {
        let (answer, handle) = abortable(answer);
        self.handles.insert(call, handle);
        self.calls.push(answer.map(move |answered| (call, answered)).boxed());
    }

    fn cancel(&mut self, call: u64) {
        if let Some(handle) = self.handles.remove(&call) {
            handle.abort();
        }
    }

    /// The next answer; never where no call is worked on.
    async fn next(&mut self) -> (u64, Answered) {
        match self.calls.next().await {
            Some((call, answered)) => {
                self.handles.remove(&call);
                (call, answered)
            }
            None => std::future::pending().await,
        }
    }
}

/// Runs code, and answers its calls from `port`.
pub(crate) async fn run(
    channel: &mut Channel,
    request: RunRequest,
    limits: Limits,
    port: &Arc<dyn HostPort>,
    interrupted: &Notify,
) -> Result<Ran, Lost> {
    let began = Instant::now();
    let mut stops = Stops::new(limits.timeout);
    let RunRequest { code, repr, events, .. } = request;
    let running = Running { limits, repr, events: events.is_some() };
    channel.tell(&Order::Run(Box::new(running)), &code, 0)?;
    drop(code);
    let mut answering = Answering::default();
    loop {
        // Not left to the branch below, which comes last: there may be no end of what a worker says.
        if stops.are_due() {
            return Err(Lost::Stuck(stops.why));
        }
        tokio::select! {
            biased;
            () = interrupted.notified() => {
                channel.tell(&Order::Interrupt, &[], 0)?;
                stops.sooner(Stop::Cancelled, Time::now() + GRACE);
            }
            (call, answered) = answering.next(), if channel.has_room() => {
                if let Ok(answer) = answered && channel.dialogue.waits(call) {
                    let answer = answer.map_err(Into::into);
                    channel.tell(&Order::Reply { call, answer }, &[], 0)?;
                }
            }
            heard = channel.hear() => match heard? {
                Some((News::Call { call, namespace, op, args }, _)) => {
                    let number = channel.dialogue.calls();
                    let host_call = HostCall { namespace, op, args };
                    let port = Arc::clone(port);
                    answering.begin(call, answer(port, host_call, number, events.clone()));
                }
                Some((News::Cancel { call }, _)) => answering.cancel(call),
                Some((News::Event(event), _)) => {
                    if let Some(events) = &events {
                        events(event);
                    }
                }
                Some((News::Ran { result, fuel }, _)) => {
                    return Ok(Ran { result: seen(*result, channel, began), fuel });
                }
                Some(_) => {} // the dialogue has refused it
                None => return Err(WorkerError::Ended("while it ran code".to_owned()).into()),
            },
            () = stops.due() => return Err(Lost::Stuck(stops.why)),
        }
    }
}

/// What the host knows better than the worker.
fn seen(mut result: ExecutionResult, channel: &Channel, began: Instant) -> ExecutionResult {
    let usage = &mut result.usage;
    usage.wall_ms = milliseconds(began.elapsed());
    // Those that were refused on the worker's side are in its own count.
    usage.tool_calls = usage.tool_calls.max(channel.dialogue.calls());
    result
}

/// The answer to one call. A host function that panics fails its call and nothing else.
async fn answer(
    port: Arc<dyn HostPort>,
    host_call: HostCall,
    call: u64,
    events: Option<EventSink>,
) -> Result<Payload, HostError> {
    let (namespace, op) = (host_call.namespace, host_call.op.clone());
    let begun = Instant::now();
    if let Some(events) = &events {
        events(RunEvent::CallStarted { call, namespace, op });
    }
    let answer = AssertUnwindSafe(port.call(host_call)).catch_unwind().await;
    let answer =
        answer.unwrap_or_else(|_| Err(HostError::new("HostPanic", "the host failed on this call")));
    if let Some(events) = &events {
        let duration_ms = milliseconds(begun.elapsed());
        events(RunEvent::CallFinished { call, ok: answer.is_ok(), duration_ms });
    }
    answer
}

/// When the run has to be over, and why.
struct Stops {
    at: Option<Time>,
    why: Stop,
}

impl Stops {
    fn new(timeout: Option<Duration>) -> Self {
        let longest = timeout.and_then(|timeout| timeout.checked_add(GRACE));
        let at = longest.and_then(|longest| Time::now().checked_add(longest));
        Self { at, why: Stop::Timeout }
    }

    fn sooner(&mut self, why: Stop, at: Time) {
        if self.at.is_none_or(|before| at < before) {
            (self.at, self.why) = (Some(at), why);
        }
    }

    fn are_due(&self) -> bool {
        self.at.is_some_and(|at| at <= Time::now())
    }

    async fn due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
