//! Both ends against each other, and each against somebody who is not the other.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod hostile;
mod messages;
mod server;
mod strangers;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pcm_runtime_api::{Mount, MountAccess, MountSource};
use pcm_runtime_files::LONGEST_PATH;
use rustix::io::Errno as System;
use tempfile::TempDir;

use crate::reply::{self, Reply};
use crate::request::{self, Ask, Request};
use crate::{FoldersError, Service, pair, socket};

const WAIT: Duration = Duration::from_secs(20);

/// A sandbox that sends what it wants to.
struct Raw {
    socket: OwnedFd,
    service: Service,
    ended: Receiver<Result<(), FoldersError>>,
}

impl Raw {
    fn new(source: MountSource, access: MountAccess) -> Self {
        let (server, socket) = pair().unwrap();
        let (tell, ended) = channel();
        let mount = Mount { host: source, guest: "/data".to_owned(), access };
        let service = server.serve(&[mount], move |result| drop(tell.send(result))).unwrap();
        Self { socket, service, ended }
    }

    /// A folder with `a.txt` and `d/b.txt`, and links that lead out of it.
    fn over_a_folder(access: MountAccess) -> (TempDir, TempDir, Self) {
        let (host, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(host.path().join("a.txt"), "host a").unwrap();
        fs::create_dir(host.path().join("d")).unwrap();
        fs::write(host.path().join("d/b.txt"), "host b").unwrap();
        symlink(outside.path(), host.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), host.path().join("file_out")).unwrap();
        symlink("..", host.path().join("up")).unwrap();
        symlink("d", host.path().join("in")).unwrap();
        let raw = Self::new(host.path().into(), access);
        (host, outside, raw)
    }

    fn send(&self, message: &[u8]) {
        socket::send_one(&self.socket, message, None).unwrap();
    }

    /// What comes back: a message and a descriptor; None is the end.
    fn receive(&self) -> Option<(Vec<u8>, Option<OwnedFd>)> {
        let mut message = vec![0; reply::LONGEST + 1];
        let received = match socket::receive_file(&self.socket, &mut message) {
            Err(System::CONNRESET) => return None,
            received => received.unwrap(),
        };
        message.truncate(received.length);
        (!message.is_empty()).then_some((message, received.file))
    }

    /// Asks what ours could ask, too. A refusal is its error.
    fn ask(&self, ask: Ask<'_>) -> Result<(Vec<u8>, Option<OwnedFd>), System> {
        let mut message = Vec::new();
        Request { mount: 0, ask }.write(&mut message).unwrap();
        self.send(&message);
        let (message, file) = self.receive().unwrap();
        match Reply::read(&message).unwrap() {
            Reply::Refused(number) => {
                assert!(file.is_none(), "{ask:?}");
                Err(System::from_raw_os_error(number))
            }
            _ => Ok((message, file)),
        }
    }

    fn error(&self, ask: Ask<'_>) -> System {
        self.ask(ask).unwrap_err()
    }

    /// Why the service ended, which it has to.
    fn why(self) -> Result<(), FoldersError> {
        let why = self.ended.recv_timeout(WAIT).unwrap();
        while self.receive().is_some() {} // it came before the end
        why
    }

    /// What it was told to have done wrong.
    fn broken(self) -> &'static str {
        match self.why() {
            Err(FoldersError::Broken(what)) => what,
            other => panic!("{other:?}"),
        }
    }
}

/// A request by its bytes.
fn raw(what: u8, mount: u16, path: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut message = vec![what];
    message.extend_from_slice(&mount.to_le_bytes());
    message.extend_from_slice(&u16::try_from(path.len()).unwrap().to_le_bytes());
    message.extend_from_slice(path);
    message.extend_from_slice(rest);
    message
}

/// As many as there are kinds of requests.
const REQUESTS: u8 = 11;

#[test]
fn the_longest_messages_have_room() {
    let longest = "a/".repeat(2047) + "ab";
    assert_eq!(longest.len(), LONGEST_PATH);
    let mut message = Vec::new();
    let ask = Ask::Rename { from: &longest, to: &longest };
    Request { mount: u16::MAX, ask }.write(&mut message).unwrap();
    assert_eq!(message.len(), request::LONGEST);
    assert!(Request::read(&message).is_ok());
}
