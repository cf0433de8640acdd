//! What no program of a sandbox may ever show: secrets of the host, each put where programs look
//! for them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, ErrorKind, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// The environment variable that carries a secret.
pub const VARIABLE: &str = "PCM_ESCAPES_CANARY";

/// A secret that is not in any source.
pub fn secret() -> String {
    let part = || RandomState::new().build_hasher().finish();
    format!("canary-{:016x}{:016x}", part(), part())
}

/// A secret in the environment, one in a file, and a port where nobody may knock.
#[derive(Debug)]
pub struct Canaries {
    variable: String,
    content: String,
    file: NamedTempFile,
    listener: TcpListener,
}

impl Canaries {
    /// Puts them in place. The process must have been started with [`VARIABLE`].
    pub fn place() -> io::Result<Self> {
        let variable = std::env::var(VARIABLE).map_err(io::Error::other)?;
        let content = secret();
        let mut file = NamedTempFile::new()?;
        file.write_all(content.as_bytes())?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { variable, content, file, listener })
    }

    /// Where they are. The programs are told, so that they need not search.
    pub fn places(&self) -> Value {
        json!({
            "variable": VARIABLE,
            "file": self.file.path(),
            "port": self.listener.local_addr().map_or(0, |address| address.port()),
        })
    }

    /// The secret of the file, for others to put where it must not be found.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    /// The canaries that a text shows.
    pub fn seen_in(&self, text: &str) -> Vec<&'static str> {
        let secrets = [("environment", &self.variable), ("file", &self.content)];
        let seen = secrets.into_iter().filter(|(_, secret)| text.contains(secret.as_str()));
        seen.map(|(name, _)| name).collect()
    }

    /// Whether somebody knocked since the last time.
    pub fn was_knocked(&self) -> bool {
        match self.listener.accept() {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn canaries() -> io::Result<Canaries> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let file = NamedTempFile::new()?;
        Ok(Canaries { variable: secret(), content: secret(), file, listener })
    }

    #[test]
    fn a_secret_is_noticed_wherever_it_stands() -> io::Result<()> {
        let canaries = canaries()?;
        let text = format!("x{}y", canaries.variable);
        assert_eq!(canaries.seen_in(&text), ["environment"]);
        assert_eq!(canaries.seen_in(&canaries.content), ["file"]);
        assert!(canaries.seen_in(&canaries.places().to_string()).is_empty());
        Ok(())
    }

    #[test]
    fn a_connection_is_noticed_once() -> io::Result<()> {
        let canaries = canaries()?;
        assert!(!canaries.was_knocked());
        let address = canaries.listener.local_addr()?;
        assert_eq!(canaries.places()["port"], address.port());
        let connection = TcpStream::connect(address)?;
        assert!(canaries.was_knocked());
        assert!(!canaries.was_knocked());
        drop(connection);
        Ok(())
    }
}
