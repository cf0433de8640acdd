//! Records that end with their process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{LONGEST, RecordKey, RecordKind, Records, check_size};
use crate::StorageError;

/// Records in memory, for one server that keeps nothing. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryRecords(Arc<Mutex<BTreeMap<RecordKey, Record>>>);

#[derive(Debug)]
struct Record {
    value: Vec<u8>,
    ends: Instant,
}

impl MemoryRecords {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<RecordKey, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(value: Vec<u8>, lives: Duration) -> Result<Record, StorageError> {
    check_size(&value)?;
    Ok(Record { value, ends: Instant::now() + lives.min(LONGEST) })
}

#[async_trait]
impl Records for MemoryRecords {
    async fn put(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<(), StorageError> {
        self.records().insert(key.clone(), record(value, lives)?);
        Ok(())
    }

    async fn claim(
        &self,
        key: &RecordKey,
        value: Vec<u8>,
        lives: Duration,
    ) -> Result<bool, StorageError> {
        let record = record(value, lives)?;
        let mut records = self.records();
        let is_taken = records.get(key).is_some_and(|there| there.ends > Instant::now());
        if !is_taken {
            records.insert(key.clone(), record);
        }
        Ok(!is_taken)
    }

    async fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
        let records = self.records();
        let record = records.get(key).filter(|record| record.ends > Instant::now());
        Ok(record.map(|record| record.value.clone()))
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), StorageError> {
        self.records().remove(key);
        Ok(())
    }

    async fn list(&self, kind: RecordKind) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let now = Instant::now();
        let records = self.records();
        let of_kind = records.iter().filter(|(key, record)| key.kind == kind && record.ends > now);
        Ok(of_kind.map(|(key, record)| (key.id.clone(), record.value.clone())).collect())
    }

    async fn sweep(&self) -> Result<(), StorageError> {
        let now = Instant::now();
        self.records().retain(|_, record| record.ends > now);
        Ok(())
    }
}
