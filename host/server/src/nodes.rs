//! The servers that share records, and which of them are there.

use std::time::Duration;

use pcm_storage::{RecordKey, RecordKind, Records, StorageError};
use serde::{Deserialize, Serialize};

use crate::{ServerError, ids};

/// How often a server says that it is there, and how long that holds.
pub(crate) const SAYS: Duration = Duration::from_secs(5);
const HOLDS: Duration = Duration::from_secs(20);

/// A server among those that share records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// What it is called, across restarts.
    pub(crate) name: String,
    /// This one life of it. What another life had is lost.
    pub(crate) life: String,
}

impl Node {
    pub(crate) fn new(name: Option<&str>) -> Result<Self, ServerError> {
        let life = ids::short()?;
        let Some(name) = name else {
            return Ok(Self { name: format!("node-{life}"), life });
        };
        let is_letter = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if !(1..=128).contains(&name.len()) || !name.chars().all(is_letter) {
            return Err(ServerError::Setting {
                name: "the name of the node",
                value: name.to_owned(),
                reason: "it has to have 1 to 128 letters, digits, '-', '_' and '.'",
            });
        }
        Ok(Self { name: name.to_owned(), life })
    }

    /// Says that it is there.
    pub(crate) async fn say(&self, records: &dyn Records) -> Result<(), StorageError> {
        records.put(&self.key()?, self.life.clone().into_bytes(), HOLDS).await
    }

    /// Says that it is there no more, unless another one has its name by now.
    pub(crate) async fn leave(&self, records: &dyn Records) -> Result<(), StorageError> {
        let key = self.key()?;
        if records.get(&key).await?.as_deref() == Some(self.life.as_bytes()) {
            records.remove(&key).await?;
        }
        Ok(())
    }

    /// Whether it is there, in this life.
    pub(crate) async fn lives(&self, records: &dyn Records) -> Result<bool, StorageError> {
        let life = records.get(&self.key()?).await?;
        Ok(life.as_deref() == Some(self.life.as_bytes()))
    }

    fn key(&self) -> Result<RecordKey, StorageError> {
        RecordKey::new(RecordKind::Node, &ids::digest(&[self.name.as_bytes()]))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use pcm_storage::MemoryRecords;

    use super::*;

    #[tokio::test]
    async fn another_life_of_the_same_name_ends_the_first() {
        let records = MemoryRecords::new();
        let (first, second) = (Node::new(Some("a.b")).unwrap(), Node::new(Some("a.b")).unwrap());
        assert!(!first.lives(&records).await.unwrap());
        first.say(&records).await.unwrap();
        assert!(first.lives(&records).await.unwrap());
        second.say(&records).await.unwrap();
        assert!(!first.lives(&records).await.unwrap());
        first.leave(&records).await.unwrap();
        assert!(second.lives(&records).await.unwrap());
        second.leave(&records).await.unwrap();
        assert!(!second.lives(&records).await.unwrap());
    }

    #[test]
    fn a_node_has_a_name_that_a_header_can_have() {
        for name in ["", "a b", "a\r\nb", "ü"] {
            assert!(Node::new(Some(name)).is_err(), "{name:?}");
        }
        assert_ne!(Node::new(None).unwrap().name, Node::new(None).unwrap().name);
    }
}
