//! Workflows in a hash.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::error::Details;
use crate::python;
use crate::{
    Lexical, Problem, Ranker, RedisServer, StorageError, Workflow, WorkflowName, WorkflowStore,
    json,
};

/// The workflows in one hash of a server. [`RedisStorage`](crate::RedisStorage) has its own; by
/// itself this is for tools that are given the prefix of the hash.
#[derive(Debug, Clone)]
pub struct RedisWorkflows {
    server: RedisServer,
    hash: String,
    ranker: Arc<dyn Ranker>,
    known: Arc<Mutex<Known>>,
}

/// What was read, so that only what changed is parsed again.
#[derive(Debug, Default)]
struct Known {
    records: BTreeMap<String, Seen>,
    /// Gone when something changed.
    catalogue: Option<Arc<Catalogue>>,
}

#[derive(Debug)]
struct Seen {
    text: Vec<u8>,
    content: Result<Arc<Workflow>, String>,
}

impl RedisWorkflows {
    /// The workflows in the hash `<prefix>:__workflows__`.
    pub fn new(server: &RedisServer, prefix: &str) -> Self {
        Self {
            server: server.clone(),
            hash: format!("{prefix}:__workflows__"),
            ranker: Arc::new(Lexical),
            known: Arc::default(),
        }
    }

    /// The same workflows, found by this ranker.
    #[must_use]
    pub fn ranker(&self, ranker: Arc<dyn Ranker>) -> Self {
        Self { ranker, ..self.clone() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn catalogue(&self) -> Result<Arc<Catalogue>, StorageError> {
        let mut request = redis::pipe();
        request.cmd("HGETALL").arg(&self.hash);
        let (records,): (Vec<(Vec<u8>, Vec<u8>)>,) =
            self.server.read("the list of workflows", &request).await?;
        let this = self.clone();
        let compared = tokio::task::spawn_blocking(move || this.known().compare(records)).await;
        let compared = compared.map_err(|error| StorageError::Read {
            what: "the list of workflows".to_owned(),
            reason: "it was not parsed".to_owned(),
            details: Some(Details::new(error)),
        })?;
        compared.map_err(StorageError::reading("the list of workflows"))
    }
}

#[async_trait]
impl WorkflowStore for RedisWorkflows {
    async fn list(&self) -> Result<Vec<Arc<Workflow>>, StorageError> {
        Ok(self.catalogue().await?.list())
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<Arc<Workflow>>, StorageError> {
        Ok(self.catalogue().await?.search(self.ranker.as_ref(), query, limit))
    }

    async fn get(&self, name: &WorkflowName) -> Result<Option<Arc<Workflow>>, StorageError> {
        let what = format!("the workflow {name:?}");
        let mut request = redis::pipe();
        request.cmd("HGET").arg(&self.hash).arg(name.as_str());
        let (text,): (Option<Vec<u8>>,) = self.server.read(&what, &request).await?;
        let Some(text) = text else { return Ok(None) };
        if let Some(seen) = self.known().records.get(name.as_str()).filter(|seen| seen.text == text)
            && let Ok(workflow) = &seen.content
        {
            return Ok(Some(workflow.clone()));
        }
        let name = name.clone();
        let read = tokio::task::spawn_blocking(move || {
            let (source, description) = record(&text)?;
            let workflow = Workflow::new(&name, &source, &description);
            workflow.map(Arc::new).map_err(|error| error.to_string())
        });
        match read.await {
            Ok(Ok(workflow)) => Ok(Some(workflow)),
            Ok(Err(reason)) => Err(StorageError::read(what, reason)),
            Err(_) => Err(StorageError::read(what, "it was not parsed")),
        }
    }

    async fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError> {
        let what = format!("the workflow {name:?}");
        let (owned, source, given) = (name.clone(), source.to_owned(), description.to_owned());
        let made =
            tokio::task::spawn_blocking(move || Workflow::new(&owned, &source, &given)).await;
        let workflow = made.map_err(|_| StorageError::write(&what, "it was not parsed"))??;
        let text = json::dumps(&workflow).map_err(|error| StorageError::Write {
            what: what.clone(),
            reason: "it cannot be written as JSON".to_owned(),
            details: Some(Details::new(error)),
        })?;
        let mut request = redis::pipe();
        request.cmd("HSET").arg(&self.hash).arg(name.as_str()).arg(text).ignore();
        self.server.put::<()>(&what, &request).await?;
        Ok(Arc::new(workflow))
    }

    async fn delete(&self, name: &WorkflowName) -> Result<bool, StorageError> {
        let mut request = redis::pipe();
        request.cmd("HDEL").arg(&self.hash).arg(name.as_str());
        let what = format!("the workflow {name:?}");
        let (removed,): (u64,) = self.server.change(&what, &request).await?;
        Ok(removed > 0)
    }

    async fn problems(&self) -> Result<Vec<Problem>, StorageError> {
        self.catalogue().await?;
        let known = self.known();
        let problem = |(name, seen): (&String, &Seen)| {
            let reason = seen.content.as_ref().err()?.clone();
            Some(Problem { name: name.clone(), reason })
        };
        Ok(known.records.iter().filter_map(problem).collect())
    }
}

impl Known {
    /// Makes the catalogue of what a server has now.
    fn compare(&mut self, records: Vec<(Vec<u8>, Vec<u8>)>) -> io::Result<Arc<Catalogue>> {
        let mut before = std::mem::take(&mut self.records);
        let mut fresh = Vec::new();
        for (name, text) in records {
            let name = String::from_utf8_lossy(&name).into_owned();
            match before.remove(&name) {
                Some(seen) if seen.text == text => {
                    self.records.insert(name, seen);
                }
                _ => fresh.push((name, text)),
            }
        }
        if !fresh.is_empty() || !before.is_empty() {
            self.catalogue = None;
        }
        self.parse(fresh)?;
        if let Some(catalogue) = &self.catalogue {
            return Ok(catalogue.clone());
        }
        let readable = self.records.values().filter_map(|seen| seen.content.as_ref().ok());
        let catalogue = Arc::new(Catalogue::new(readable.cloned().collect()));
        self.catalogue = Some(catalogue.clone());
        Ok(catalogue)
    }

    fn parse(&mut self, fresh: Vec<(String, Vec<u8>)>) -> io::Result<()> {
        let records: Vec<_> = fresh.iter().map(|(_, text)| record(text)).collect();
        let sources: Vec<&str> =
            records.iter().flatten().map(|(source, _)| source.as_str()).collect();
        let mut outlines = python::outlines(&sources)?.into_iter();
        let contents: Vec<_> = records
            .into_iter()
            .zip(&fresh)
            .map(|(record, (name, _))| {
                let (source, description) = record?;
                let outline = outlines.next().ok_or("it was not parsed")?;
                let outline = outline.map_err(|refusal| refusal.to_string())?;
                let said = |error: StorageError| error.to_string();
                let name: WorkflowName = name.parse().map_err(said)?;
                let workflow = Workflow::with_outline(&name, source, &description, outline);
                workflow.map(Arc::new).map_err(said)
            })
            .collect();
        for ((name, text), content) in fresh.into_iter().zip(contents) {
            self.records.insert(name, Seen { text, content });
        }
        Ok(())
    }
}

/// Source and description in a record. What else it says is read from the source again.
fn record(text: &[u8]) -> Result<(String, String), String> {
    let value: Value = serde_json::from_slice(text).map_err(|_| "it is no JSON".to_owned())?;
    let Some(source) = value.get("source").and_then(Value::as_str) else {
        return Err("it has no source".to_owned());
    };
    let description = value.get("description").and_then(Value::as_str).unwrap_or_default();
    Ok((source.to_owned(), description.to_owned()))
}
