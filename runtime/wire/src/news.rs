//! What a worker says to its host.

use pcm_runtime_api::{
    Capability, CheckpointId, ExecutionResult, ExecutorError, HostCall, Limits, Namespace, Payload,
    RunEvent, json_cost,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Bounds, Frame, ProtocolError};

/// How many times the longest request a text is that says the same with other escapes.
const ESCAPED: u64 = 8;
/// How many times a text is in memory what it is on the wire.
const EXPANSION: u64 = 16;
/// Names, tracebacks, what changed in the files.
const REST: u64 = 16 << 20;

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// The first thing: who it is, and which parts of its jail are closed.
    Hello {
        /// The version of the program.
        version: String,
        /// The parts of the jail.
        jail: Value,
    },
    /// What it is doing that takes a while, before it is ready.
    Progress(String),
    /// It can have a session.
    Ready,
    /// It cannot go on.
    Failed(String),
    /// What an order other than a run came to. Some of it goes on in the bytes of the frame.
    Done {
        /// The answer.
        answer: Result<Answer, Told>,
        /// The fuel that is left.
        fuel: Option<u64>,
    },
    /// The code calls its host.
    Call {
        /// Counts the calls of a worker.
        call: u64,
        /// What is used.
        namespace: Namespace,
        /// The operation.
        op: String,
        /// Its arguments.
        args: Payload,
    },
    /// The code does not wait for that call any more.
    Cancel {
        /// Its number.
        call: u64,
    },
    /// Something happened while code runs.
    Event(RunEvent),
    /// The run is over.
    Ran {
        /// How it ended.
        result: Box<ExecutionResult>,
        /// The fuel that is left.
        fuel: Option<u64>,
    },
}

/// What an order came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done.
    Done,
    /// The state is kept.
    Kept(CheckpointId),
    /// What was asked for is in the bytes.
    Bytes,
}

/// Why an order could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The sandbox could not be started.
    Startup(String),
    /// There is no such checkpoint.
    NoCheckpoint(CheckpointId),
    /// A saved state was refused.
    BadState(String),
    /// A file could not be read or written.
    File {
        /// Its path in the sandbox.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// The backend cannot do it.
    Unsupported(Capability),
    /// Anything else.
    Other(String),
}

impl From<ExecutorError> for Told {
    fn from(error: ExecutorError) -> Self {
        match error {
            ExecutorError::Startup { reason, .. } => Self::Startup(reason),
            ExecutorError::NoCheckpoint(checkpoint) => Self::NoCheckpoint(checkpoint),
            ExecutorError::BadState(reason) => Self::BadState(reason),
            ExecutorError::File { path, reason } => Self::File { path, reason },
            ExecutorError::Unsupported { capability, .. } => Self::Unsupported(capability),
            other => Self::Other(other.to_string()),
        }
    }
}

impl Told {
    /// The same as the error of a backend.
    pub fn into_error(self, backend: &'static str) -> ExecutorError {
        match self {
            Self::Startup(reason) | Self::Other(reason) => {
                ExecutorError::Startup { backend, reason }
            }
            Self::NoCheckpoint(checkpoint) => ExecutorError::NoCheckpoint(checkpoint),
            Self::BadState(reason) => ExecutorError::BadState(reason),
            Self::File { path, reason } => ExecutorError::File { path, reason },
            Self::Unsupported(capability) => ExecutorError::Unsupported { backend, capability },
        }
    }
}

impl News {
    /// What a worker may say before it has a session.
    pub const GREETING: Bounds = Bounds { head: 64 << 10, bytes: 0, cost: 1 << 20 };

    /// What the code of a session with these limits can make its worker say, in runs and calls.
    pub fn bounds(limits: &Limits) -> Bounds {
        let said = limits.host_call_bytes.saturating_mul(ESCAPED);
        // A value and rich results; text may be escaped to six bytes for one.
        let written = limits.output_bytes.saturating_mul(ESCAPED);
        let head = said.saturating_mul(3).saturating_add(written).saturating_add(REST);
        let most = u64::from(u32::MAX);
        let cost = limits.host_call_bytes.saturating_mul(3).saturating_add(limits.output_bytes);
        let cost = cost.saturating_add(REST).saturating_mul(EXPANSION);
        Bounds { head: head.min(most), bytes: 0, cost }
    }

    /// What one call of a session with these limits may take.
    pub fn longest_call(limits: &Limits) -> u64 {
        const BESIDES: u64 = 64 << 10;
        limits.host_call_bytes.saturating_mul(EXPANSION + ESCAPED).saturating_add(BESIDES)
    }

    /// Reads what a worker says, and what it takes. The lengths were checked by the [`Inbox`](crate::Inbox).
    pub fn decode(frame: &Frame, bounds: &Bounds) -> Result<(Self, u64), ProtocolError> {
        let cost = json_cost(&frame.head);
        if cost > bounds.cost {
            return Err(ProtocolError::TooManyParts { cost, most: bounds.cost });
        }
        let news = serde_json::from_slice(&frame.head);
        Ok((news.map_err(|error| ProtocolError::Malformed(error.to_string()))?, cost))
    }

    /// The news of a call.
    pub fn call(call: u64, HostCall { namespace, op, args }: HostCall) -> Self {
        Self::Call { call, namespace, op, args }
    }

    /// What it is, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Progress(_) => "what it does",
            Self::Ready => "that it is ready",
            Self::Failed(_) => "that it failed",
            Self::Done { .. } => "that it is done",
            Self::Call { .. } => "a call",
            Self::Cancel { .. } => "that it waits no more",
            Self::Event(_) => "what happens",
            Self::Ran { .. } => "that it ran",
        }
    }
}
