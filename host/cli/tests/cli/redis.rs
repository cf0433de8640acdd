//! A Redis of a test's own.

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// A server on a socket in a folder of its own; it ends with this value.
pub(crate) struct Redis {
    server: Child,
    url: String,
    _folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("redis.sock");
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    "redis-server is needed: apt-get install redis-server".into()
                }
                _ => format!("redis-server: {error}"),
            })?;
        for _ in 0..500 {
            if socket.exists() {
                let url = format!("unix://{}", socket.display());
                return Ok(Self { server, url, _folder: folder });
            }
            sleep(Duration::from_millis(10));
        }
        Err("redis-server has made no socket".into())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
