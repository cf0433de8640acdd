//! Small values that outlive a process and expire: who has which session, what was answered.
//!
//! They are a server's own, not a guest's. Keys are made by the server of letters and digits, values
//! are bounded, and each has a time to live, so that nothing has to be cleared up after a crash.

mod file;
mod memory;
mod redis;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::StorageError;

pub use file::FileRecords;
pub use memory::MemoryRecords;
pub use redis::RedisRecords;

/// How many bytes a value may have.
pub const MAX_RECORD_BYTES: usize = 8 << 20;

/// A year: so that no sum with the present overflows.
const LONGEST: Duration = Duration::from_hours(24 * 366);

const WHAT: &str = "a record of the server";

/// Where small values are kept, by kind and key.
#[async_trait]
pub trait Records: fmt::Debug + Send + Sync {
    /// Stores a value, in place of what was there.
    async fn put(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<(), StorageError>;

    /// Stores a value where there is none; whether there was none. Of several that try, one wins.
    async fn claim(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<bool, StorageError>;

    /// The value, unless it has expired.
    async fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError>;

    /// Removes a value, if there is one.
    async fn remove(&self, key: &RecordKey) -> Result<(), StorageError>;

    /// The values of a kind that have not expired, by id.
    async fn list(&self, kind: RecordKind) -> Result<Vec<(String, Vec<u8>)>, StorageError>;

    /// Gives back the room of what has expired, where nobody else does.
    async fn sweep(&self) -> Result<(), StorageError>;
}

/// What a value is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Whose session it is, and where it lives.
    Session,
    /// A server that is there.
    Node,
    /// What a request was answered.
    Answer,
    /// A call that waits for an approval.
    Approval,
    /// What somebody decided about such a call.
    Decision,
}

impl RecordKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 5] =
        [Self::Session, Self::Node, Self::Answer, Self::Approval, Self::Decision];

    /// The kind as part of a name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "sessions",
            Self::Node => "nodes",
            Self::Answer => "answers",
            Self::Approval => "approvals",
            Self::Decision => "decisions",
        }
    }

    /// Whether it still means something when the machine has lost power: what a request was answered
    /// does. All else is about processes that are gone then.
    fn outlives_the_machine(self) -> bool {
        self == Self::Answer
    }
}

/// What a value is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    kind: RecordKind,
    id: String,
}

impl RecordKey {
    /// The key of this kind and id: 1 to 128 letters, digits, `-` and `_`.
    pub fn new(kind: RecordKind, id: &str) -> Result<Self, StorageError> {
        let is_taken = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        if (1..=128).contains(&id.len()) && id.chars().all(is_taken) {
            return Ok(Self { kind, id: id.to_owned() });
        }
        Err(StorageError::Name {
            what: "the id of a record",
            text: crate::error::shortened(id),
            reason: "it has 1 to 128 letters, digits, '-' and '_'".to_owned(),
        })
    }
}

fn check_size(value: &[u8]) -> Result<(), StorageError> {
    if value.len() <= MAX_RECORD_BYTES {
        return Ok(());
    }
    Err(StorageError::TooLarge {
        what: WHAT.to_owned(),
        size: value.len() as u64,
        limit: MAX_RECORD_BYTES as u64,
    })
}
