//! Artifacts in strings, and what is known of them in a hash.

use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::artifact::{self, JsonLayout, Record, check_size};
use crate::error::Details;
use crate::{
    ArtifactData, ArtifactInfo, ArtifactName, ArtifactStore, RedisServer, StorageError, json,
};

/// How many names one request is about.
const AT_ONCE: usize = 1000;

/// How often data is read that is saved again meanwhile.
const LOOKS: usize = 8;

/// A record, data, and the record again.
type Stored = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// The artifacts under one prefix of a server.
///
/// Data and record are written in one transaction. They are not read or deleted in one: a server
/// that is out of memory refuses transactions, and whoever wants to make room needs just these.
#[derive(Debug, Clone)]
pub(super) struct RedisArtifacts {
    server: RedisServer,
    prefix: String,
}

impl RedisArtifacts {
    pub(super) fn new(server: RedisServer, prefix: String) -> Self {
        Self { server, prefix }
    }

    fn key(&self, name: &ArtifactName) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn index(&self) -> String {
        format!("{}:__index__", self.prefix)
    }

    /// A record that no index has says of no time: that of the data is not known.
    fn info(&self, name: &ArtifactName, record: &Record) -> ArtifactInfo {
        record.info(name, self.key(name), || SystemTime::UNIX_EPOCH)
    }
}

#[async_trait]
impl ArtifactStore for RedisArtifacts {
    async fn list(&self) -> Result<Vec<ArtifactInfo>, StorageError> {
        let what = "the list of artifacts";
        let mut request = redis::pipe();
        request.cmd("HGETALL").arg(self.index());
        let (records,): (Vec<(Vec<u8>, Vec<u8>)>,) = self.server.read(what, &request).await?;
        let known: BTreeMap<ArtifactName, Record> = records
            .into_iter()
            .filter_map(|(name, text)| {
                let name = String::from_utf8(name).ok()?.parse().ok()?;
                Some((name, parse(&text)))
            })
            .collect();
        let known: Vec<_> = known.into_iter().collect();
        let mut infos = Vec::with_capacity(known.len());
        for part in known.chunks(AT_ONCE) {
            let mut request = redis::pipe();
            for (name, _) in part {
                request.cmd("EXISTS").arg(self.key(name));
            }
            let are_there: Vec<bool> = self.server.read(what, &request).await?;
            let there = part.iter().zip(are_there).filter(|(_, is_there)| *is_there);
            infos.extend(there.map(|((name, record), _)| self.info(name, record)));
        }
        Ok(infos)
    }

    async fn get(&self, name: &ArtifactName) -> Result<Option<ArtifactInfo>, StorageError> {
        let mut request = redis::pipe();
        request.cmd("HGET").arg(self.index()).arg(name.as_str());
        request.cmd("EXISTS").arg(self.key(name));
        let what = format!("the artifact {name:?}");
        let (text, is_there): (Option<Vec<u8>>, bool) = self.server.read(&what, &request).await?;
        let record = text.as_deref().map_or_else(Record::unknown, parse);
        Ok(is_there.then(|| self.info(name, &record)))
    }

    async fn exists(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let mut request = redis::pipe();
        request.cmd("EXISTS").arg(self.key(name));
        let (is_there,) = self.server.read(&format!("the artifact {name:?}"), &request).await?;
        Ok(is_there)
    }

    async fn save(
        &self,
        name: &ArtifactName,
        data: ArtifactData,
        description: &str,
        metadata: Map<String, Value>,
    ) -> Result<ArtifactInfo, StorageError> {
        let what = format!("the artifact {name:?}");
        let encoded = artifact::encode(name, data, JsonLayout::Line)?;
        let record = Record::new(name, description, metadata, encoded.data_type)?;
        let text = json::dumps(record.value()).map_err(|error| StorageError::Write {
            what: what.clone(),
            reason: "its metadata cannot be written as JSON".to_owned(),
            details: Some(Details::new(error)),
        })?;
        let mut request = redis::pipe();
        request.atomic();
        request.cmd("SET").arg(self.key(name)).arg(encoded.bytes).ignore();
        request.cmd("HSET").arg(self.index()).arg(name.as_str()).arg(text).ignore();
        self.server.put::<()>(&what, &request).await?;
        Ok(self.info(name, &record))
    }

    async fn load(&self, name: &ArtifactName) -> Result<ArtifactData, StorageError> {
        let mut request = redis::pipe();
        request.cmd("HGET").arg(self.index()).arg(name.as_str());
        request.cmd("GET").arg(self.key(name));
        request.cmd("HGET").arg(self.index()).arg(name.as_str());
        let what = format!("the artifact {name:?}");
        let mut looks = 0;
        let (bytes, text) = loop {
            let (before, bytes, after): Stored = self.server.read(&what, &request).await?;
            looks += 1;
            // A record says when it was made: the same one twice is that of the data between them.
            if before == after || looks == LOOKS {
                break (bytes, after);
            }
        };
        let bytes = bytes.ok_or_else(|| StorageError::ArtifactNotFound { name: name.clone() })?;
        check_size(name, bytes.len() as u64)?;
        let data_type = text.as_deref().map(parse).and_then(|record| record.data_type());
        Ok(artifact::decode(name, bytes, data_type))
    }

    async fn delete(&self, name: &ArtifactName) -> Result<bool, StorageError> {
        let mut request = redis::pipe();
        // The record first: a save that comes between is deleted, too, and not left without one.
        request.cmd("HDEL").arg(self.index()).arg(name.as_str()).ignore();
        request.cmd("DEL").arg(self.key(name));
        let what = format!("the artifact {name:?}");
        let (removed,): (u64,) = self.server.change(&what, &request).await?;
        Ok(removed > 0)
    }

    fn path(&self) -> String {
        self.prefix.clone()
    }
}

/// A record of anybody; one that is no JSON says nothing.
fn parse(text: &[u8]) -> Record {
    serde_json::from_slice(text).map_or_else(|_| Record::unknown(), Record::stored)
}
