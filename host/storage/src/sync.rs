//! Between a folder of files and a store: what `bootstrap`, `list`, `pull` and `diff` do.
//!
//! Everything answers with a [`Report`] or a list, which a command line prints. Names that come out
//! of a store are hostile: what is no plain name is skipped and written nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::dep::{base_name, hex, requirement_lines};
use crate::file::{workflows_in, write_file};
use crate::{
    DepSpec, DepsStore, Problem, StorageError, StoredTool, StoredTools, Workflow, WorkflowStore,
};

/// What happened, or would, to things by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// By name.
    pub changes: Vec<Change>,
    /// What could not be read or is not taken.
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// The names with this kind of change.
    pub fn names(&self, kind: ChangeKind) -> Vec<&str> {
        let changes = self.changes.iter().filter(|change| change.kind == kind);
        changes.map(|change| change.name.as_str()).collect()
    }

    fn note(&mut self, name: impl Into<String>, kind: ChangeKind) {
        self.changes.push(Change { name: name.into(), kind });
    }

    fn sorted(mut self) -> Self {
        self.changes.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }
}

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name; a dependency's spec.
    pub name: String,
    /// What became of it.
    pub kind: ChangeKind,
}

/// A kind of change: to the target of a `bootstrap` or a `pull`, or from the folder to the store in a
/// `diff`, where what only the store has was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It is there no more.
    Removed,
    /// It is another one.
    Changed,
    /// It is the same.
    Same,
}

impl ChangeKind {
    /// The sign that `diff` prints.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Same => '=',
        }
    }
}

/// Something that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name, or the name of its file.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Skipped {
    pub(crate) fn new(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), reason: reason.to_owned() }
    }
}

impl From<Problem> for Skipped {
    fn from(Problem { name, reason }: Problem) -> Self {
        Self { name, reason }
    }
}

/// Something in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name; a dependency's spec.
    pub name: String,
    /// What it is for, shortened to a line's width.
    pub description: String,
}

impl Listed {
    fn new(name: &str, description: &str) -> Self {
        const SHOWN: usize = 50;
        Self { name: name.to_owned(), description: description.chars().take(SHOWN).collect() }
    }
}

/// Puts the workflows of a folder into a store. With `clear`, those that the folder has not are
/// removed from it.
pub async fn bootstrap_workflows(
    source: &Path,
    target: &dyn WorkflowStore,
    clear: bool,
) -> Result<Report, StorageError> {
    let source = workflows_in(source);
    let mut report = put_workflows(source.as_ref(), target).await?;
    if clear {
        let kept: BTreeSet<_> = names(&source.list().await?);
        for workflow in target.list().await? {
            if !kept.contains(workflow.name.as_str()) && target.delete(&workflow.name).await? {
                report.note(workflow.name.as_str(), ChangeKind::Removed);
            }
        }
    }
    Ok(report.sorted())
}

/// Writes the workflows of a store into a folder, which keeps what else it has.
pub async fn pull_workflows(
    store: &dyn WorkflowStore,
    destination: &Path,
) -> Result<Report, StorageError> {
    Ok(put_workflows(store, workflows_in(destination).as_ref()).await?.sorted())
}

/// Compares the workflows of a folder with those of a store.
pub async fn diff_workflows(
    source: &Path,
    store: &dyn WorkflowStore,
) -> Result<Report, StorageError> {
    let source = workflows_in(source);
    let mut report = Report::default();
    let local = source.list().await?;
    report.skipped.extend(source.problems().await?.into_iter().map(Skipped::from));
    let stored = store.list().await?;
    report.skipped.extend(store.problems().await?.into_iter().map(Skipped::from));
    let keys = |workflows: &[Arc<Workflow>]| -> BTreeMap<String, String> {
        workflows.iter().map(|workflow| (workflow.name.to_string(), key(workflow))).collect()
    };
    compare(&keys(&local), &keys(&stored), &mut report);
    Ok(report.sorted())
}

/// The workflows of a store.
pub async fn list_workflows(store: &dyn WorkflowStore) -> Result<Vec<Listed>, StorageError> {
    let listed =
        |workflow: &Arc<Workflow>| Listed::new(workflow.name.as_str(), &workflow.description);
    Ok(store.list().await?.iter().map(listed).collect())
}

async fn put_workflows(
    source: &dyn WorkflowStore,
    target: &dyn WorkflowStore,
) -> Result<Report, StorageError> {
    let mut report = Report::default();
    let wanted = source.list().await?;
    report.skipped.extend(source.problems().await?.into_iter().map(Skipped::from));
    let there = target.list().await?;
    for workflow in wanted {
        let before = there.iter().find(|other| other.name == workflow.name);
        let kind = match before {
            Some(before) if key(before) == key(&workflow) => ChangeKind::Same,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Added,
        };
        if kind != ChangeKind::Same {
            target.create(&workflow.name, &workflow.source, &workflow.description).await?;
        }
        report.note(workflow.name.as_str(), kind);
    }
    Ok(report)
}

fn names(workflows: &[Arc<Workflow>]) -> BTreeSet<String> {
    workflows.iter().map(|workflow| workflow.name.to_string()).collect()
}

/// What workflows are compared by.
fn key(workflow: &Workflow) -> String {
    let Workflow { name, description, source, .. } = workflow;
    let mut digest = hex(&Sha256::digest(format!("{name}:{description}:{source}")));
    digest.truncate(12);
    digest
}

/// Puts the tools of a folder into a store. With `clear`, those that the folder has not are removed
/// from it.
pub async fn bootstrap_tools(
    source: &Path,
    target: &StoredTools,
    clear: bool,
) -> Result<Report, StorageError> {
    let source = StoredTools::in_folder(source);
    let mut report = put_tools(&source, target).await?;
    if clear {
        let kept = source.list().await?;
        for tool in target.list().await? {
            let is_kept = kept.iter().any(|other| other.name == tool.name);
            if !is_kept && target.remove(&tool.name).await? {
                report.note(tool.name, ChangeKind::Removed);
            }
        }
    }
    Ok(report.sorted())
}

/// Writes the tools of a store into a folder, which keeps what else it has.
pub async fn pull_tools(store: &StoredTools, destination: &Path) -> Result<Report, StorageError> {
    Ok(put_tools(store, &StoredTools::in_folder(destination)).await?.sorted())
}

/// Compares the tools of a folder with those of a store.
pub async fn diff_tools(source: &Path, store: &StoredTools) -> Result<Report, StorageError> {
    let source = StoredTools::in_folder(source);
    let skipped = source.problems().await?.into_iter().chain(store.problems().await?).collect();
    let mut report = Report { changes: Vec::new(), skipped };
    let by_name = |tools: Vec<StoredTool>| -> BTreeMap<_, _> {
        tools.into_iter().map(|tool| (tool.name, tool.definition)).collect()
    };
    compare(&by_name(source.list().await?), &by_name(store.list().await?), &mut report);
    Ok(report.sorted())
}

/// The tools of a store.
pub async fn list_tools(store: &StoredTools) -> Result<Vec<Listed>, StorageError> {
    let listed = |tool: &StoredTool| Listed::new(&tool.name, tool.description());
    Ok(store.list().await?.iter().map(listed).collect())
}

async fn put_tools(source: &StoredTools, target: &StoredTools) -> Result<Report, StorageError> {
    let mut report = Report { changes: Vec::new(), skipped: source.problems().await? };
    let there = target.list().await?;
    for tool in source.list().await? {
        let before = there.iter().find(|other| other.name == tool.name);
        let kind = match before {
            Some(before) if before.definition == tool.definition => ChangeKind::Same,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Added,
        };
        if kind != ChangeKind::Same {
            match target.put(&tool).await {
                Err(error @ StorageError::Name { .. }) => {
                    report.skipped.push(Skipped::new(&tool.name, &error.to_string()));
                    continue;
                }
                put => put?,
            }
        }
        report.note(tool.name, kind);
    }
    Ok(report)
}

/// Puts the lines of a requirements file, or of a command, into a store. With `clear`, other
/// packages are removed from it.
pub async fn bootstrap_deps(
    lines: &str,
    target: &dyn DepsStore,
    clear: bool,
) -> Result<Report, StorageError> {
    let (wanted, skipped) = specs(lines);
    let mut report = Report { changes: Vec::new(), skipped };
    let there = by_package(&target.list().await?);
    for (package, spec) in &wanted {
        let kind = match there.get(package) {
            Some(before) if before == spec => ChangeKind::Same,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Added,
        };
        if kind != ChangeKind::Same {
            target.add(spec).await?;
        }
        report.note(spec.as_str(), kind);
    }
    if clear {
        for (package, spec) in &there {
            if !wanted.contains_key(package) && target.remove(package).await? {
                report.note(spec.as_str(), ChangeKind::Removed);
            }
        }
    }
    Ok(report.sorted())
}

/// Writes the dependencies of a store into `requirements.txt` of a folder, in place of what it has.
pub async fn pull_deps(store: &dyn DepsStore, destination: &Path) -> Result<Report, StorageError> {
    let mut report = Report::default();
    let stored = store.list().await?;
    let text: String = stored.iter().flat_map(|spec| [spec.as_str(), "\n"]).collect();
    let file = "requirements.txt";
    let before = std::fs::read_to_string(destination.join(file)).unwrap_or_default();
    let what = "the requirements file".to_owned();
    write_file(destination.to_owned(), file.to_owned(), text.into_bytes(), what).await?;
    let (before, _) = specs(&before);
    compare(&before, &by_package(&stored), &mut report);
    Ok(report.sorted())
}

/// Compares the lines of a requirements file with the dependencies of a store, by package.
pub async fn diff_deps(lines: &str, store: &dyn DepsStore) -> Result<Report, StorageError> {
    let (local, skipped) = specs(lines);
    let mut report = Report { changes: Vec::new(), skipped };
    compare(&local, &by_package(&store.list().await?), &mut report);
    Ok(report.sorted())
}

/// The dependencies of a store.
pub async fn list_deps(store: &dyn DepsStore) -> Result<Vec<Listed>, StorageError> {
    Ok(store.list().await?.iter().map(|spec| Listed::new(spec.as_str(), "")).collect())
}

/// The last line of a package counts.
fn specs(lines: &str) -> (BTreeMap<String, DepSpec>, Vec<Skipped>) {
    let mut specs = Vec::new();
    let mut skipped = Vec::new();
    for line in requirement_lines(lines) {
        match line.parse::<DepSpec>() {
            Ok(spec) => specs.push(spec),
            Err(error) => skipped.push(Skipped::new(line, &error.to_string())),
        }
    }
    (by_package(&specs), skipped)
}

fn by_package(specs: &[DepSpec]) -> BTreeMap<String, DepSpec> {
    specs.iter().map(|spec| (base_name(spec.name()), spec.clone())).collect()
}

/// Notes what differs between the folder's and the store's.
fn compare<T: PartialEq>(
    local: &BTreeMap<String, T>,
    stored: &BTreeMap<String, T>,
    report: &mut Report,
) {
    for (name, here) in local {
        let kind = match stored.get(name) {
            Some(there) if there == here => ChangeKind::Same,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Removed,
        };
        report.note(name, kind);
    }
    for name in stored.keys().filter(|name| !local.contains_key(*name)) {
        report.note(name, ChangeKind::Added);
    }
}
