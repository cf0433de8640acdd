//! What the host says to a worker.

use pcm_runtime_api::{CheckpointId, HostError, Limits, MountAccess, Payload};
use serde::{Deserialize, Serialize};

use crate::limits::WireLimits;
use crate::{Bounds, Frame, ProtocolError};

/// What the host says. Some of it goes on in the bytes of the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The session begins. The worker has one, once.
    Open(Box<Opening>),
    /// Run the code in the bytes.
    Run(Box<Running>),
    /// The answer to a call.
    Reply {
        /// Its number.
        call: u64,
        /// What the host says.
        answer: Result<Payload, Refusal>,
    },
    /// Stop the run that goes on.
    Interrupt,
    /// Keep the state.
    Checkpoint,
    /// Become what a checkpoint has.
    Restore(CheckpointId),
    /// Give up a checkpoint.
    Drop(CheckpointId),
    /// Give the state as bytes, signed with this key.
    Save([u8; 32]),
    /// Become the state in the bytes, which was signed with this key.
    Load([u8; 32]),
    /// Refill the fuel.
    AddFuel(u64),
    /// Write the bytes to a file.
    Put {
        /// Where.
        path: String,
    },
    /// Read a file.
    Get {
        /// Which.
        path: String,
        /// The most bytes that are wanted.
        longest: u64,
    },
}

/// How a session is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// The limits of runs.
    #[serde(with = "WireLimits")]
    pub limits: Limits,
    /// The fuel of all runs together.
    pub fuel: Option<u64>,
    /// The same program gives the same bytes.
    pub deterministic: bool,
    /// A run that is stopped the hard way leaves its session as it was.
    pub rollback: bool,
    /// The folders that the host serves, in their order.
    pub folders: Vec<ShownFolder>,
}

/// A folder of the host in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFolder {
    /// Where.
    pub guest: String,
    /// What for.
    pub access: MountAccess,
}

/// How code is to be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The limits of this run.
    #[serde(with = "WireLimits")]
    pub limits: Limits,
    /// Whether the value's `repr` is wanted.
    pub repr: bool,
    /// Whether somebody hears what happens.
    pub events: bool,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of failure.
    pub error_type: String,
    /// What happened.
    pub message: String,
}

impl From<HostError> for Refusal {
    fn from(HostError { error_type, message }: HostError) -> Self {
        Self { error_type, message }
    }
}

impl From<Refusal> for HostError {
    fn from(Refusal { error_type, message }: Refusal) -> Self {
        Self { error_type, message }
    }
}

impl Order {
    /// What a worker takes from its host, which it trusts not to be hostile.
    pub const BOUNDS: Bounds = Bounds { head: 1 << 30, bytes: 1 << 40, cost: u64::MAX };

    /// Reads what the host says.
    pub fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        serde_json::from_slice(&frame.head)
            .map_err(|error| ProtocolError::Malformed(error.to_string()))
    }
}
