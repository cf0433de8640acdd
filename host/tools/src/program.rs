//! Which program runs, where, and with which environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Access, access};
use tokio::process::Command;

use crate::variables::Variables;

/// What every program gets of the host's environment, where it is set, beside the variables that
/// begin with `LC_`.
const PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// A program and how it is run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// A name that is looked up in PATH, or a path.
    pub(crate) command: String,
    /// Where relative paths of the declaration begin; the folder of the declaration.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) cwd: Option<PathBuf>,
    /// Its own variables. Their values are secrets.
    pub(crate) env: BTreeMap<String, String>,
    /// The further variables of the host that it gets.
    pub(crate) env_pass: Vec<String>,
    pub(crate) variables: Variables,
}

impl Program {
    /// The command with these words; none if there is no such program.
    pub(crate) fn command(&self, words: &[OsString]) -> Option<Command> {
        let environment = self.environment();
        let path = environment.get(OsStr::new("PATH"));
        let mut command = Command::new(self.find(path.map(OsString::as_os_str))?);
        command
            .arg0(&self.command)
            .args(words)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(cwd) = &self.cwd {
            command.current_dir(self.based(cwd));
        }
        Some(command)
    }

    /// Whether the program is there now.
    pub(crate) fn is_there(&self) -> bool {
        self.command(&[]).is_some()
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let passed = PASSED.iter().copied().chain(self.env_pass.iter().map(String::as_str));
        let passed = passed.filter_map(|name| Some((name.into(), self.variables.get(name)?)));
        let own = self.env.iter().map(|(name, value)| (name.into(), value.into()));
        self.variables.starting_with("LC_").into_iter().chain(passed).chain(own).collect()
    }

    fn find(&self, path: Option<&OsStr>) -> Option<PathBuf> {
        if self.command.contains('/') {
            return Some(self.based(Path::new(&self.command))).filter(|file| is_executable(file));
        }
        // A relative folder in PATH would depend on where the host happens to run.
        std::env::split_paths(path?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(&self.command))
            .find(|file| is_executable(file))
    }

    /// The path from the root: a relative one would be looked up in the working directory of the
    /// child, which is another.
    fn based(&self, path: &Path) -> PathBuf {
        let path = self.folder.as_ref().map_or_else(|| path.to_owned(), |folder| folder.join(path));
        std::path::absolute(&path).unwrap_or(path)
    }
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}
