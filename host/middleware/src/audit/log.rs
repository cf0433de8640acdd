//! The handle that everybody writes through.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::AuditEntry;
use super::chained::{self, GENESIS, Link};
use super::entry::open_line;
use super::file::{ChainedFile, SharedFile};
use crate::{MiddlewareError, Redactor};

/// An audit log: one JSON object on each line, appended and never changed. Clones write to the same.
///
/// A line is written by the thread that asks for it, in one call of the system: some microseconds,
/// as the kernel only takes it into its cache. A line survives the end of this process, and not
/// always the end of power.
///
/// ```
/// use pcm_middleware::{AuditEntry, AuditEvent, AuditLog, verify};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("audit.jsonl");
/// let log = AuditLog::chained_file(&path)?;
/// log.append(&AuditEntry::new(AuditEvent::SessionStart))?;
/// log.append(&AuditEntry::new(AuditEvent::SessionClose))?;
/// assert_eq!(verify(std::fs::File::open(&path)?)?.entries, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuditLog {
    sink: Arc<Mutex<Sink>>,
    redactor: Option<Redactor>,
}

type Callback = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

enum Sink {
    Shared(SharedFile),
    Chained(ChainedFile),
    Writer { writer: Box<dyn Write + Send>, chain: Option<Link>, is_broken: bool },
    Callback(Callback),
}

impl AuditLog {
    /// Appends to a file that only its owner may read. Several processes may share it.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, MiddlewareError> {
        SharedFile::open(path.as_ref()).map(|file| Self::to(Sink::Shared(file)))
    }

    /// Appends to a file whose lines are chained by hashes, so that [`verify`](super::verify) finds
    /// what was changed. One process at a time.
    ///
    /// A line that a crash cut off is removed, and a line of the event `log.resumed` says so.
    pub fn chained_file(path: impl AsRef<Path>) -> Result<Self, MiddlewareError> {
        let (file, torn) = ChainedFile::open(path.as_ref())?;
        let log = Self::to(Sink::Chained(file));
        if let Some(torn) = torn {
            let mut entry = AuditEntry::new(super::AuditEvent::LogResumed);
            let reason = format!("{} bytes of a line that was cut off are gone", torn.bytes);
            entry.reason = Some(&reason);
            log.append(&entry)?;
        }
        Ok(log)
    }

    /// Writes lines to `writer`, each in one call of `write_all` and then flushed.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::to(Sink::Writer { writer: Box::new(writer), chain: None, is_broken: false })
    }

    /// Writes the lines of a new chain to `writer`. After a failure it takes no more: nobody knows
    /// how much of the line arrived.
    pub fn chained_writer(writer: impl Write + Send + 'static) -> Self {
        Self::to(Sink::Writer { writer: Box::new(writer), chain: Some(GENESIS), is_broken: false })
    }

    /// Gives lines, without their line breaks, to a function. It is called on the threads of the calls
    /// and must not block.
    pub fn callback(function: impl FnMut(&str) -> io::Result<()> + Send + 'static) -> Self {
        Self::to(Sink::Callback(Box::new(function)))
    }

    fn to(sink: Sink) -> Self {
        Self { sink: Arc::new(Mutex::new(sink)), redactor: None }
    }

    /// Has secrets replaced in the texts of entries.
    #[must_use]
    pub fn redacted(mut self, redactor: Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    pub(super) fn redactor(&self) -> Option<&Redactor> {
        self.redactor.as_ref()
    }

    /// Writes one line.
    pub fn append(&self, entry: &AuditEntry<'_>) -> Result<(), MiddlewareError> {
        let mut line = open_line(entry, self.redactor.as_ref());
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write(&mut line).map_err(MiddlewareError::AuditWrite)
    }
}

impl Sink {
    fn write(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Shared(file) => {
                line.extend_from_slice(b"}\n");
                file.write(line)
            }
            Self::Chained(file) => file.write(line),
            Self::Writer { is_broken: true, .. } => {
                Err(io::Error::other("the chain is broken since a line could not be written"))
            }
            Self::Writer { writer, chain, is_broken } => {
                let hash = chain.map(|prev| chained::close(line, &prev));
                if hash.is_none() {
                    line.push(b'}');
                }
                line.push(b'\n');
                let written = writer.write_all(line).and_then(|()| writer.flush());
                if chain.is_some() {
                    *is_broken = written.is_err();
                    *chain = hash;
                }
                written
            }
            Self::Callback(function) => {
                line.push(b'}');
                let text = std::str::from_utf8(line).map_err(io::Error::other)?;
                function(text)
            }
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.write_str(match *sink {
            Sink::Shared(_) => "AuditLog(file)",
            Sink::Chained(_) => "AuditLog(chained file)",
            Sink::Writer { .. } => "AuditLog(writer)",
            Sink::Callback(_) => "AuditLog(callback)",
        })
    }
}
