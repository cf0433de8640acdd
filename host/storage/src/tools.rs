//! Definitions of tools that are stored beside workflows: their YAML, as data. What a definition
//! means is not known here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::Details;
use crate::file::write_file;
use crate::sync::Skipped;
use crate::{RedisServer, StorageError, json};

const MAX_NAME: usize = 128;
const MAX_DEFINITION_BYTES: u64 = 1 << 20;
const SUFFIX: &str = ".yaml";
const WHAT: &str = "the list of tools";

/// A tool as somebody defined it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredTool {
    /// What it is stored as.
    pub name: String,
    /// Its YAML, as data.
    pub definition: Value,
}

impl StoredTool {
    /// The description in its definition; may be empty.
    pub fn description(&self) -> &str {
        self.definition.get("description").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Where definitions are: a hash of a server, or a folder of YAML.
#[derive(Debug, Clone)]
pub struct StoredTools(Place);

#[derive(Debug, Clone)]
enum Place {
    Hash { server: RedisServer, key: String },
    Folder(PathBuf),
}

impl StoredTools {
    /// The tools in the hash `<prefix>:__tools__`.
    pub fn in_redis(server: &RedisServer, prefix: &str) -> Self {
        Self(Place::Hash { server: server.clone(), key: format!("{prefix}:__tools__") })
    }

    /// The tools in the files `*.yaml` of a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(Place::Folder(folder.to_owned()))
    }

    /// All tools by name. What cannot be read is left out and in [`problems`](Self::problems).
    pub async fn list(&self) -> Result<Vec<StoredTool>, StorageError> {
        let tool = |(name, definition)| StoredTool { name, definition };
        Ok(self.all().await?.0.into_iter().map(tool).collect())
    }

    /// What is stored and cannot be listed.
    pub async fn problems(&self) -> Result<Vec<Skipped>, StorageError> {
        Ok(self.all().await?.1)
    }

    /// Stores a tool, in place of one of its name.
    pub async fn put(&self, tool: &StoredTool) -> Result<(), StorageError> {
        let what = what(&tool.name);
        check_name(&tool.name)?;
        let encoded = match &self.0 {
            Place::Hash { .. } => json::dumps(&tool.definition),
            Place::Folder(_) => json::dumps_indented(&tool.definition),
        };
        let text = encoded.map_err(|error| StorageError::Write {
            what: what.clone(),
            reason: "it cannot be written as JSON".to_owned(),
            details: Some(Details::new(error)),
        })?;
        match &self.0 {
            Place::Hash { server, key } => {
                let mut request = redis::pipe();
                request.cmd("HSET").arg(key).arg(&tool.name).arg(text).ignore();
                server.put(&what, &request).await
            }
            // JSON is YAML; whoever reads the file as YAML gets the same data.
            Place::Folder(folder) => {
                let (folder, file) = (folder.clone(), format!("{}{SUFFIX}", tool.name));
                write_file(folder, file, (text + "\n").into_bytes(), what).await
            }
        }
    }

    /// Removes a tool; whether it was there.
    pub async fn remove(&self, name: &str) -> Result<bool, StorageError> {
        match &self.0 {
            Place::Hash { server, key } => {
                let mut request = redis::pipe();
                request.cmd("HDEL").arg(key).arg(name);
                let (removed,): (u64,) = server.change(&what(name), &request).await?;
                Ok(removed > 0)
            }
            Place::Folder(folder) => {
                let mut is_removed = false;
                for (path, tool) in files(folder)? {
                    if tool.is_ok_and(|tool| tool.name == name) {
                        fs::remove_file(path).map_err(StorageError::writing(what(name)))?;
                        is_removed = true;
                    }
                }
                Ok(is_removed)
            }
        }
    }

    async fn all(&self) -> Result<(BTreeMap<String, Value>, Vec<Skipped>), StorageError> {
        let mut tools = BTreeMap::new();
        let mut skipped = Vec::new();
        match &self.0 {
            Place::Hash { server, key } => {
                let mut request = redis::pipe();
                request.cmd("HGETALL").arg(key);
                let (records,): (Vec<(Vec<u8>, Vec<u8>)>,) = server.read(WHAT, &request).await?;
                for (name, text) in records {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    match serde_json::from_slice(&text) {
                        Ok(definition) => _ = tools.insert(name, definition),
                        Err(_) => skipped.push(Skipped::new(&name, "it is no JSON")),
                    }
                }
            }
            Place::Folder(folder) => {
                for (path, tool) in files(folder)? {
                    match tool {
                        Ok(tool) => _ = tools.insert(tool.name, tool.definition),
                        Err(reason) => {
                            let name = path.file_name().unwrap_or_default().to_string_lossy();
                            skipped.push(Skipped::new(&name, &reason));
                        }
                    }
                }
            }
        }
        Ok((tools, skipped))
    }
}

fn what(name: &str) -> String {
    format!("the tool {:?}", crate::error::shortened(name))
}

/// A name that can be a file's, here and on other systems.
fn check_name(name: &str) -> Result<(), StorageError> {
    let refused = |reason: String| StorageError::Name {
        what: "a tool's name",
        text: crate::error::shortened(name),
        reason,
    };
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(refused(format!("it has 1 to {MAX_NAME} characters")));
    }
    let is_taken = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    match name.chars().find(|&char| !is_taken(char)) {
        Some(other) => Err(refused(format!("{other:?} is not a letter, a digit, '-' or '_'"))),
        None => Ok(()),
    }
}

type Files = Vec<(PathBuf, Result<StoredTool, String>)>;

/// The definitions in a folder, in the order of their files' names.
fn files(folder: &Path) -> Result<Files, StorageError> {
    let failed = || StorageError::reading(WHAT);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed()(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed())?.path();
        if path.is_file() && path.to_str().is_some_and(|path| path.ends_with(SUFFIX)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths
        .into_iter()
        .map(|path| {
            let tool = read(&path);
            (path, tool)
        })
        .collect())
}

fn read(path: &Path) -> Result<StoredTool, String> {
    let size = fs::metadata(path).map_err(|_| "it cannot be read")?.len();
    if size > MAX_DEFINITION_BYTES {
        return Err(format!("it has {size} bytes, and at most {MAX_DEFINITION_BYTES} are taken"));
    }
    let text = fs::read_to_string(path).map_err(|_| "it cannot be read")?;
    let definition: Value = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
    match definition.get("name").and_then(Value::as_str) {
        Some(name) => Ok(StoredTool { name: name.to_owned(), definition }),
        None => Err("it has no name".to_owned()),
    }
}
