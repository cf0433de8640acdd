//! Workflows in files.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use crate::catalogue::Catalogue;
use crate::dep::hex;
use crate::python::{self, MAX_SOURCE_BYTES, Outline};
use crate::{Problem, Ranker, StorageError, Workflow, WorkflowName, WorkflowStore};

use super::blocking;
use super::folder::{self, Aside};
use super::lock::Lock;
use super::notes::{NOTES, Notes};
use super::stamp::Stamp;

const OWN: &str = ".workflows.";
const LOCK: &str = ".workflows.lock";
const SUFFIX: &str = ".py";

/// The workflows in a folder: a file of Python for each.
#[derive(Debug, Clone)]
pub(super) struct FileWorkflows(Arc<Workflows>);

#[derive(Debug)]
struct Workflows {
    folder: PathBuf,
    ranker: Arc<dyn Ranker>,
    known: Mutex<Known>,
    writer: Mutex<()>,
}

/// What was read, so that only what changed is read again.
#[derive(Debug, Default)]
struct Known {
    files: HashMap<String, Seen>,
    notes: Notes,
    /// How often the folder was looked through.
    scans: u64,
    /// Gone when something changed.
    catalogue: Option<Arc<Catalogue>>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    /// Whether a later change would show in the stamp.
    is_settled: bool,
    /// When it was last in the folder.
    scan: u64,
    content: Result<Content, String>,
}

#[derive(Debug)]
struct Content {
    sha256: String,
    outline: Outline,
    workflow: Arc<Workflow>,
}

impl FileWorkflows {
    pub(super) fn new(folder: PathBuf, ranker: Arc<dyn Ranker>) -> Self {
        let (known, writer) = (Mutex::default(), Mutex::new(()));
        Self(Arc::new(Workflows { folder, ranker, known, writer }))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workflows) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let workflows = self.0.clone();
        blocking(move || work(&workflows)).await
    }
}

#[async_trait]
impl WorkflowStore for FileWorkflows {
    async fn list(&self) -> Result<Vec<Arc<Workflow>>, StorageError> {
        self.blocking(|workflows| Ok(workflows.catalogue()?.list())).await
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<Arc<Workflow>>, StorageError> {
        let query = query.to_owned();
        self.blocking(move |workflows| {
            Ok(workflows.catalogue()?.search(workflows.ranker.as_ref(), &query, limit))
        })
        .await
    }

    async fn get(&self, name: &WorkflowName) -> Result<Option<Arc<Workflow>>, StorageError> {
        let name = name.clone();
        self.blocking(move |workflows| workflows.get(&name)).await
    }

    async fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError> {
        let (name, source, description) = (name.clone(), source.to_owned(), description.to_owned());
        self.blocking(move |workflows| workflows.create(&name, &source, &description)).await
    }

    async fn delete(&self, name: &WorkflowName) -> Result<bool, StorageError> {
        let name = name.clone();
        self.blocking(move |workflows| workflows.delete(&name)).await
    }

    async fn problems(&self) -> Result<Vec<Problem>, StorageError> {
        self.blocking(|workflows| {
            workflows.catalogue()?;
            let known = workflows.known();
            let problem = |(name, seen): (&String, &Seen)| {
                let reason = seen.content.as_ref().err()?.clone();
                Some(Problem { name: name.clone(), reason })
            };
            let mut problems: Vec<_> = known.files.iter().filter_map(problem).collect();
            problems.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(problems)
        })
        .await
    }
}

impl Workflows {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is in the folder now.
    fn catalogue(&self) -> Result<Arc<Catalogue>, StorageError> {
        let failed = || StorageError::reading("the list of workflows");
        let mut known = self.known();
        match folder::open(&self.folder).map_err(failed())? {
            Some(folder) => known.refresh(&folder).map_err(failed())?,
            None => *known = Known::default(),
        }
        if let Some(catalogue) = &known.catalogue {
            return Ok(catalogue.clone());
        }
        let readable = known.files.values().filter_map(|seen| seen.content.as_ref().ok());
        let mut workflows: Vec<_> = readable.map(|content| content.workflow.clone()).collect();
        workflows.sort_by(|one, other| one.name.cmp(&other.name));
        let catalogue = Arc::new(Catalogue::new(workflows));
        known.catalogue = Some(catalogue.clone());
        Ok(catalogue)
    }

    fn get(&self, name: &WorkflowName) -> Result<Option<Arc<Workflow>>, StorageError> {
        let failed = || StorageError::reading(format!("the workflow {name:?}"));
        let mut known = self.known();
        let Some(folder) = folder::open(&self.folder).map_err(failed())? else { return Ok(None) };
        known.refresh_notes(&folder).map_err(failed())?;
        let file = format!("{name}{SUFFIX}");
        let stamp = Stamp::at(&folder, &file).map_err(failed())?;
        let is_known = known.files.get(name.as_str()).is_some_and(|seen| seen.is_still(stamp));
        if stamp.is_some() && !is_known {
            known.read(&folder, vec![name.to_string()]).map_err(failed())?;
        }
        match known.files.get(name.as_str()) {
            _ if stamp.is_none() => Ok(None),
            None => Ok(None), // it went while it was read
            Some(Seen { content: Ok(content), .. }) => Ok(Some(content.workflow.clone())),
            Some(Seen { content: Err(reason), .. }) => {
                Err(StorageError::read(format!("the workflow {name:?}"), reason))
            }
        }
    }

    fn create(
        &self,
        name: &WorkflowName,
        source: &str,
        description: &str,
    ) -> Result<Arc<Workflow>, StorageError> {
        let workflow = Workflow::new(name, source, description)?;
        let failed = || StorageError::writing(format!("the workflow {name:?}"));
        let folder = folder::make(&self.folder).map_err(failed())?;
        let sha256 = hex(&Sha256::digest(source));
        let given = (!description.trim().is_empty()).then_some((description, sha256.as_str()));

        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = Lock::take(&folder, LOCK).map_err(failed())?;
        let file = Aside::write(&folder, OWN, source.as_bytes()).map_err(failed())?;
        let notes = self.notes_with(&folder, name, given).map_err(failed())?;
        file.place(&folder, &format!("{name}{SUFFIX}")).map_err(failed())?;
        if let Some(notes) = notes {
            notes.place(&folder, NOTES).map_err(failed())?;
        }
        folder::sync(&folder).map_err(failed())?;
        Ok(Arc::new(workflow))
    }

    fn delete(&self, name: &WorkflowName) -> Result<bool, StorageError> {
        let failed = || StorageError::writing(format!("the workflow {name:?}"));
        let Some(folder) = folder::open(&self.folder).map_err(failed())? else { return Ok(false) };
        let file = format!("{name}{SUFFIX}");
        if folder.symlink_metadata(&file).is_err() {
            return Ok(false);
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = Lock::take(&folder, LOCK).map_err(failed())?;
        match folder.remove_file(&file) {
            Ok(()) => {}
            Err(error) if folder::is_missing(&error) => return Ok(false),
            Err(error) => return Err(failed()(error)),
        }
        // A note without its source counts for nothing, so a full disk is no reason to fail.
        if let Ok(Some(notes)) = self.notes_with(&folder, name, None) {
            let _ = notes.place(&folder, NOTES);
        }
        folder::sync(&folder).map_err(failed())?;
        Ok(true)
    }

    /// The file of notes with one of them changed, written aside; nothing if it needs no change.
    fn notes_with<'a>(
        &self,
        folder: &'a Dir,
        name: &WorkflowName,
        given: Option<(&str, &str)>,
    ) -> io::Result<Option<Aside<'a>>> {
        let mut known = self.known();
        known.refresh_notes(folder)?;
        let Some(text) = known.notes.with(name.as_str(), given)? else { return Ok(None) };
        drop(known);
        Aside::write(folder, OWN, text.as_bytes()).map(Some)
    }
}

impl Known {
    /// Looks at every file, and reads those that changed.
    fn refresh(&mut self, folder: &Dir) -> io::Result<()> {
        self.refresh_notes(folder)?;
        self.scans += 1;
        let scan = self.scans;
        let mut changed = Vec::new();
        let mut there = 0;
        look_through(folder, |name, stamp| match self.files.get_mut(name) {
            Some(seen) => {
                seen.scan = scan;
                there += 1;
                if !seen.is_still(Some(stamp)) {
                    changed.push(name.to_owned());
                }
            }
            None => changed.push(name.to_owned()),
        })?;
        if there < self.files.len() {
            self.files.retain(|_, seen| seen.scan == scan);
            self.catalogue = None;
        }
        changed.sort();
        self.read(folder, changed)
    }

    /// Reads the notes if they changed, and describes all workflows by them.
    fn refresh_notes(&mut self, folder: &Dir) -> io::Result<()> {
        if !self.notes.refresh(folder)? {
            return Ok(());
        }
        for seen in self.files.values_mut() {
            let Ok(content) = &mut seen.content else { continue };
            let Content { workflow, sha256, outline } = content;
            let given = self.notes.description(workflow.name.as_str(), sha256);
            let source = workflow.source.clone();
            match Workflow::with_outline(&workflow.name, source, given, outline.clone()) {
                Ok(described) if described == **workflow => {}
                Ok(described) => *workflow = Arc::new(described),
                Err(error) => seen.content = Err(error.to_string()),
            }
        }
        self.catalogue = None;
        Ok(())
    }

    /// Reads these files, and parses those whose content is another.
    fn read(&mut self, folder: &Dir, names: Vec<String>) -> io::Result<()> {
        let now = SystemTime::now();
        let mut fresh = Vec::new();
        for name in names {
            match (Fresh::read(folder, &name, now)?, self.files.get_mut(&name)) {
                (Some(file), Some(seen)) if seen.has(&file) => {
                    (seen.stamp, seen.is_settled) = (file.stamp, file.is_settled);
                }
                (Some(file), _) => fresh.push((name, file)),
                (None, _) => {
                    self.files.remove(&name);
                    self.catalogue = None;
                }
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        self.catalogue = None;
        let sources: Vec<&str> =
            fresh.iter().filter_map(|(_, file)| file.source.as_deref().ok()).collect();
        let mut outlines = python::outlines(&sources)?.into_iter();
        for (name, Fresh { stamp, is_settled, source }) in fresh {
            let content = match source {
                Ok(source) => match outlines.next() {
                    Some(Ok(outline)) => self.content(&name, source, outline),
                    Some(Err(refusal)) => Err(refusal.to_string()),
                    None => Err("it was not parsed".to_owned()),
                },
                Err(reason) => Err(reason),
            };
            self.files.insert(name, Seen { stamp, is_settled, scan: self.scans, content });
        }
        Ok(())
    }

    fn content(&self, name: &str, source: String, outline: Outline) -> Result<Content, String> {
        let name: WorkflowName = name.parse().map_err(|error: StorageError| error.to_string())?;
        let sha256 = hex(&Sha256::digest(&source));
        let given = self.notes.description(name.as_str(), &sha256);
        let workflow = Workflow::with_outline(&name, source, given, outline.clone())
            .map_err(|error| error.to_string())?;
        Ok(Content { sha256, outline, workflow: Arc::new(workflow) })
    }
}

impl Seen {
    /// Whether the file is the one that was read.
    fn is_still(&self, stamp: Option<Stamp>) -> bool {
        self.is_settled && stamp == Some(self.stamp)
    }

    fn has(&self, file: &Fresh) -> bool {
        match (&self.content, &file.source) {
            (Ok(content), Ok(source)) => content.workflow.source == *source,
            _ => false,
        }
    }
}

/// A file as it is now.
struct Fresh {
    stamp: Stamp,
    is_settled: bool,
    source: Result<String, String>,
}

impl Fresh {
    fn read(folder: &Dir, name: &str, now: SystemTime) -> io::Result<Option<Self>> {
        let path = format!("{name}{SUFFIX}");
        // Links may lead out of this folder: nobody but the host can make them here.
        let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(folder, path, flags, Mode::empty()) {
            Ok(file) => cap_std::fs::File::from_std(std::fs::File::from(file)),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stamp = Stamp::of(&file)?;
        let source = match folder::read(&file, MAX_SOURCE_BYTES as u64)? {
            Some(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
            None => Err(format!(
                "it has {} bytes, and at most {MAX_SOURCE_BYTES} are taken",
                stamp.size()
            )),
        };
        Ok(Some(Self { stamp, is_settled: stamp.is_settled(now), source }))
    }
}

/// Shows every file that is a workflow by its name.
fn look_through(folder: &Dir, mut show: impl FnMut(&str, Stamp)) -> io::Result<()> {
    // The handle of the folder is one for paths only.
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(folder, ".", flags, Mode::empty())?;
    for entry in rustix::fs::Dir::new(handle)? {
        let entry = entry?;
        let Ok(file) = entry.file_name().to_str() else { continue };
        let Some(name) = file.strip_suffix(SUFFIX) else { continue };
        if name.starts_with(['_', '.']) || name.is_empty() {
            continue;
        }
        if let Some(stamp) = Stamp::at(folder, file)? {
            show(name, stamp);
        }
    }
    Ok(())
}
