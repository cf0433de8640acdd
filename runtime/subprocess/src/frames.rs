//! Frames of the socket that a kernel inherits; `pcm_kernel.port` is the other end.

use std::io::{self, ErrorKind};

use tokio::io::Interest;
use tokio::net::UnixStream;

const HEADER: usize = 13;
const PIECE: usize = 64 << 10;
/// What may wait to be written before answers are held back.
const ROOM: usize = 1 << 20;
/// The longest piece of output, which `pcm_kernel` cuts it into.
const LONGEST_OUTPUT: usize = 1 << 20;
/// A number in digits.
const LONGEST_NUMBER: usize = 20;
/// The answer to a call.
const ANSWER: u8 = 1;

/// What a kernel says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is ready.
    Hello,
    /// A run has begun.
    Begun,
    /// A call of the host.
    Call { run: u32, number: u32, request: Vec<u8> },
    /// The same, whose request has so many bytes, and was not sent.
    TooLong { run: u32, number: u32, length: usize },
    /// Output on one of the guest's channels.
    Output { run: u32, channel: i32, data: Vec<u8> },
    /// How a run ended.
    Outcome { run: u32, outcome: Vec<u8> },
}

/// What is there to hear.
#[derive(Debug)]
pub(crate) enum Heard {
    Said(Said),
    /// For now.
    Nothing,
    /// The kernel has ended.
    End,
}

/// The longest that frames may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) call: usize,
    pub(crate) outcome: usize,
}

/// The host's end.
#[derive(Debug)]
pub(crate) struct Pipe {
    stream: UnixStream,
    inbox: Inbox,
    piece: Box<[u8]>,
    outgoing: Vec<u8>,
    written: usize,
}

#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Pipe {
    pub(crate) fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = UnixStream::from_std(stream)?;
        let piece = vec![0; PIECE].into_boxed_slice();
        Ok(Self { stream, inbox: Inbox::default(), piece, outgoing: Vec::new(), written: 0 })
    }

    /// The other runtime that it goes to, or comes from.
    pub(crate) fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        self.stream.into_std()
    }

    /// Whether the kernel takes what it is told.
    pub(crate) fn has_room(&self) -> bool {
        self.outgoing.len() - self.written < ROOM
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, number: u32, reply: &[u8]) -> io::Result<()> {
        self.outgoing.drain(..self.written);
        self.written = 0;
        self.outgoing.push(ANSWER);
        self.outgoing.extend_from_slice(&0_u32.to_le_bytes());
        self.outgoing.extend_from_slice(&number.to_le_bytes());
        let length = u32::try_from(reply.len()).map_err(io::Error::other)?;
        self.outgoing.extend_from_slice(&length.to_le_bytes());
        self.outgoing.extend_from_slice(reply);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_end(&error) => break, // noticed by who reads
                Err(error) => return Err(error),
            }
        }
        (self.outgoing, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// What the kernel says next, while answers go out; None when it has ended. Harmless when dropped.
    pub(crate) async fn hear(&mut self, bounds: &Bounds) -> io::Result<Option<Said>> {
        loop {
            // There may be no end of what a kernel says, and there are others on this thread.
            tokio::task::coop::consume_budget().await;
            match self.hear_now(bounds)? {
                Heard::Said(said) => return Ok(Some(said)),
                Heard::End => return Ok(None),
                Heard::Nothing => {}
            }
            let writes = !self.outgoing.is_empty();
            let interest =
                if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            if self.stream.ready(interest).await?.is_writable() && writes {
                self.write()?;
            }
        }
    }

    /// The same without waiting.
    pub(crate) fn hear_now(&mut self, bounds: &Bounds) -> io::Result<Heard> {
        loop {
            if let Some(said) = self.inbox.next(bounds)? {
                return Ok(Heard::Said(said));
            }
            match self.stream.try_read(&mut self.piece) {
                Ok(0) => return Ok(Heard::End),
                Ok(count) => self.inbox.feed(self.piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) if is_end(&error) => return Ok(Heard::End),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl Inbox {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self, bounds: &Bounds) -> io::Result<Option<Said>> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [kind, numbers @ ..] = header;
        let number = |place: usize| {
            let bytes = numbers.get(4 * place..).and_then(|rest| rest.first_chunk());
            bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        let (run, second, length) = (number(0), number(1), number(2) as usize);
        let longest = match kind {
            1 | 2 => 0,
            3 => bounds.call,
            4 => LONGEST_NUMBER,
            5 => bounds.call.max(LONGEST_OUTPUT),
            6 => bounds.outcome,
            _ => return Err(broken()),
        };
        if length > longest {
            return Err(broken());
        }
        let Some(content) = rest.get(..length) else { return Ok(None) };
        let said = match kind {
            1 => Said::Hello,
            2 => Said::Begun,
            3 => Said::Call { run, number: second, request: content.to_vec() },
            4 => {
                let digits = std::str::from_utf8(content).ok();
                let length = digits.and_then(|digits| digits.parse().ok()).ok_or_else(broken)?;
                Said::TooLong { run, number: second, length }
            }
            5 => {
                let channel = i32::try_from(second).map_err(|_| broken())?;
                Said::Output { run, channel, data: content.to_vec() }
            }
            _ => Said::Outcome { run, outcome: content.to_vec() },
        };
        self.taken += HEADER + length;
        Ok(Some(said))
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a frame that no kernel sends")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { call: 100, outcome: 200 };

    fn frame(kind: u8, run: u32, number: u32, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap();
        let numbers = [run, number, length].map(u32::to_le_bytes).concat();
        [&[kind], numbers.as_slice(), content].concat()
    }

    fn read(bytes: &[u8]) -> io::Result<Option<Said>> {
        Inbox { bytes: bytes.to_vec(), taken: 0 }.next(&BOUNDS)
    }

    #[test]
    fn frames_are_what_they_say() {
        let bytes = [
            frame(1, 0, 0, b""),
            frame(3, 2, 7, b"ask"),
            frame(4, 2, 8, b"5000"),
            frame(5, 2, 1, b"hi"),
            frame(6, 2, 0, b"{}"),
        ]
        .concat();
        let mut inbox = Inbox::default();
        let mut said = Vec::new();
        for byte in &bytes {
            inbox.feed(&[*byte]);
            said.extend(inbox.next(&BOUNDS).unwrap());
        }
        let expected = [
            Said::Hello,
            Said::Call { run: 2, number: 7, request: b"ask".to_vec() },
            Said::TooLong { run: 2, number: 8, length: 5000 },
            Said::Output { run: 2, channel: 1, data: b"hi".to_vec() },
            Said::Outcome { run: 2, outcome: b"{}".to_vec() },
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_no_kernel_sends_is_refused_by_its_header() {
        for (kind, length) in [(0, 0), (7, 0), (1, 1), (3, 101), (4, 21), (5, 1 << 21), (6, 201)] {
            let mut bytes = frame(kind, 1, 1, b"");
            bytes.splice(9.., u32::to_le_bytes(length));
            assert!(read(&bytes).is_err(), "{kind} {length}");
        }
        assert!(read(&frame(4, 1, 1, b"-5")).is_err());
        assert!(read(&frame(5, 1, u32::MAX, b"")).is_err());
        assert!(read(&frame(3, 1, 1, b"ask")[..15]).unwrap().is_none());
    }
}
