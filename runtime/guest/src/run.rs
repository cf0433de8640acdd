//! One run, seen from the host.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use pcm_fences::{Fence, holds};
use pcm_runtime_api::{
    ErrorKind, EventSink, ExecutionError, ExecutionResult, HostCall, HostError, HostPort, LimitHit,
    LimitName, Limits, OutputStream, Payload, RunEvent, SessionState, Usage,
};
use serde_json::Value;

use crate::frames::{self, BadFrame, GuestError, GuestErrorKind, Outcome, refusal};
use crate::output::{Output, OutputRefused};
use crate::stop::Stop;

/// Channels of the guest's `emit`; `pcm_guest.port` has the same numbers.
const STDOUT: i32 = 1;
const STDERR: i32 = 2;
const DISPLAY: i32 = 3;
/// Writes that may be refused before the run is stopped: enough for code that cleans up.
const MAX_REFUSALS: u32 = 16;

/// One run: takes its output, answers its calls, and makes its result.
///
/// Shared by everything that serves the run, so all methods take `&self`.
pub struct Run {
    limits: Limits,
    port: Arc<dyn HostPort>,
    events: Option<EventSink>,
    output: Mutex<Output>,
    calls: AtomicU64,
    started: Instant,
}

/// How the guest stopped.
#[derive(Debug)]
pub enum Ending {
    /// It ended by itself and left this outcome.
    Outcome(Vec<u8>),
    /// It was asked to stop and did, in its own way, with this outcome.
    Interrupted(Stop, Vec<u8>),
    /// It was stopped where it was, and its interpreter is of no further use.
    Stopped(Stop),
    /// The interpreter is gone.
    Crashed(String),
}

/// What a wall measured of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// Processor time.
    pub cpu: Duration,
    /// The most memory that the session held so far.
    pub memory_bytes: u64,
    /// Fuel, where it is counted.
    pub fuel: Option<u64>,
}

impl Run {
    /// A run that begins now.
    pub fn new(limits: Limits, port: Arc<dyn HostPort>, events: Option<EventSink>) -> Self {
        let output = Mutex::new(Output::new(limits.clone(), events.clone()));
        let calls = AtomicU64::new(0);
        Self { limits, port, events, output, calls, started: Instant::now() }
    }

    /// What the run may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether a frame of this length may be copied out of the guest.
    pub fn admits(&self, length: usize) -> bool {
        length as u64 <= self.limits.host_call_bytes || !holds(Fence::FrameLength)
    }

    /// The longest outcome that is taken: a value, its repr and a traceback, escaped.
    pub fn longest_outcome(&self) -> usize {
        usize::try_from(self.limits.host_call_bytes).unwrap_or(usize::MAX).saturating_add(1 << 20)
    }

    /// Takes output on one of the guest's channels.
    pub fn emit(&self, channel: i32, data: &[u8]) -> Result<(), OutputRefused> {
        match channel {
            STDOUT => self.write(OutputStream::Stdout, data),
            STDERR => self.write(OutputStream::Stderr, data),
            DISPLAY => self.output().display(data),
            _ => Ok(()), // nobody listens
        }
    }

    /// Whether the guest goes on writing although it was refused again and again.
    pub fn is_flooding(&self) -> bool {
        self.output().refusals > MAX_REFUSALS
    }

    /// Takes text.
    pub fn write(&self, stream: OutputStream, data: &[u8]) -> Result<(), OutputRefused> {
        self.output().write(stream, data)
    }

    /// Answers a request with a reply. There always is one: whatever is wrong with the request or
    /// with the host is said in the reply.
    pub async fn answer(&self, request: &[u8]) -> Vec<u8> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if number > self.limits.tool_calls && holds(Fence::ToolCalls) {
            let hit = LimitHit::of(LimitName::ToolCalls, &self.limits);
            return refusal("LimitExceeded", &hit.to_string());
        }
        if !self.admits(request.len()) {
            return self.too_long(request.len());
        }
        let reply = match frames::decode_request(request, &self.limits) {
            Ok(call) => frames::encode_reply(&self.call(number, call).await),
            Err(error) => refusal("BadRequest", &format!("the request is malformed: {error}")),
        };
        if self.admits(reply.len()) { reply } else { self.too_long(reply.len()) }
    }

    async fn call(&self, number: u64, call: HostCall) -> Result<Payload, HostError> {
        let Some(events) = &self.events else { return self.guarded(call).await };
        let (namespace, op) = (call.namespace, call.op.clone());
        events(RunEvent::CallStarted { call: number, namespace, op });
        let start = Instant::now();
        let answer = self.guarded(call).await;
        let duration_ms = milliseconds(start.elapsed());
        events(RunEvent::CallFinished { call: number, ok: answer.is_ok(), duration_ms });
        answer
    }

    /// A host function that panics fails its call and nothing else.
    async fn guarded(&self, call: HostCall) -> Result<Payload, HostError> {
        let answer = AssertUnwindSafe(self.port.call(call)).catch_unwind().await;
        answer.unwrap_or_else(|_| Err(HostError::new("HostPanic", "the host failed on this call")))
    }

    /// The reply in place of a request or a reply that is too long.
    pub fn too_long(&self, length: usize) -> Vec<u8> {
        let hit = LimitHit::of(LimitName::HostCall, &self.limits);
        refusal("LimitExceeded", &format!("{length} bytes are too long to cross the wall; {hit}"))
    }

    /// The result. It says `reset` where the interpreter is of no further use; a wall that has
    /// something better than a fresh one changes that.
    pub fn finish(
        &self,
        backend: &'static str,
        ending: Ending,
        measured: Measured,
    ) -> ExecutionResult {
        let output = self.take_output();
        let mut result = ExecutionResult::new(backend);
        result.session = SessionState::Reset;
        result.error = match ending {
            Ending::Outcome(frame) => self.read_outcome(&frame, output.refusals > 0, &mut result),
            Ending::Interrupted(stop, frame) => {
                let error = self.read_outcome(&frame, output.refusals > 0, &mut result);
                self.interrupted(stop, error, &mut result)
            }
            Ending::Stopped(stop) => Some(stop.error(&self.limits)),
            Ending::Crashed(message) => Some(ExecutionError::new(ErrorKind::Crashed, message)),
        };
        result.usage = Usage {
            wall_ms: milliseconds(self.started.elapsed()),
            cpu_ms: milliseconds(measured.cpu),
            fuel: measured.fuel,
            memory_peak_bytes: measured.memory_bytes,
            tool_calls: self.calls.load(Ordering::Relaxed),
            output_bytes: output.written,
        };
        result.stdout = output.stdout.into_string();
        result.stderr = output.stderr.into_string();
        result.display = output.display;
        result
    }

    /// Puts what the guest says of its value into the result, and gives what it says of an error.
    fn read_outcome(
        &self,
        frame: &[u8],
        refused: bool,
        result: &mut ExecutionResult,
    ) -> Option<ExecutionError> {
        let outcome = match Outcome::decode(frame, &self.limits) {
            Ok(outcome) => outcome,
            Err(BadFrame::TooManyParts) => {
                result.session = SessionState::Kept;
                result.value_repr =
                    Some("<the value has too many parts to cross the wall>".to_owned());
                return None;
            }
            Err(error) => {
                let message = format!("the code damaged the interpreter it ran in: {error}");
                return Some(ExecutionError::new(ErrorKind::Crashed, message));
            }
        };
        if !outcome.exhausted {
            result.session = SessionState::Kept;
        }
        result.value = outcome.value;
        result.value_types = outcome.types;
        result.value_repr = outcome.repr;
        outcome.error.map(|error| self.read_error(error, refused))
    }

    /// The error of a run that was asked to stop and left `error`. One that came to its end all the
    /// same went well, if nothing but somebody's wish was in its way.
    fn interrupted(
        &self,
        stop: Stop,
        error: Option<ExecutionError>,
        result: &mut ExecutionResult,
    ) -> Option<ExecutionError> {
        if error.is_none() && stop == Stop::Cancelled {
            return None;
        }
        (result.value, result.value_repr) = (Value::Null, None);
        result.value_types.clear();
        let traceback = error.map(|error| error.traceback).unwrap_or_default();
        Some(ExecutionError { traceback, ..stop.error(&self.limits) })
    }

    fn read_error(&self, error: GuestError, refused: bool) -> ExecutionError {
        let (kind, limit) = match error.kind {
            GuestErrorKind::Syntax => (ErrorKind::Syntax, None),
            GuestErrorKind::Memory => (ErrorKind::Memory, Some(LimitName::Memory)),
            // Past Python's own streams the refusal is an OSError.
            GuestErrorKind::Output | GuestErrorKind::Exception if refused => {
                (ErrorKind::Output, Some(LimitName::Output))
            }
            GuestErrorKind::Output | GuestErrorKind::Exception => (ErrorKind::Exception, None),
        };
        let limit = limit.map(|name| LimitHit::of(name, &self.limits));
        let message = match &limit {
            Some(hit) => [error.message.as_str(), &hit.to_string()].join("\n").trim().to_owned(),
            None => error.message,
        };
        let GuestError { error_type, traceback, .. } = error;
        ExecutionError { kind, error_type, message, traceback, limit }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_output(&self) -> Output {
        let fresh = Output::new(self.limits.clone(), None);
        std::mem::replace(&mut *self.output(), fresh)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Run").field("calls", &self.calls).finish_non_exhaustive()
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
