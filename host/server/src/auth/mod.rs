//! Who asks, and what they may.
//!
//! A token is known by its hash alone. Every hash there is is compared with that of the token that came,
//! each in constant time, so that an answer's time tells nothing about either.

mod gate;
mod tokens;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::{HeaderMap, header};
use pcm_storage::WorkspaceId;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::ServerError;
use crate::answer::Refusal;
use crate::config::{Access, ServerLimits};

pub(crate) use gate::{Bounds, Gate, Passed};

/// What a token is known by.
#[derive(Clone)]
pub struct Secret {
    kind: HashKind,
    hash: [u8; 32],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HashKind {
    Sha256,
    Blake3,
}

impl Secret {
    /// What this token is known by.
    pub(crate) fn of(token: &str) -> Self {
        Self { kind: HashKind::Sha256, hash: Sha256::digest(token).into() }
    }

    /// What a token is known by whose hash is written as `sha256:` or `blake3:` and 64 digits.
    fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = match text.split_once(':')? {
            ("sha256", digits) => (HashKind::Sha256, digits),
            ("blake3", digits) => (HashKind::Blake3, digits),
            _ => return None,
        };
        // The parser of BLAKE3 reads any 32 bytes in hexadecimal.
        let hash = *blake3::Hash::from_hex(digits).ok()?.as_bytes();
        Some(Self { kind, hash })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a token")
    }
}

/// The hashes of the token that came.
struct Presented {
    sha256: [u8; 32],
    blake3: [u8; 32],
}

impl Presented {
    fn of(token: &str) -> Self {
        let sha256 = Sha256::digest(token).into();
        Self { sha256, blake3: *blake3::hash(token.as_bytes()).as_bytes() }
    }

    fn is(&self, secret: &Secret) -> Choice {
        match secret.kind {
            HashKind::Sha256 => self.sha256.ct_eq(&secret.hash),
            HashKind::Blake3 => self.blake3.ct_eq(&secret.hash),
        }
    }
}

/// Something that a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Right {
    /// Sessions: make them, run code, interrupt, reset, put and get their files.
    Execute,
    /// See tools, workflows, artifacts and packages.
    Read,
    /// Store and delete workflows and artifacts.
    Write,
    /// Install and remove packages.
    Deps,
    /// See calls that wait for an approval, and decide about them.
    Approve,
    /// See the server's figures.
    Metrics,
}

impl Right {
    pub(crate) const ALL: [Self; 6] =
        [Self::Execute, Self::Read, Self::Write, Self::Deps, Self::Approve, Self::Metrics];

    /// The right as a file of tokens has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Read => "read",
            Self::Write => "write",
            Self::Deps => "deps",
            Self::Approve => "approve",
            Self::Metrics => "metrics",
        }
    }
}

/// The workspaces that a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Workspaces {
    All,
    Listed(Vec<WorkspaceId>),
}

/// Whoever asks, once it is known who that is.
#[derive(Debug)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) workspaces: Workspaces,
    /// Whether it may use the space outside of all workspaces.
    pub(crate) unscoped: bool,
    pub(crate) rights: Vec<Right>,
    pub(crate) gate: Arc<Gate>,
}

impl Principal {
    /// One that may everything.
    fn whole(name: &str, bounds: Bounds) -> Self {
        Self {
            name: name.to_owned(),
            workspaces: Workspaces::All,
            unscoped: true,
            rights: Right::ALL.to_vec(),
            gate: Arc::new(Gate::new(bounds)),
        }
    }

    /// One that may nothing, for what nobody is asked a token for.
    pub(crate) fn nobody() -> Self {
        let bounds = Bounds { per_second: 1, requests: 0, sessions: 0 };
        let (rights, unscoped) = (Vec::new(), false);
        let workspaces = Workspaces::Listed(Vec::new());
        Self { workspaces, unscoped, rights, ..Self::whole("", bounds) }
    }

    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Whether it may use a workspace, or the space outside of all.
    pub(crate) fn may_use(&self, workspace: Option<&WorkspaceId>) -> bool {
        match (workspace, &self.workspaces) {
            (None, _) => self.unscoped,
            (Some(_), Workspaces::All) => true,
            (Some(id), Workspaces::Listed(listed)) => listed.contains(id),
        }
    }
}

/// Knows who asks.
#[derive(Debug)]
pub(crate) enum Authenticator {
    Open(Arc<Principal>),
    One(Secret, Arc<Principal>),
    Listed(TokensFile),
}

impl Authenticator {
    pub(crate) fn new(access: &Access, limits: &ServerLimits) -> Result<Self, ServerError> {
        let bounds = Bounds::of(limits);
        Ok(match access {
            Access::Open => Self::Open(Arc::new(Principal::whole("anybody", bounds))),
            Access::Token(secret) => {
                Self::One(secret.clone(), Arc::new(Principal::whole("token", bounds)))
            }
            Access::Tokens(path) => Self::Listed(TokensFile::open(path, bounds)?),
        })
    }

    /// Who a request is of. What cannot be decided is an error of the server, never a yes.
    pub(crate) fn principal(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal> {
        match self {
            Self::Open(principal) => Ok(Arc::clone(principal)),
            Self::One(secret, principal) => {
                let presented = Presented::of(bearer(headers)?);
                if bool::from(presented.is(secret)) {
                    return Ok(Arc::clone(principal));
                }
                Err(Refusal::invalid_token())
            }
            Self::Listed(file) => {
                let presented = Presented::of(bearer(headers)?);
                let entries = file.current().map_err(|error| {
                    tracing::error!(%error, "the tokens cannot be read; nobody gets in");
                    Refusal::misconfigured()
                })?;
                if entries.is_empty() {
                    return Err(Refusal::misconfigured());
                }
                let mut found = None;
                for (secret, principal) in entries.iter() {
                    if bool::from(presented.is(secret)) {
                        found = Some(principal);
                    }
                }
                found.cloned().ok_or_else(Refusal::invalid_token)
            }
        }
    }
}

/// The token of a request: after `Bearer` and one space, and in one header.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return Err(Refusal::no_token());
    };
    let value = value.to_str().map_err(|_| Refusal::no_token())?;
    match value.split_once(' ') {
        Some(("Bearer", token)) if !token.trim().is_empty() => Ok(token.trim()),
        Some(("Bearer", _)) => Err(Refusal::invalid_token()),
        None if value == "Bearer" => Err(Refusal::invalid_token()),
        _ => Err(Refusal::no_token()),
    }
}

type Entries = Arc<Vec<(Secret, Arc<Principal>)>>;

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
    fn open(path: &Path, usual: Bounds) -> Result<Self, ServerError> {
        let read = ReadTokens { stamp: None, entries: None, gates: HashMap::new() };
        let file = Self { path: path.to_owned(), usual, read: Mutex::new(read) };
        file.current()?;
        Ok(file)
    }

    /// The tokens as the file has them now. A file that cannot be read has none: a token that was
    /// taken out of it must not live on because of a slip of the pen.
    fn current(&self) -> Result<Entries, ServerError> {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_its_token_and_of_no_other() {
        let sha256 = "sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
        let blake3 = format!("blake3:{}", blake3::hash(b"12345").to_hex());
        for text in [sha256, &blake3] {
            let secret = Secret::parse(text).unwrap();
            assert!(bool::from(Presented::of("12345").is(&secret)), "{text}");
            assert!(!bool::from(Presented::of("12346").is(&secret)), "{text}");
            assert!(!format!("{secret:?}").contains("5994"));
        }
        for text in ["", "sha256:", "md5:00", "sha256:zz", &sha256[..70], "12345"] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_token_comes_after_one_word_in_one_header() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned).ok()
        };
        assert_eq!(read(&["Bearer tok"]).as_deref(), Some("tok"));
        for values in [
            &[][..],
            &["Basic dG9r"],
            &["Bearer"],
            &["Bearer "],
            &["bearer tok"],
            &["BEARER tok"],
            &["Bearertok"],
            &[""],
            &["   "],
            &["Bearer tok", "Bearer tok"],
        ] {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
