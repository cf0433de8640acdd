//! The end outside, which opens.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use pcm_runtime_api::{HostFolder as _, Mount};
use pcm_runtime_files::LocalFolder;
use rustix::event::Timespec;
use rustix::io::Errno as System;

use crate::request::{Ask, Request};
use crate::{FoldersError, fields, reply, request, socket};

/// How long a sandbox may take to fetch replies before it has another. Ours fetch each before they
/// ask again.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The end of a session's sockets that stays outside.
#[derive(Debug)]
pub struct Server(OwnedFd);

/// Folders that are being served, until the sandbox closes its end.
#[derive(Debug)]
pub struct Service(Arc<OwnedFd>);

/// The two ends of a session's folders. The second goes to the sandbox's process, for
/// [`connect`](crate::connect); it is closed on `exec` like the first.
pub fn pair() -> io::Result<(Server, OwnedFd)> {
    let (outside, inside) = socket::pair()?;
    socket::keep_little(&outside, reply::LONGEST)?;
    Ok((Server(outside), inside))
}

impl Server {
    /// Opens the folders and serves them on a thread, each by its place in `mounts`, until the
    /// sandbox closes its end. Then `ended` is told so, or that the sandbox broke the protocol and
    /// should be ended.
    pub fn serve(
        self,
        mounts: &[Mount],
        ended: impl FnOnce(Result<(), FoldersError>) + Send + 'static,
    ) -> Result<Service, FoldersError> {
        let folders = mounts.iter().map(|mount| {
            LocalFolder::open(&mount.host, mount.access)
                .map_err(|reason| FoldersError::Mount { guest: mount.guest.clone(), reason })
        });
        let folders = folders.collect::<Result<Vec<_>, _>>()?;
        let socket = Arc::new(self.0);
        let service = Service(Arc::clone(&socket));
        thread::Builder::new().name("folders".to_owned()).spawn(move || {
            let result = serve(&socket, &folders);
            socket::end(&socket); // a handle of the service may keep it open
            drop((socket, folders));
            ended(result);
        })?;
        Ok(service)
    }
}

impl Service {
    /// Ends it now: whatever the sandbox asks for from here on fails. What it has open stays open.
    pub fn stop(&self) {
        socket::end(&self.0);
    }
}

fn serve(socket: &OwnedFd, folders: &[LocalFolder]) -> Result<(), FoldersError> {
    let mut request = vec![0; request::LONGEST];
    let mut reply = Vec::with_capacity(reply::LONGEST);
    loop {
        let received = match socket::receive(socket, &mut request) {
            Err(System::CONNRESET) => return Ok(()),
            received => received.map_err(io::Error::from)?,
        };
        if received.length == 0 {
            return Ok(());
        }
        if received.is_cut {
            return Err(FoldersError::Broken("a request is too long"));
        }
        if received.has_lost_files {
            return Err(FoldersError::Broken("a request came with descriptors"));
        }
        let message = request.get(..received.length).unwrap_or_default();
        let request =
            Request::read(message).map_err(|fields::Malformed(what)| FoldersError::Broken(what))?;
        let folder = folders.get(usize::from(request.mount));
        let folder = folder.ok_or(FoldersError::Broken("there is no such mount"))?;
        // Replies that nobody fetches hold descriptors, of which all sandboxes together have a share.
        if !socket::is_taken(socket, &PATIENCE).map_err(io::Error::from)? {
            return Err(FoldersError::Broken("replies are not fetched"));
        }
        reply.clear();
        let file = match answer(folder, request.ask, &mut reply) {
            Ok(file) => file,
            Err(error) => {
                reply::put_refused(&mut reply, &error);
                None
            }
        };
        match send(socket, &mut reply, file.as_ref()) {
            Ok(()) => {}
            Err(System::PIPE | System::CONNRESET) => return Ok(()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// Does what is asked for, and puts what is to be told of it.
fn answer(folder: &LocalFolder, ask: Ask<'_>, reply: &mut Vec<u8>) -> io::Result<Option<File>> {
    let opened = match ask {
        Ask::Stat { path } => {
            reply::put_stat(reply, &folder.stat(path)?);
            return Ok(None);
        }
        Ask::Follow { path, known } => {
            reply::put_followed(reply, &folder.follow(path, usize::from(known))?)?;
            return Ok(None);
        }
        Ask::ReadLink { path } => {
            reply::put_link(reply, &folder.read_link(path)?)?;
            return Ok(None);
        }
        Ask::List { path, cookie } => {
            reply::put_listed(reply, |take| folder.list(path, cookie, take))?;
            return Ok(None);
        }
        Ask::OpenToRead { path } => folder.open_to_read(path)?,
        Ask::OpenToWrite { path, readable, make } => folder.open_to_write(path, readable, make)?,
        Ask::MakeFolder { path } => return done(folder.make_folder(path), reply),
        Ask::RemoveFile { path } => return done(folder.remove_file(path), reply),
        Ask::RemoveFolder { path } => return done(folder.remove_folder(path), reply),
        Ask::Rename { from, to } => return done(folder.rename(from, to), reply),
        Ask::SetTimes { path, accessed, modified } => {
            return done(folder.set_times(path, accessed, modified), reply);
        }
    };
    reply::put_opened(reply, opened.number);
    Ok(Some(opened.file))
}

fn done(result: io::Result<()>, reply: &mut Vec<u8>) -> io::Result<Option<File>> {
    result?;
    reply::put_done(reply);
    Ok(None)
}

/// Sends a reply.
fn send(socket: &OwnedFd, reply: &mut Vec<u8>, file: Option<&File>) -> Result<(), System> {
    match socket::send_one(socket, reply, file) {
        // Too many descriptors are on their way to all sandboxes together.
        Err(System::TOOMANYREFS) => {
            reply::put_refused(reply, &System::MFILE.into());
            socket::send_one(socket, reply, None)
        }
        sent => sent,
    }
}
