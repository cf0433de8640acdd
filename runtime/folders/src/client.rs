//! The end in the sandbox's process, which asks.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use pcm_runtime_api::{
    Creation, FileKind, FileStat, Followed, HostFile, HostFolder, OpenFolder, ServedFolder,
    SetTime, TakeEntry,
};
use rustix::io::Errno as System;

use crate::page::Page;
use crate::reply::Reply;
use crate::request::{Ask, Request};
use crate::{reply, socket};

/// The folders that are served at the other end of `socket`, as many as it has mounts and in their
/// order.
///
/// Nothing is opened here: it works where not a single path can be. Whatever is done with them waits
/// for the other end; when that is gone, everything fails as if the disk had.
pub fn connect(socket: OwnedFd, mounts: usize) -> Vec<ServedFolder> {
    let connection = Arc::new(Connection::new(socket));
    let folder = |mount| -> Arc<dyn HostFolder> {
        Arc::new(RemoteFolder { connection: Arc::clone(&connection), mount })
    };
    (0..=u16::MAX).take(mounts).map(|mount| folder(mount).into()).collect()
}

/// The way to the other end, for all mounts of a session.
struct Connection(Mutex<Line>);

/// One request at a time, and its reply.
struct Line {
    socket: OwnedFd,
    request: Vec<u8>,
    /// Room for the longest.
    reply: Vec<u8>,
    /// A request has no reply yet. Whoever finds it so when he comes to ask finds a line on which
    /// nothing can be told apart any more.
    is_waiting: bool,
}

impl Connection {
    fn new(socket: OwnedFd) -> Self {
        let (request, reply) = (Vec::new(), vec![0; reply::LONGEST]);
        Self(Mutex::new(Line { socket, request, reply, is_waiting: false }))
    }

    /// Asks, and takes from the reply what `take` makes of it; None is no reply to this request.
    fn ask<T>(
        &self,
        asked: Request<'_>,
        take: impl FnOnce(Reply<'_>, Option<OwnedFd>) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Line { socket, request, reply, is_waiting } = &mut *line;
        if *is_waiting {
            return Err(System::IO.into());
        }
        asked.write(request)?;
        *is_waiting = true;
        socket::send_one(socket, request, None)?;
        let received = socket::receive_file(socket, reply)?;
        if received.is_cut {
            return Err(System::IO.into());
        }
        let message = reply.get(..received.length).unwrap_or_default();
        let taken = match Reply::read(message).map_err(|_| System::IO)? {
            Reply::Refused(number) if received.file.is_none() => {
                Err(io::Error::from_raw_os_error(number))
            }
            // This process has no room for another descriptor.
            Reply::Opened(_) if received.file.is_none() && received.has_lost_files => {
                Err(System::MFILE.into())
            }
            _ if received.has_lost_files => return Err(System::IO.into()),
            reply => take(reply, received.file).ok_or(System::IO)?,
        };
        *is_waiting = false;
        taken
    }
}

/// A mount of the session.
#[derive(Debug, Clone)]
struct RemoteFolder {
    connection: Arc<Connection>,
    mount: u16,
}

impl RemoteFolder {
    fn ask<T>(
        &self,
        ask: Ask<'_>,
        take: impl FnOnce(Reply<'_>) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let request = Request { mount: self.mount, ask };
        self.connection.ask(request, |reply, file| if file.is_none() { take(reply) } else { None })
    }

    fn do_it(&self, ask: Ask<'_>) -> io::Result<()> {
        self.ask(ask, |reply| matches!(reply, Reply::Done).then_some(Ok(())))
    }

    fn open(&self, ask: Ask<'_>) -> io::Result<HostFile> {
        let request = Request { mount: self.mount, ask };
        self.connection.ask(request, |reply, file| match (reply, file) {
            (Reply::Opened(number), Some(file)) => Some(Ok(HostFile { file: file.into(), number })),
            _ => None,
        })
    }
}

impl HostFolder for RemoteFolder {
    fn stat(&self, path: &str) -> io::Result<FileStat> {
        self.ask(Ask::Stat { path }, |reply| match reply {
            Reply::Stat(stat) => Some(Ok(stat)),
            _ => None,
        })
    }

    fn follow(&self, path: &str, known: usize) -> io::Result<Followed> {
        let known = u16::try_from(known).map_err(|_| System::NAMETOOLONG)?;
        self.ask(Ask::Follow { path, known }, |reply| match reply {
            Reply::Followed(followed) if is_end(path, usize::from(known), followed.end) => {
                Some(Ok(followed))
            }
            _ => None,
        })
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        self.ask(Ask::ReadLink { path }, |reply| match reply {
            Reply::Link(target) => Some(Ok(target.to_owned())),
            _ => None,
        })
    }

    fn list(&self, path: &str, mut cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()> {
        loop {
            // A copy: whoever takes the entries may ask for something else.
            let (was_all, page) = self.ask(Ask::List { path, cookie }, |reply| match reply {
                Reply::Listed { is_all, page } => Some(Ok((is_all, page.bytes().to_vec()))),
                _ => None,
            })?;
            for entry in Page::read(&page).map_err(|_| System::IO)?.entries() {
                cookie = entry.cookie;
                if !take(entry) {
                    return Ok(());
                }
            }
            if was_all {
                return Ok(());
            }
        }
    }

    /// By its path: what is open here is nothing at the other end.
    fn open_folder(&self, path: &str) -> io::Result<Box<dyn OpenFolder>> {
        let open = RemoteOpen { folder: self.clone(), path: path.to_owned() };
        open.stat()?;
        Ok(Box::new(open))
    }

    fn open_to_read(&self, path: &str) -> io::Result<HostFile> {
        self.open(Ask::OpenToRead { path })
    }

    fn open_to_write(&self, path: &str, readable: bool, make: Creation) -> io::Result<HostFile> {
        self.open(Ask::OpenToWrite { path, readable, make })
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.do_it(Ask::MakeFolder { path })
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.do_it(Ask::RemoveFile { path })
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.do_it(Ask::RemoveFolder { path })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.do_it(Ask::Rename { from, to })
    }

    fn set_times(&self, path: &str, accessed: SetTime, modified: SetTime) -> io::Result<()> {
        self.do_it(Ask::SetTimes { path, accessed, modified })
    }
}

/// A folder that was there when it was opened.
#[derive(Debug)]
struct RemoteOpen {
    folder: RemoteFolder,
    path: String,
}

impl OpenFolder for RemoteOpen {
    fn stat(&self) -> io::Result<FileStat> {
        let stat = self.folder.stat(&self.path)?;
        if stat.kind == FileKind::Folder { Ok(stat) } else { Err(System::NOTDIR.into()) }
    }

    fn list(&self, cookie: u64, take: &mut TakeEntry<'_>) -> io::Result<()> {
        self.folder.list(&self.path, cookie, take)
    }
}

/// Whether a name that is not known yet ends there.
fn is_end(path: &str, known: usize, end: usize) -> bool {
    end == path.len() || end > known && path.as_bytes().get(end) == Some(&b'/')
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}
