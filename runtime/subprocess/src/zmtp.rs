//! The part of the protocol of `ZeroMQ` that a client of a kernel speaks: version 3, without security
//! mechanism, over a socket in the file system.
//!
//! The kernel is the guest's process, so its frames are bounded before they are kept. (The crate
//! `zeromq` reserves whatever length a frame claims to have; see docs/decisions/0019.)

use std::io::{self, ErrorKind};
use std::path::Path;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

const GREETING: usize = 64;
const MECHANISM: &[u8] = b"NULL";
/// Flags of a frame.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
/// The most that a message may have, in bytes and in frames. What the kernel has to say is short: output
/// and outcomes have a way of their own.
const MOST_BYTES: usize = 16 << 20;
const MOST_FRAMES: usize = 64;
const PIECE: usize = 2 << 10;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Requests and replies.
    Dealer,
    /// Everything that is published.
    Subscriber,
}

/// A connection to one socket of a kernel.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: UnixStream,
    decoder: Decoder,
}

/// A message, frame by frame.
pub(crate) type Message = Vec<Vec<u8>>;

impl Socket {
    pub(crate) async fn connect(path: &Path, kind: Kind) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(&greeting()).await?;
        let mut socket = Self { stream, decoder: Decoder::default() };
        while !socket.decoder.greeted()? {
            socket.fill().await?;
        }
        socket.stream.write_all(&ready(kind)).await?;
        if kind == Kind::Subscriber {
            socket.send(&[&[1]]).await?; // all topics
        }
        Ok(socket)
    }

    /// Sends a message. One that is dropped in between leaves the connection of no use.
    pub(crate) async fn send(&mut self, frames: &[&[u8]]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (number, frame) in (1..).zip(frames) {
            encode(&mut bytes, if number < frames.len() { MORE } else { 0 }, frame);
        }
        self.stream.write_all(&bytes).await
    }

    /// The next message. Harmless when dropped.
    pub(crate) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.decoder.next()? {
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.decoder.inbox.extend_from_slice(piece.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    let fields: [(usize, &[u8]); 4] = [(0, &[0xff]), (9, &[0x7f]), (10, &[3]), (12, MECHANISM)];
    for (at, content) in fields {
        if let Some(place) = greeting.get_mut(at..at + content.len()) {
            place.copy_from_slice(content);
        }
    }
    greeting
}

fn ready(kind: Kind) -> Vec<u8> {
    let kind: &[u8] = match kind {
        Kind::Dealer => b"DEALER",
        Kind::Subscriber => b"SUB",
    };
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [(b"Socket-Type".as_slice(), kind), (b"Identity", b"")] {
        body.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        body.extend_from_slice(name);
        body.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(value);
    }
    let mut frame = Vec::new();
    encode(&mut frame, COMMAND, &body);
    frame
}

fn encode(into: &mut Vec<u8>, flags: u8, content: &[u8]) {
    if let Ok(length) = u8::try_from(content.len()) {
        into.extend_from_slice(&[flags, length]);
    } else {
        into.push(flags | LONG);
        into.extend_from_slice(&(content.len() as u64).to_be_bytes());
    }
    into.extend_from_slice(content);
}

/// Takes bytes, gives messages.
#[derive(Debug, Default)]
struct Decoder {
    inbox: Vec<u8>,
    greeted: bool,
    message: Message,
    bytes: usize,
}

impl Decoder {
    /// Whether the other side has said that it speaks this protocol.
    fn greeted(&mut self) -> io::Result<bool> {
        let Some(greeting) = self.inbox.get(..GREETING) else { return Ok(false) };
        let is_ours = greeting.first() == Some(&0xff)
            && greeting.get(10).is_some_and(|major| *major >= 3)
            && greeting.get(12..32).is_some_and(|name| name.starts_with(b"NULL\0"));
        if !is_ours {
            return Err(broken("its greeting is none of ZeroMQ 3"));
        }
        self.inbox.drain(..GREETING);
        self.greeted = true;
        Ok(true)
    }

    fn next(&mut self) -> io::Result<Option<Message>> {
        while let Some((flags, start, end)) = self.frame()? {
            let Some(content) = self.inbox.get(start..end) else { return Ok(None) };
            if flags & COMMAND == 0 {
                self.message.push(content.to_vec());
            }
            self.inbox.drain(..end);
            if flags & COMMAND != 0 {
                continue; // that it is ready, and what later versions add
            }
            if flags & MORE == 0 {
                self.bytes = 0;
                return Ok(Some(std::mem::take(&mut self.message)));
            }
            self.bytes += end - start;
            if self.message.len() >= MOST_FRAMES {
                return Err(broken("a message has too many frames"));
            }
        }
        Ok(None)
    }

    /// The flags of the frame that is next, and where its content is, or will be.
    fn frame(&self) -> io::Result<Option<(u8, usize, usize)>> {
        let Some((&flags, rest)) = self.inbox.split_first() else { return Ok(None) };
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(broken("a frame has unknown flags"));
        }
        let (length, start) = if flags & LONG == 0 {
            let Some(&length) = rest.first() else { return Ok(None) };
            (usize::from(length), 2)
        } else {
            let Some(length) = rest.first_chunk() else { return Ok(None) };
            (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), 9)
        };
        if length.saturating_add(self.bytes) > MOST_BYTES {
            return Err(broken("a message is too long"));
        }
        let end = start + length;
        Ok((self.inbox.len() >= end).then_some((flags, start, end)))
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn decoder(bytes: &[u8]) -> Decoder {
        Decoder { inbox: bytes.to_vec(), ..Decoder::default() }
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let long = vec![7; 300];
        let mut bytes = Vec::new();
        encode(&mut bytes, COMMAND, b"\x05READY");
        encode(&mut bytes, MORE, b"one");
        encode(&mut bytes, 0, &long);
        encode(&mut bytes, 0, b"");
        for cut in 0..bytes.len() {
            let mut decoder = decoder(&bytes[..cut]);
            let mut messages: Vec<Message> =
                std::iter::from_fn(|| decoder.next().unwrap()).collect();
            decoder.inbox.extend_from_slice(&bytes[cut..]);
            messages.extend(std::iter::from_fn(|| decoder.next().unwrap()));
            assert_eq!(messages, [vec![b"one".to_vec(), long.clone()], vec![Vec::new()]], "{cut}");
        }
    }

    #[test]
    fn what_claims_to_be_too_long_is_refused_before_it_is_there() {
        let mut frame = vec![LONG];
        frame.extend_from_slice(&u64::MAX.to_be_bytes());
        assert!(decoder(&frame).next().is_err());
        frame.splice(1.., (MOST_BYTES as u64).to_be_bytes());
        assert!(decoder(&frame).next().unwrap().is_none(), "just not too long");
        let mut many = Vec::new();
        (0..MOST_FRAMES).for_each(|_| encode(&mut many, MORE, b""));
        assert!(decoder(&many).next().is_err());
        let mut together = Vec::new();
        encode(&mut together, MORE, &vec![0; MOST_BYTES - 10]);
        encode(&mut together, MORE, &[0; 20]);
        assert!(decoder(&together).next().is_err());
        assert!(decoder(&[0x80, 0]).next().is_err());
    }

    #[test]
    fn only_who_speaks_the_protocol_is_greeted() {
        assert!(decoder(&greeting()).greeted().unwrap());
        assert!(!decoder(&greeting()[..GREETING - 1]).greeted().unwrap());
        assert!(decoder(&[b'x'; GREETING]).greeted().is_err());
    }
}
