//! Messages over a pair of sockets that keeps them apart, with or without a descriptor.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno as System, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, RecvMsg, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, send, sendmsg, shutdown, socketpair, sockopt,
};

/// Room for one descriptor.
const ROOM: usize = rustix::cmsg_space!(ScmRights(1));

/// Two ends that nothing else inherits.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), System> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Lets as little wait to be taken as holds one message of `longest` bytes: a dozen short ones.
pub(crate) fn keep_little(socket: &OwnedFd, longest: usize) -> Result<(), System> {
    // The system doubles it, and wants some bytes for itself.
    sockopt::set_socket_send_buffer_size(socket, longest / 2 + 64)
}

/// Whether the other end has taken most of what was sent, or does within the time.
pub(crate) fn is_taken(socket: &OwnedFd, within: &Timespec) -> Result<bool, System> {
    let mut sockets = [PollFd::new(socket, PollFlags::OUT)];
    Ok(retry_on_intr(|| poll(&mut sockets, Some(within)))? > 0)
}

pub(crate) fn send_one(
    socket: &OwnedFd,
    message: &[u8],
    file: Option<&File>,
) -> Result<(), System> {
    let Some(file) = file else {
        return retry_on_intr(|| send(socket, message, SendFlags::NOSIGNAL)).map(drop);
    };
    let (mut room, files) = ([MaybeUninit::uninit(); ROOM], [file.as_fd()]);
    let mut control = SendAncillaryBuffer::new(&mut room);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(System::NOBUFS);
    }
    let parts = [IoSlice::new(message)];
    retry_on_intr(|| sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL)).map(drop)
}

/// What came with a message.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) length: usize,
    /// It was longer than the buffer.
    pub(crate) is_cut: bool,
    /// The one descriptor that there was room for.
    pub(crate) file: Option<OwnedFd>,
    /// More came than was taken, or than there was room for in this process.
    pub(crate) has_lost_files: bool,
}

/// Takes a message and nothing else: the system throws descriptors away.
pub(crate) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Received, System> {
    let mut control = RecvAncillaryBuffer::default();
    let received = receive_with(socket.as_fd(), buffer, &mut control)?;
    Ok(told(&received, None))
}

/// Takes a message with at most one descriptor.
pub(crate) fn receive_file(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Received, System> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let received = receive_with(socket.as_fd(), buffer, &mut control)?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let mut files = files.by_ref().flatten();
    let file = files.next();
    let others = files.count(); // they are closed
    let mut told = told(&received, file);
    told.has_lost_files |= others > 0;
    Ok(told)
}

fn receive_with(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    control: &mut RecvAncillaryBuffer<'_>,
) -> Result<RecvMsg, System> {
    let mut parts = [IoSliceMut::new(buffer)];
    retry_on_intr(|| recvmsg(socket, &mut parts, control, RecvFlags::CMSG_CLOEXEC))
}

fn told(received: &RecvMsg, file: Option<OwnedFd>) -> Received {
    Received {
        length: received.bytes,
        is_cut: received.flags.contains(ReturnFlags::TRUNC),
        file,
        has_lost_files: received.flags.contains(ReturnFlags::CTRUNC),
    }
}

/// Wakes whoever waits on either end.
pub(crate) fn end(socket: &OwnedFd) {
    // It fails where the other end is gone, and then there is nobody to wake.
    let _ = shutdown(socket, Shutdown::Both);
}
