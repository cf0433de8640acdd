//! A server: a process of its own, and the place where it keeps things.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ask::{Client, TOKEN};
use crate::redis::Redis;

/// What the environment of whoever runs the tests may say to a server.
const VARIABLES: [&str; 16] = [
    "HOST",
    "PORT",
    "DEFAULT_TIMEOUT",
    "MAX_EXECUTION_TIME",
    "CONTAINER_AUTH_TOKEN",
    "CONTAINER_AUTH_DISABLED",
    "STORAGE_BASE_PATH",
    "STORAGE_PREFIX",
    "REDIS_URL",
    "REDIS_WORKFLOWS_PREFIX",
    "REDIS_ARTIFACTS_PREFIX",
    "REDIS_TOOLS_PREFIX",
    "WORKFLOWS_PATH",
    "ARTIFACTS_PATH",
    "TOOLS_PATH",
    "CONTAINER_DEPS",
];

/// Where servers keep things.
pub(crate) enum Place {
    Folder(TempDir),
    Redis(Redis),
}

impl Place {
    pub(crate) fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    /// One of each kind that this machine has.
    pub(crate) fn each() -> Vec<Self> {
        [Some(Self::folder()), Redis::start().map(Self::Redis)].into_iter().flatten().collect()
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Folder(_) => "a folder",
            Self::Redis(_) => "Redis",
        }
    }

    fn storage(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path().display().to_string(),
            Self::Redis(redis) => redis.url(),
        }
    }

    /// A server over this place that takes one token.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Program {
        Program::start(self.command(arguments))
    }

    /// How that server is started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let storage = self.storage();
        let mut command = command(&[&["--storage", &storage], arguments].concat());
        command.env("CONTAINER_AUTH_TOKEN", TOKEN);
        command
    }
}

/// `pcm-sandbox serve` on a free port, with nothing from the environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcm-sandbox"));
    command.args(["serve", "--requests-per-second", "100000"]).args(arguments);
    if !arguments.contains(&"--log-level") {
        command.args(["--log-level", "warn"]);
    }
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.env("HOST", "127.0.0.1").env("PORT", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A server that runs; it is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    client: Client,
}

impl Program {
    /// Starts it, and waits until it says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("the server did not start: {line:?}"));
        let address = address.parse().unwrap();
        Self { child, client: Client { address } }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As if its machine had lost power, as far as a process can tell.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ends, which it has to do by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < Duration::from_mins(1), "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl std::ops::Deref for Program {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that a server writes its log to.
pub(crate) struct Log(PathBuf);

impl Log {
    pub(crate) fn of(command: &mut Command, folder: &Path) -> Self {
        let path = folder.join("log");
        command.stderr(File::create(&path).unwrap());
        Self(path)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        File::open(&self.0).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}
