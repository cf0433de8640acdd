//! Records in Redis, for servers that share them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{LONGEST, RecordKey, RecordKind, Records, WHAT, check_size};
use crate::{RedisServer, StorageError};

/// How many keys are asked for at a time.
const AT_ONCE: usize = 100;

/// Records as strings that expire, and for each kind a sorted set of ids by the time when they do.
#[derive(Debug, Clone)]
pub struct RedisRecords {
    server: RedisServer,
    prefix: String,
}

impl RedisRecords {
    /// The records under `<prefix>:server`.
    pub fn on(server: &RedisServer, prefix: &str) -> Self {
        Self { server: server.clone(), prefix: format!("{prefix}:server") }
    }

    fn key(&self, key: &RecordKey) -> String {
        format!("{}:{}:{}", self.prefix, key.kind.name(), key.id)
    }

    fn index(&self, kind: RecordKind) -> String {
        format!("{}:{}", self.prefix, kind.name())
    }

    /// Sets the value, only where there is none if `only_new`, and notes when it ends.
    fn set(
        &self,
        key: &RecordKey,
        value: &[u8],
        lives: Duration,
        only_new: bool,
    ) -> redis::Pipeline {
        let lives = millis(lives.min(LONGEST)).max(1);
        let ends = now().saturating_add(lives);
        let mut request = redis::pipe();
        request.atomic().cmd("SET").arg(self.key(key)).arg(value).arg("PX").arg(lives);
        if only_new {
            request.arg("NX");
        } else {
            request.ignore();
        }
        request.cmd("ZADD").arg(self.index(key.kind));
        if only_new {
            // The later of the two: of one that lost, the record that won has the same or a later end.
            request.arg("GT");
        }
        request.arg(ends).arg(&key.id).ignore();
        request
    }
}

#[async_trait]
impl Records for RedisRecords {
    async fn put(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<(), StorageError> {
        check_size(&value)?;
        self.server.put(WHAT, &self.set(key, &value, lives, false)).await
    }

    async fn claim(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<bool, StorageError> {
        check_size(&value)?;
        let (set,): (Option<String>,) =
            self.server.change(WHAT, &self.set(key, &value, lives, true)).await?;
        Ok(set.is_some())
    }

    async fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
        let mut request = redis::pipe();
        request.cmd("GET").arg(self.key(key));
        let (value,): (Option<Vec<u8>>,) = self.server.read(WHAT, &request).await?;
        Ok(value)
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StorageError> {
        let mut request = redis::pipe();
        request.atomic().cmd("DEL").arg(self.key(key)).ignore();
        request.cmd("ZREM").arg(self.index(key.kind)).arg(&key.id).ignore();
        self.server.put(WHAT, &request).await
    }

    async fn list(&self, kind: RecordKind) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let mut request = redis::pipe();
        request.cmd("ZRANGEBYSCORE").arg(self.index(kind)).arg(now()).arg("+inf");
        let (ids,): (Vec<String>,) = self.server.read(WHAT, &request).await?;
        let mut found = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let mut request = redis::pipe();
            request.cmd("MGET");
            for id in ids {
                request.arg(format!("{}:{id}", self.index(kind)));
            }
            let (values,): (Vec<Option<Vec<u8>>>,) = self.server.read(WHAT, &request).await?;
            let pairs = ids.iter().cloned().zip(values);
            found.extend(pairs.filter_map(|(id, value)| Some((id, value?))));
        }
        found.sort();
        Ok(found)
    }

    /// The server forgets values by itself; the sets of their ids are ours.
    async fn sweep(&self) -> Result<(), StorageError> {
        let mut request = redis::pipe();
        for kind in RecordKind::ALL {
            request.cmd("ZREMRANGEBYSCORE").arg(self.index(kind)).arg("-inf").arg(now()).ignore();
        }
        self.server.put(WHAT, &request).await
    }
}

fn now() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
