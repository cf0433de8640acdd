//! A Redis server for one test.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pcm_storage::RedisServer;

/// Stops when it is dropped.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    options: Vec<String>,
    _owned: Option<tempfile::TempDir>,
}

impl Server {
    /// A server on a socket in a folder of its own.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = run(folder.path(), &[]);
        Self { child, folder: folder.path().to_owned(), options: Vec::new(), _owned: Some(folder) }
    }

    /// A server on a socket in this folder, where its data stays.
    pub(crate) fn start_in(folder: &Path, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let child = run(folder, &options);
        Self { child, folder: folder.to_owned(), options, _owned: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", socket(&self.folder).display())
    }

    pub(crate) fn open(&self) -> RedisServer {
        RedisServer::open(&self.url()).unwrap()
    }

    /// A plain connection, to see and make what other programs would.
    pub(crate) fn raw(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends it without giving it time for anything.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = std::fs::remove_file(socket(&self.folder));
    }

    pub(crate) fn start_again(&mut self) {
        self.child = run(&self.folder, &self.options);
    }

    /// Stops it where it is, so that it accepts connections and does not answer.
    pub(crate) fn freeze(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

fn run(folder: &Path, options: &[String]) -> Child {
    let spawned = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .arg("--unixsocket")
        .arg(socket(folder))
        .arg("--dir")
        .arg(folder)
        .args(options)
        .stdout(Stdio::null())
        .spawn();
    let child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("redis-server is missing; apt-get install redis-server")
        }
        Err(error) => panic!("redis-server does not start: {error}"),
    };
    let started = Instant::now();
    let client = redis::Client::open(format!("unix://{}", socket(folder).display())).unwrap();
    loop {
        let ready = client
            .get_connection()
            .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
        match ready {
            Ok(_) => return child,
            // It is there and wants a password.
            Err(error) if error.code() == Some("NOAUTH") => return child,
            Err(error) => {
                assert!(started.elapsed() < Duration::from_secs(20), "no server: {error}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
