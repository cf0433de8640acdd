//! All layers from one file: `schema` is what may stand in it, `reading` turns that into parts that
//! are checked, `warnings` says what is likely not meant, `active` makes layers of it.

mod active;
mod reading;
mod schema;
mod warnings;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use pcm_runtime_api::Payload;

pub use self::active::{ActivePolicy, PolicySetup};
use self::reading::{Parts, read};
pub use self::warnings::PolicyWarning;
use crate::{Decision, MiddlewareError, Policy};

/// A longer file is none.
const MAX_FILE: u64 = 1 << 20;

/// A file that says what sessions may do, and what is written down about it. `docs/policy.md` has its
/// format.
///
/// ```
/// use pcm_middleware::{Action, PolicyFile};
///
/// let file: PolicyFile = r#"
/// version: 1
/// rules:
///   - match: tools.mail.send
///     action: allow
///     when: to in ["team@example.org"]
///     rate: 10/h
///   - match: [tools.mail.send, tools.mail.delete]
///     action: ask
/// "#.parse()?;
/// let args = serde_json::json!({"to": "someone@elsewhere.example"}).into();
/// assert_eq!(file.explain("tools.mail.send", &args).action, Action::Ask);
/// assert_eq!(file.explain("tools.shell.run", &args).action, Action::Deny);
/// # Ok::<(), pcm_middleware::MiddlewareError>(())
/// ```
#[derive(Debug)]
pub struct PolicyFile {
    parts: Parts,
    folder: Option<PathBuf>,
}

impl PolicyFile {
    /// Reads a file. Paths in it are relative to its folder.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, MiddlewareError> {
        let path = path.as_ref();
        let failed = |source| MiddlewareError::File { path: path.display().to_string(), source };
        let mut text = String::new();
        let mut file = File::open(path).map_err(failed)?.take(MAX_FILE + 1);
        file.read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE {
            return Err(failed(io::Error::other("a policy file has at most 1 MiB")));
        }
        let folder = path.parent().map(Path::to_path_buf);
        Ok(Self { parts: read(&text)?, folder })
    }

    /// What is likely not to mean what its author thinks. What cannot be understood at all is an
    /// error of [`load`](Self::load) already.
    pub fn check(&self) -> &[PolicyWarning] {
        &self.parts.warnings
    }

    /// The rules.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.parts.policy
    }

    /// What the rules say to a call of the qualified name `name`: `tools.mail.send`, `artifacts.save`.
    pub fn explain(&self, name: &str, args: &Payload) -> Decision<'_> {
        self.parts.policy.decide(name, args)
    }

    /// Opens the audit log, looks up the secrets, and is ready to make layers for sessions.
    pub fn activate(&self, setup: PolicySetup) -> Result<ActivePolicy, MiddlewareError> {
        ActivePolicy::new(&self.parts, self.folder.as_deref(), setup)
    }
}

impl FromStr for PolicyFile {
    type Err = MiddlewareError;

    fn from_str(text: &str) -> Result<Self, MiddlewareError> {
        if text.len() as u64 > MAX_FILE {
            let message = "a policy file has at most 1 MiB".to_owned();
            return Err(MiddlewareError::PolicyFile { line: 0, column: 0, message });
        }
        Ok(Self { parts: read(text)?, folder: None })
    }
}
