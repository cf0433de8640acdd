//! The tokens of a file, as it is now.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::gate::{Bounds, Gate};
use super::{Principal, Secret, tokens};
use crate::ServerError;

pub(super) type Entries = Arc<Vec<(Secret, Arc<Principal>)>>;

/// The tokens of a file, read again whenever it is another.
pub(crate) struct TokensFile {
    path: PathBuf,
    usual: Bounds,
    read: Mutex<ReadTokens>,
}

struct ReadTokens {
    stamp: Option<Stamp>,
    entries: Option<Entries>,
    /// By name, so that a bound holds on when the file is read again.
    gates: HashMap<String, Arc<Gate>>,
}

/// What tells one state of a file from another.
#[derive(PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    bytes: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, std::io::Error> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            changed: metadata.modified().ok(),
            bytes: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

impl TokensFile {
    pub(super) fn open(path: &Path, usual: Bounds) -> Result<Self, ServerError> {
        let read = ReadTokens { stamp: None, entries: None, gates: HashMap::new() };
        let file = Self { path: path.to_owned(), usual, read: Mutex::new(read) };
        file.current()?;
        Ok(file)
    }

    /// The tokens as the file has them now. A file that cannot be read has none: a token that was
    /// taken out of it must not live on because of a slip of the pen.
    pub(super) fn current(&self) -> Result<Entries, ServerError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| ServerError::TokensFile { file: self.shown(), source };
        let stamp = Stamp::of(&self.path).map_err(failed)?;
        if let Some(entries) = read.entries.as_ref().filter(|_| read.stamp.as_ref() == Some(&stamp))
        {
            return Ok(Arc::clone(entries));
        }
        read.entries = None;
        let text = tokens::text_of(&self.path).map_err(failed)?;
        let listed = tokens::parse(&text, &self.shown())?;
        let mut gates = HashMap::new();
        let mut entries = Vec::new();
        for token in listed {
            let bounds = token.bounds(self.usual);
            let kept = read.gates.get(&token.name).filter(|gate| gate.bounds() == bounds);
            let gate = kept.map_or_else(|| Arc::new(Gate::new(bounds)), Arc::clone);
            gates.insert(token.name.clone(), Arc::clone(&gate));
            let principal = Arc::new(Principal {
                name: token.name,
                workspaces: token.workspaces,
                unscoped: token.unscoped,
                rights: token.rights,
                gate,
            });
            let known = token.secrets.into_iter();
            entries.extend(known.map(|secret| (secret, Arc::clone(&principal))));
        }
        let entries = Arc::new(entries);
        (read.gates, read.stamp) = (gates, Some(stamp));
        read.entries = Some(Arc::clone(&entries));
        Ok(entries)
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

impl fmt::Debug for TokensFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokensFile").field("path", &self.path).finish_non_exhaustive()
    }
}
