//! What a run of the tests asks the engine of the tests to do. It is the "code" of the run, as JSON.

use pcm_runtime_api::{ExecutorError, FileChange};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::forgery::Forgery;
use crate::probe::Probe;

/// What an honest engine does, and what code does that has escaped from one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Act {
    /// Gives a value.
    Value(Value),
    /// Writes, shows and changes files.
    Output { stdout: String, stderr: String, shown: Value, files: Vec<FileChange> },
    /// Calls the host, and gives what it says.
    Call { op: String, args: Value },
    /// Calls the host so many times at once, and gives all that it says.
    Gather { op: String, count: u64 },
    /// Calls an operation of the host that has no end, and does not wait for it.
    GiveUp { op: String },
    /// Calls an operation of the host that has no end, and forgets it.
    Abandon { op: String },
    /// Keeps a number.
    Remember(u64),
    /// Gives the number that was kept.
    Recall,
    /// Waits until it is interrupted, or its time is up.
    Wait,
    /// Uses fuel.
    Burn(u64),
    /// Reads a file of a mount.
    ReadMounted { mount: usize, path: String },
    /// Writes a file of a mount.
    WriteMounted { mount: usize, path: String, content: String },
    /// Does what only native code can.
    Probe(Probe),
    /// Says what it must not.
    Forge(Forgery),
}

impl Act {
    /// The code of a run.
    pub(crate) fn code(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What some code says.
    pub(crate) fn read(code: &[u8]) -> Result<Self, ExecutorError> {
        serde_json::from_slice(code).map_err(|error| ExecutorError::BadState(error.to_string()))
    }
}
