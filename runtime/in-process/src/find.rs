//! Which Python is installed, and where its library is.

use std::env;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::InProcessError;

/// Names a Python, where no configuration does.
const VARIABLE: &str = "PCM_PYTHON";
const NAMES: [&str; 2] = ["python3", "python"];
/// The oldest Python that the evaluator runs in.
const LEAST: (u32, u32) = (3, 11);
const LEAST_TEXT: &str = "3.11";
const SCRIPT: &str = include_str!("probe.py");
/// How long it may take to start: a cold disk, and what `sitecustomize` does.
const PROBE_TIME: Duration = Duration::from_secs(20);
/// The longest answer that is read.
const LONGEST_ANSWER: u64 = 64 << 10;

/// A Python that can be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The program, as it names itself: in a virtual environment, the one of the environment.
    pub(crate) executable: PathBuf,
    pub(crate) library: PathBuf,
    pub(crate) version: String,
}

#[derive(Deserialize)]
struct Answer {
    implementation: String,
    version: (u32, u32, u32),
    executable: PathBuf,
    bits: u32,
    free_threaded: bool,
    candidates: Vec<PathBuf>,
}

/// The Python that `wanted` names, or the environment does, or that is on the path.
pub(crate) fn find(wanted: Option<&Path>) -> Result<Found, InProcessError> {
    let python = program(wanted)?;
    let answer = ask(&python)?;
    let (major, minor, patch) = answer.version;
    let version = format!("{major}.{minor}.{patch}");
    let unsuitable = |found: String, needed: &str| {
        let needed = needed.to_owned();
        Err(InProcessError::Unsuitable { python: python.clone(), found, needed })
    };
    if answer.implementation != "cpython" {
        return unsuitable(answer.implementation, "CPython");
    }
    if (major, minor) < LEAST {
        return unsuitable(format!("Python {version}"), "3.11 or newer");
    }
    if answer.free_threaded {
        return unsuitable("a free-threaded build".to_owned(), "one with a global lock");
    }
    if answer.bits != usize::BITS {
        let needed = format!("one of {} bits", usize::BITS);
        return unsuitable(format!("of {} bits", answer.bits), &needed);
    }
    let Some(library) = answer.candidates.iter().find(|path| path.is_file()).cloned() else {
        let shown: Vec<_> =
            answer.candidates.iter().map(|path| path.display().to_string()).collect();
        let looked_for = if shown.is_empty() {
            "none: its build is static".to_owned()
        } else {
            shown.join(", ")
        };
        let short = format!("{major}.{minor}");
        return Err(InProcessError::NoLibrary { python, version, short, looked_for });
    };
    Ok(Found { executable: answer.executable, library, version })
}

fn program(wanted: Option<&Path>) -> Result<PathBuf, InProcessError> {
    let named = wanted.map(Path::to_owned);
    let variable = || env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let missing = |looked_for: String| InProcessError::NoPython { looked_for, least: LEAST_TEXT };
    if let Some(named) = named.or_else(variable) {
        // A name without a folder is one on the path, as for a shell.
        let found = if named.components().count() == 1 { on_path(named.as_os_str()) } else { None };
        let found = found.or_else(|| named.is_file().then(|| named.clone()));
        return found.ok_or_else(|| missing(named.display().to_string()));
    }
    let found = NAMES.iter().find_map(|name| on_path(name.as_ref()));
    found.ok_or_else(|| missing(format!("{} on the PATH", NAMES.join(" and "))))
}

fn on_path(name: &std::ffi::OsStr) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Has it say what it is.
fn ask(python: &Path) -> Result<Answer, InProcessError> {
    let failed = |reason: String| InProcessError::Probe { python: python.to_owned(), reason };
    let child = Command::new(python)
        .args(["-I", "-c", SCRIPT])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let stdout = child.stdout.take();
    // What it says is short: it fits the pipe, so nobody has to read before it has ended.
    if !ends_in_time(&mut child) {
        return Err(InProcessError::ProbeTimeout { python: python.to_owned(), limit: PROBE_TIME });
    }
    let mut said = String::new();
    if let Some(stdout) = stdout {
        let read = stdout.take(LONGEST_ANSWER).read_to_string(&mut said);
        read.map_err(|error| failed(error.to_string()))?;
    }
    // What `sitecustomize` prints comes before it.
    let line = said.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).map_err(|_| failed(format!("it printed {said:?}")))
}

fn ends_in_time(child: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < PROBE_TIME {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) => thread::sleep(Duration::from_millis(2)),
            Err(_) => break,
        }
    }
    let _ = child.kill(); // it may have ended meanwhile
    let _ = child.wait();
    false
}
