//! Whether a chain is what was written.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::IgnoredAny;

use super::chained::{self, GENESIS, Link, unhex};
use crate::canonical::hex;

/// The longest line of a log. What is written is far shorter.
pub(super) const MAX_LINE: usize = 4 << 20;

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Its lines.
    pub entries: u64,
    /// The hash of the last one, in hexadecimal. Kept somewhere else, with the number of lines, it is
    /// what a later look can find missing lines by: see [`verify_since`].
    pub last_hash: String,
    /// The bytes after it of a line that was cut off, as by a crash. Writing to the log again removes
    /// them.
    pub torn_bytes: u64,
}

/// What is known of a log from an earlier look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The lines that it had.
    pub entries: Option<u64>,
    /// The hash of the last of them.
    pub hash: Option<String>,
}

impl Anchor {
    /// What to keep of a log that holds.
    pub fn of(verified: &Verified) -> Self {
        Self { entries: Some(verified.entries), hash: Some(verified.last_hash.clone()) }
    }
}

/// A chain that does not hold.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {flaw}")]
pub struct AuditError {
    /// The first line that is not what was written, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: AuditFlaw,
}

/// What can be wrong with a chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFlaw {
    /// The line is none of a chain, or it was changed.
    #[error("it was changed, or it was never part of the chain")]
    Changed,
    /// The line is whole, but it does not follow on the one before it.
    #[error("it does not follow on the line before: lines are missing, added or in another order")]
    OutOfOrder,
    /// The log ends before it should.
    #[error("the log ends here, and {0} lines are known to have been in it")]
    Truncated(u64),
    /// The log does not have the line that is known to have been in it.
    #[error("the line of the hash {0} that is known to have been in the log is not there")]
    OtherHistory(String),
    /// The line is longer than any that is written.
    #[error("it is longer than any line of a log")]
    TooLong,
    /// The log cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Looks whether a chained log is whole: nothing changed, removed from its beginning or its middle,
/// moved or added.
///
/// Lines that are missing at the end leave a chain that holds; [`verify_since`] finds them. Whoever
/// can write the file can also write a new chain, which only a hash that is kept elsewhere gives away.
pub fn verify(log: impl Read) -> Result<Verified, AuditError> {
    verify_since(log, &Anchor::default())
}

/// The same, and the log has to go on from what is known of it.
pub fn verify_since(log: impl Read, anchor: &Anchor) -> Result<Verified, AuditError> {
    let mut log = BufReader::new(log);
    let mut chain = Chain::new(anchor);
    let mut line = Vec::new();
    loop {
        let number = chain.entries + 1;
        let error = |flaw: AuditFlaw| AuditError { line: number, flaw };
        line.clear();
        (&mut log)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|source| error(source.into()))?;
        if line.is_empty() {
            return chain.finish(0);
        }
        if line.len() > MAX_LINE {
            return Err(error(AuditFlaw::TooLong));
        }
        let whole = line.strip_suffix(b"\n");
        let Some(place) = chained::place(whole.unwrap_or(&line)) else {
            if whole.is_none() && is_torn(&line) {
                return chain.finish(line.len() as u64);
            }
            return Err(error(AuditFlaw::Changed));
        };
        if place.prev != chain.last {
            return Err(error(AuditFlaw::OutOfOrder));
        }
        chain.follow(place.hash).map_err(error)?;
    }
}

/// Whether bytes without a line break are the beginning of a line, and no more. After a power cut the
/// end of a file may be zeros.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let Some(text) = tail.get(..written) else { return false };
    match serde_json::from_slice::<IgnoredAny>(text) {
        Err(error) => error.is_eof() && (text.is_empty() || text.starts_with(b"{")),
        Ok(_) => false,
    }
}

/// What was read so far.
struct Chain<'a> {
    anchor: &'a Anchor,
    entries: u64,
    last: Link,
    has_passed: bool,
}

impl<'a> Chain<'a> {
    fn new(anchor: &'a Anchor) -> Self {
        let mut chain = Self { anchor, entries: 0, last: GENESIS, has_passed: false };
        // An anchor of an empty log.
        chain.has_passed = chain.is_at_anchor();
        chain
    }

    fn follow(&mut self, hash: Link) -> Result<(), AuditFlaw> {
        self.entries += 1;
        self.last = hash;
        let is_at_count = self.anchor.entries == Some(self.entries);
        if self.is_at_anchor() {
            self.has_passed = true;
        } else if is_at_count {
            return Err(AuditFlaw::OtherHistory(self.anchor.hash.clone().unwrap_or_default()));
        }
        Ok(())
    }

    fn is_at_anchor(&self) -> bool {
        let has_hash = match &self.anchor.hash {
            Some(hash) => unhex(hash.as_bytes()) == Some(self.last),
            None => true,
        };
        has_hash && self.anchor.entries.is_none_or(|entries| entries == self.entries)
    }

    fn finish(self, torn_bytes: u64) -> Result<Verified, AuditError> {
        if !self.has_passed {
            let flaw = match (&self.anchor.entries, &self.anchor.hash) {
                (Some(entries), _) => AuditFlaw::Truncated(*entries),
                (None, hash) => AuditFlaw::OtherHistory(hash.clone().unwrap_or_default()),
            };
            return Err(AuditError { line: self.entries + 1, flaw });
        }
        Ok(Verified { entries: self.entries, last_hash: hex(&self.last), torn_bytes })
    }
}
