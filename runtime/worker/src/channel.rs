//! The host's end of the socket to a worker.

use std::io::{self, ErrorKind};

use pcm_runtime_wire::{Dialogue, Inbox, News, Order, ProtocolError, encode};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::task::{coop::consume_budget, yield_now};

use crate::WorkerError;
use pcm_runtime_guest::Pace;

/// What is read at a time.
pub(crate) const PIECE: usize = 64 << 10;
/// What may wait to be written before answers are held back.
const ROOM: usize = 1 << 20;

/// What is said, and what is heard. One task at a time uses it.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: UnixStream,
    inbox: Inbox,
    /// What could not be written yet.
    outgoing: Vec<u8>,
    written: usize,
    pub(crate) dialogue: Dialogue,
    piece: Box<[u8]>,
    pace: Pace,
}

/// A channel between two runtimes: the one that made it may end before the one that uses it.
#[derive(Debug)]
pub(crate) struct Resting {
    stream: std::os::unix::net::UnixStream,
    inbox: Inbox,
    dialogue: Dialogue,
}

impl Resting {
    pub(crate) fn new(stream: std::os::unix::net::UnixStream) -> Self {
        Self { stream, inbox: Inbox::default(), dialogue: Dialogue::default() }
    }

    /// For the runtime of this task.
    pub(crate) fn wake(self) -> io::Result<Channel> {
        let Self { stream, inbox, dialogue } = self;
        stream.set_nonblocking(true)?;
        Ok(Channel {
            stream: UnixStream::from_std(stream)?,
            inbox,
            outgoing: Vec::new(),
            written: 0,
            dialogue,
            piece: vec![0; PIECE].into_boxed_slice(),
            pace: Pace::default(),
        })
    }
}

impl Channel {
    /// Leaves the runtime. Only for a worker that has nothing to say.
    pub(crate) fn rest(self) -> io::Result<Resting> {
        let Self { stream, inbox, dialogue, .. } = self;
        Ok(Resting { stream: stream.into_std()?, inbox, dialogue })
    }

    /// Gives an order, of the answer to which at most so many bytes are taken.
    pub(crate) fn tell(
        &mut self,
        order: &Order,
        bytes: &[u8],
        expected: u64,
    ) -> Result<(), WorkerError> {
        let frame = encode(order, bytes).map_err(io::Error::from)?;
        self.dialogue.tell(order, expected);
        if self.outgoing.is_empty() {
            self.outgoing = frame;
        } else {
            // A worker that reads slowly makes nobody keep what it has read.
            self.outgoing.drain(..self.written);
            self.written = 0;
            self.outgoing.extend_from_slice(&frame);
        }
        self.write()
    }

    /// Whether the worker takes what it is told. One that does not would have all answers to its calls
    /// kept here.
    pub(crate) fn has_room(&self) -> bool {
        self.outgoing.len() - self.written < ROOM
    }

    /// Writes what can be written now. A worker that has ended is noticed by who reads.
    fn write(&mut self) -> Result<(), WorkerError> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_end(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        (self.outgoing, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// That the worker has said nothing, now that it waits for an order: it would be taken for the
    /// answer.
    pub(crate) fn expect_silence(&mut self) -> Result<(), WorkerError> {
        const UNASKED: ProtocolError =
            ProtocolError::OutOfTurn { what: "something", stage: "waiting for an order" };
        if self.inbox.is_empty() {
            // Not by way of the runtime, which learns late of what has arrived.
            match recv(&self.stream, &mut *self.piece, RecvFlags::DONTWAIT) {
                Ok((count @ 1.., _)) => {
                    self.inbox.feed(self.piece.get(..count).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Ok(_) | Err(Errno::CONNRESET) => {
                    return Err(WorkerError::Ended("while nothing ran".to_owned()));
                }
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        let bounds = self.dialogue.bounds();
        let frame = self.inbox.next(&bounds)?.ok_or(UNASKED)?;
        match News::decode(&frame, &bounds)?.0 {
            News::Failed(reason) => Err(WorkerError::Failed(shortened(reason))),
            _ => Err(UNASKED.into()),
        }
    }

    /// The next thing that the worker says, while what it was told goes out. Harmless when dropped.
    /// None means that it has ended.
    pub(crate) async fn hear(&mut self) -> Result<Option<(News, Vec<u8>)>, WorkerError> {
        loop {
            // There may be no end of what a worker says, and there are others on this thread.
            consume_budget().await;
            let bounds = self.dialogue.bounds();
            if let Some(frame) = self.inbox.next(&bounds)? {
                let (news, cost) = News::decode(&frame, &bounds)?;
                self.dialogue.hear(&news, cost)?;
                self.pace.came();
                return match news {
                    News::Failed(reason) => Err(WorkerError::Failed(shortened(reason))),
                    news => Ok(Some((news, frame.bytes))),
                };
            }
            let writes = !self.outgoing.is_empty();
            let looks = !writes && self.pace.looks();
            let read = if looks {
                // Not by way of the runtime, which learns late of what has arrived.
                recv(&self.stream, &mut *self.piece, RecvFlags::DONTWAIT)
                    .map(|(count, _)| count)
                    .map_err(io::Error::from)
            } else {
                self.stream.try_read(&mut self.piece)
            };
            match read {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    self.inbox.feed(self.piece.get(..count).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if is_end(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if looks {
                yield_now().await;
                continue;
            }
            let interest =
                if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            if self.stream.ready(interest).await?.is_writable() && writes {
                self.write()?;
            }
        }
    }
}

/// What a worker says of its end is for people, and may be made up.
fn shortened(mut reason: String) -> String {
    const LONGEST: usize = 1000;
    reason.truncate(reason.floor_char_boundary(LONGEST));
    reason
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
