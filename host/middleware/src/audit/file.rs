//! Logs on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::chained::{self, GENESIS, Link};
use super::verify::{MAX_LINE, is_torn};
use crate::MiddlewareError;

/// A file that several may append to. Each line is one `write`, which the system appends as a whole.
pub(super) struct SharedFile {
    file: File,
    /// Whether the last line was not written to its end.
    is_torn: bool,
}

impl SharedFile {
    pub(super) fn open(path: &Path) -> Result<Self, MiddlewareError> {
        let mut file = open(path)?;
        // Where files cannot be locked at all, nobody has a chain in one.
        if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
            return Err(in_use(path));
        }
        let is_torn = !ends_in_line_break(&mut file).map_err(|source| failed(path, source))?;
        Ok(Self { file, is_torn })
    }

    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.is_torn = false;
        }
        write_once(&mut self.file, line)
            .inspect_err(|failure| self.is_torn = failure.is_partial)?;
        Ok(())
    }
}

/// A file that holds one chain, and that is locked as long as it is open.
pub(super) struct ChainedFile {
    file: File,
    /// Where the last whole line ends.
    length: u64,
    last: Link,
    is_broken: bool,
}

/// What was cut off when a log was opened.
pub(super) struct Torn {
    pub(super) bytes: u64,
}

impl ChainedFile {
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Torn>), MiddlewareError> {
        let mut file = open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => in_use(path),
            TryLockError::Error(source) => failed(path, source),
        })?;
        let end = read_end(&mut file).map_err(|source| failed(path, source))?;
        let Some(end) = end else {
            return Err(MiddlewareError::AuditNotChained { path: path.display().to_string() });
        };
        let mut log = Self { file, length: end.length, last: end.last, is_broken: false };
        if end.torn > 0 {
            log.file.set_len(end.length).map_err(|source| failed(path, source))?;
        }
        if end.lacks_line_break {
            log.file.write_all(b"\n").map_err(|source| failed(path, source))?;
            log.length += 1;
        }
        Ok((log, (end.torn > 0).then_some(Torn { bytes: end.torn })))
    }

    pub(super) fn write(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        if self.is_broken {
            self.repair()?;
        }
        let hash = chained::close(line, &self.last);
        line.push(b'\n');
        match write_once(&mut self.file, line) {
            Ok(()) => {
                self.length += line.len() as u64;
                self.last = hash;
                Ok(())
            }
            Err(failure) => {
                self.is_broken = true;
                Err(failure.into())
            }
        }
    }

    /// Takes a line back that was not written to its end: nobody was told that it is there, and
    /// nobody else writes here.
    fn repair(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length {
            self.file.set_len(self.length)?;
        }
        self.is_broken = false;
        Ok(())
    }
}

/// Why a line was not written.
struct Failure {
    source: io::Error,
    is_partial: bool,
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        failure.source
    }
}

/// In one call of the system. A part of a line is a failure: its rest could end up behind a line of
/// somebody else.
fn write_once(file: &mut File, line: &[u8]) -> Result<(), Failure> {
    loop {
        match file.write(line) {
            Ok(written) if written == line.len() => return Ok(()),
            Ok(written) => {
                let source = io::Error::new(io::ErrorKind::StorageFull, "no room for a whole line");
                return Err(Failure { source, is_partial: written > 0 });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Failure { source, is_partial: false }),
        }
    }
}

fn open(path: &Path) -> Result<File, MiddlewareError> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> MiddlewareError {
    MiddlewareError::File { path: path.display().to_string(), source }
}

fn in_use(path: &Path) -> MiddlewareError {
    MiddlewareError::AuditInUse { path: path.display().to_string() }
}

fn ends_in_line_break(file: &mut File) -> io::Result<bool> {
    match file.seek(SeekFrom::End(0)) {
        Ok(0) => return Ok(true),
        Ok(_) => {}
        // A pipe or a terminal has no end to look at.
        Err(error) if error.kind() == io::ErrorKind::NotSeekable => return Ok(true),
        Err(error) => return Err(error),
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// How a chained file ends.
struct End {
    /// Where its last whole line ends, line break included.
    length: u64,
    last: Link,
    /// What comes after, of a line that was cut off.
    torn: u64,
    /// Whether only the break of the last line is missing.
    lacks_line_break: bool,
}

/// None where the last line belongs to no chain. Only the end is read: whether the chain holds is for
/// [`verify`](super::verify) to say.
fn read_end(file: &mut File) -> io::Result<Option<End>> {
    let length = file.seek(SeekFrom::End(0))?;
    // The last whole line and a torn one.
    let begin = length.saturating_sub(2 * MAX_LINE as u64);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    file.take(length - begin).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (lines, rest) = tail.split_at(whole);
    if !rest.is_empty()
        && let Some(place) = chained::place(rest)
    {
        return Ok(Some(End { length, last: place.hash, torn: 0, lacks_line_break: true }));
    }
    if !rest.is_empty() && !is_torn(rest) {
        return Ok(None);
    }
    let torn = rest.len() as u64;
    let length = length - torn;
    let Some(lines) = lines.strip_suffix(b"\n") else {
        // No whole line: at the beginning of a file that is a new log.
        let is_new = begin == 0;
        return Ok(is_new.then_some(End { length, last: GENESIS, torn, lacks_line_break: false }));
    };
    let last = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let place = lines.get(last..).and_then(chained::place);
    Ok(place.map(|place| End { length, last: place.hash, torn, lacks_line_break: false }))
}
