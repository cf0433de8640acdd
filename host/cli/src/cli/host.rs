//! What is on the host: the folders and stores of a command, and what is read from them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use pcm_sandbox::storage::Storage;
use pcm_sandbox::tools::{Problem, Registry, Severity};
use pcm_sandbox::{Places, StoragePlace, Value};
use serde::Serialize;

use super::exit::Failure;
use super::output::{self, Stream, Streams};

/// Where tools, workflows, artifacts and packages are.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Host")]
pub(crate) struct HostArgs {
    /// Work over a folder: tools are declared in its `tools`; workflows, artifacts and packages are
    /// kept in it
    #[arg(long, value_name = "FOLDER")]
    base: Option<PathBuf>,

    /// Take the tools from the YAML files of a folder
    #[arg(long, value_name = "FOLDER")]
    tools: Option<PathBuf>,

    /// Keep workflows, artifacts and packages in a folder or in Redis
    #[arg(long, value_name = "FOLDER|redis://HOST:PORT/DB")]
    storage: Option<StoragePlace>,

    /// How the keys in Redis begin; `py_code_mode` if it is not said
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// The same as --storage with an address of Redis, and before it
    #[arg(long, value_name = "URL", hide = true)]
    redis: Option<String>,

    /// Share workflows and artifacts with the sessions of a workspace, and with no others
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
}

/// The host, and how to show what is found there.
#[derive(Debug, clap::Args)]
pub(crate) struct ShownHostArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl HostArgs {
    /// What the arguments name.
    pub(crate) fn places(&self) -> Result<Places, Failure> {
        let redis = self.redis.clone();
        let mut storage = match redis {
            Some(url) => Some(StoragePlace::Redis { url, prefix: None }),
            None => self.storage.clone(),
        };
        match &mut storage {
            Some(StoragePlace::Redis { prefix, .. }) => prefix.clone_from(&self.prefix),
            _ if self.prefix.is_some() => {
                return Err(Failure::usage("--prefix is for a storage in Redis"));
            }
            _ => {}
        }
        let (base, tools) = (self.base.clone(), self.tools.clone());
        let workspace = self.workspace.clone();
        Ok(Places { base, tools, storage, workspace, ..Places::default() })
    }

    /// The storage, which must be named: one in memory would be gone with the command.
    pub(crate) fn open_storage(&self) -> Result<Arc<dyn Storage>, Failure> {
        if self.base.is_none() && self.storage.is_none() && self.redis.is_none() {
            return Err(Failure::usage("where is it kept? Name --base or --storage"));
        }
        self.places()?.open_storage().map_err(|error| failed(&error))
    }

    /// The declared tools. What was wrong with others is told on standard error.
    pub(crate) async fn load_tools(&self) -> Result<Registry, Failure> {
        let places = self.places()?;
        if places.tools_folder().is_none() {
            return Err(Failure::usage("where are the tools declared? Name --tools or --base"));
        }
        let (registry, problems) = places.load_tools().await.map_err(|error| failed(&error))?;
        tell(&problems);
        Ok(registry)
    }
}

/// Does what a command says that ends well if it does not fail.
pub(crate) fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    super::runtime()?.block_on(work)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells what is wrong with declared tools.
pub(crate) fn tell(problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    let mut streams = Streams::standard();
    for problem in problems {
        streams.write_text(Stream::Err, &format!("{problem}\n"));
    }
    streams.flush();
}

/// Whether a declared tool is left out.
pub(crate) fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

/// A failure of something on the host.
pub(crate) fn failed(error: &impl ToString) -> Failure {
    Failure::usage(error.to_string())
}

/// Writes to standard output: JSON for scripts, text for people.
pub(crate) fn show(json: bool, value: impl Serialize, text: impl FnOnce() -> String) {
    let mut streams = Streams::standard();
    if json {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        let line = format!("{value}\n");
        streams.write_own(Stream::Out, &output::escape_controls(&line));
    } else {
        streams.write_text(Stream::Out, &text());
    }
    streams.flush();
}

/// The first line of a text, for a table.
pub(crate) fn first_line(text: &str) -> String {
    const MOST: usize = 72;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_belongs_to_redis() {
        let args = |storage: &str| HostArgs {
            storage: storage.parse().ok(),
            prefix: Some("app".to_owned()),
            ..HostArgs::default()
        };
        assert!(args("folder").places().is_err());
        let place = args("redis://localhost").places().ok().and_then(|places| places.storage);
        let (url, prefix) = ("redis://localhost".to_owned(), Some("app".to_owned()));
        assert_eq!(place, Some(StoragePlace::Redis { url, prefix }));
    }

    #[test]
    fn lines_of_a_table_are_short() {
        assert_eq!(first_line("one\ntwo"), "one");
        assert_eq!(first_line(&"é".repeat(100)).chars().count(), 73);
    }
}
