//! Why there is no Python.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the installed Python cannot be used in this process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InProcessError {
    /// No program of that name.
    #[error(
        "no Python was found: looked for {looked_for}; install Python {least} or newer, or name one \
         with InProcessConfig::python or $PCM_PYTHON"
    )]
    NoPython {
        /// Where it was looked for.
        looked_for: String,
        /// The oldest version that is supported.
        least: &'static str,
    },
    /// The program does not run, or does not tell what it is.
    #[error("{} does not say what it is: {reason}", python.display())]
    Probe {
        /// The program.
        python: PathBuf,
        /// What happened.
        reason: String,
    },
    /// It did not answer.
    #[error("{} did not say what it is within {limit:?}", python.display())]
    ProbeTimeout {
        /// The program.
        python: PathBuf,
        /// How long it had.
        limit: Duration,
    },
    /// It is too old, or of another kind.
    #[error("{} is {found}, and {needed} is needed: name another one with $PCM_PYTHON", python.display())]
    Unsuitable {
        /// The program.
        python: PathBuf,
        /// What it is.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// It has no library that could be loaded.
    #[error(
        "{} (Python {version}) has no shared library: looked for {looked_for}; install it (Debian and \
         Ubuntu: libpython{short}; Fedora: python3-libs), build with --enable-shared (pyenv: \
         PYTHON_CONFIGURE_OPTS=--enable-shared), or use a Python that has one, as those of uv do \
         (uv python install)",
        python.display()
    )]
    NoLibrary {
        /// The program.
        python: PathBuf,
        /// Its version.
        version: String,
        /// The first two parts of it.
        short: String,
        /// Where the library was looked for.
        looked_for: String,
    },
    /// The library could not be loaded.
    #[error("{} cannot be loaded: {reason}", library.display())]
    Load {
        /// The library.
        library: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// There is one interpreter for a process.
    #[error("this process runs {loaded} already, and cannot run {} beside it", wanted.display())]
    OtherPython {
        /// What is there.
        loaded: String,
        /// What was asked for.
        wanted: PathBuf,
    },
    /// Python runs, but not what is needed of it.
    #[error("Python does not start: {0}")]
    Start(String),
    /// Earlier runs do what nobody can stop.
    #[error("{0} earlier runs cannot be stopped; wait for one of them, or start a new process")]
    LeftBehind(usize),
    /// The system gave no thread.
    #[error("no thread for Python: {0}")]
    Thread(io::Error),
    /// The session's folder could not be made.
    #[error("no folder for the session: {0}")]
    Folder(io::Error),
}
