//! What a worker is told on its command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pcm_runtime_jail::JailMode;
use serde::{Deserialize, Serialize};

/// The first argument of a worker, which no program has for itself.
pub(crate) const ARGUMENT: &str = "--pcm-sandbox-worker";

/// What it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The name of its engine.
    pub(crate) engine: String,
    /// How much of the jail is wanted.
    pub(crate) jail: JailMode,
    /// Where engines keep what they made.
    pub(crate) cache: Option<PathBuf>,
    /// Whether it shall make what engines need, and end.
    pub(crate) prepares: bool,
    /// The process that has started it.
    pub(crate) host: u32,
    /// The socket that the host listens at. None is: it was given one as its standard input, and a
    /// socket for folders as its standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<PathBuf>,
}

/// The arguments with which a program that calls [`init`](crate::init) becomes a worker that finds its host at
/// a socket, wherever it is started. Something else than a jail has to surround it.
pub fn dialing(engine: &str, socket: &Path, cache: &Path) -> [String; 2] {
    let start = Start {
        engine: engine.to_owned(),
        jail: JailMode::Off,
        cache: Some(cache.to_owned()),
        prepares: false,
        host: 0,
        connect: Some(socket.to_owned()),
    };
    [ARGUMENT.to_owned(), start.encode()]
}

impl Start {
    /// The argument that says it.
    pub(crate) fn encode(&self) -> String {
        // Paths that are no UTF-8 cannot be said; then there is no cache.
        serde_json::to_string(self)
            .or_else(|_| serde_json::to_string(&Self { cache: None, ..self.clone() }))
            .unwrap_or_default()
    }

    /// What the arguments of this program say, if it is a worker.
    pub(crate) fn read(
        mut arguments: impl Iterator<Item = OsString>,
    ) -> Option<Result<Self, String>> {
        if arguments.nth(1)? != ARGUMENT {
            return None;
        }
        let start = arguments.next().unwrap_or_default();
        let start = serde_json::from_slice(start.as_encoded_bytes());
        Some(start.map_err(|error| format!("its arguments cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Option<Result<Start, String>> {
        Start::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn a_worker_knows_itself_by_its_first_argument() {
        let start = Start {
            engine: "one".to_owned(),
            jail: JailMode::Strict,
            cache: Some("/a folder".into()),
            prepares: false,
            host: 7,
            connect: None,
        };
        assert_eq!(read(&["program", ARGUMENT, &start.encode()]), Some(Ok(start)));
        assert_eq!(read(&["program"]), None);
        assert_eq!(read(&["program", "run", ARGUMENT]), None);
        assert!(matches!(read(&["program", ARGUMENT]), Some(Err(_))));
    }
}
