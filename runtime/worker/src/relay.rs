//! The worker's end of the socket, and the port over it.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Payload};
use pcm_runtime_wire::{News, Refusal, encode};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

/// Says things to the host, and knows which calls wait for an answer. Clones are the same.
///
/// What is said is written by whichever thread says it: while code runs the host reads all the time.
/// Only what happens in quick succession is put together, for a moment.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Shared>);

struct Shared {
    voice: Mutex<Voice>,
    /// Something waits that was to be said soon.
    pending: Notify,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    /// Whether code runs, and may call.
    runs: bool,
    last: u64,
    open: HashMap<u64, oneshot::Sender<Result<Payload, Refusal>>>,
}

struct Voice {
    stream: UnixStream,
    /// What is to be said soon, and since when it waits.
    soon: Vec<u8>,
    since: Instant,
}

/// How long something may wait that is to be said soon: less than people notice.
const SOON: Duration = Duration::from_millis(2);
/// How much of it may wait.
const SOON_BYTES: usize = 16 << 10;

impl Relay {
    /// Over a socket that does not block.
    pub(crate) fn new(stream: UnixStream) -> Self {
        let voice = Voice { stream, soon: Vec::new(), since: Instant::now() };
        Self(Arc::new(Shared {
            voice: Mutex::new(voice),
            pending: Notify::new(),
            calls: Mutex::default(),
        }))
    }

    /// Says it. An error means that there is no host any more.
    pub(crate) fn say(&self, news: &News, bytes: &[u8]) -> io::Result<()> {
        let frame = encode(news, bytes)?;
        let mut voice = self.voice();
        voice.flush()?; // it came first
        voice.write(&frame)
    }

    /// Says it with what comes right after it: another process wakes up for everything that is said.
    pub(crate) fn say_soon(&self, news: &News) -> io::Result<()> {
        let frame = encode(news, &[])?;
        let mut voice = self.voice();
        if voice.soon.is_empty() {
            voice.since = Instant::now();
            self.0.pending.notify_one();
        }
        voice.soon.extend_from_slice(&frame);
        let waits = voice.soon.len() < SOON_BYTES && voice.since.elapsed() < SOON;
        if waits { Ok(()) } else { voice.flush() }
    }

    /// Says in time what was to be said soon, for ever. Harmless when dropped.
    pub(crate) async fn say_pending(&self) -> io::Result<()> {
        loop {
            if self.voice().soon.is_empty() {
                self.0.pending.notified().await;
            } else {
                sleep(SOON).await;
                self.voice().flush()?;
            }
        }
    }

    fn voice(&self) -> MutexGuard<'_, Voice> {
        self.0.voice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls wait for their answers.
    pub(crate) fn waits(&self) -> bool {
        !self.calls().open.is_empty()
    }

    /// The host has answered. The code may not wait for it any more.
    pub(crate) fn answered(&self, call: u64, answer: Result<Payload, Refusal>) {
        let waits = self.calls().open.remove(&call);
        if let Some(waits) = waits {
            drop(waits.send(answer));
        }
    }

    /// Code runs from here on.
    pub(crate) fn begin(&self) {
        self.calls().runs = true;
    }

    /// The run is over. Calls that an engine has left behind are over with it: it may give them up
    /// some time later, and then nothing is said of them any more.
    pub(crate) fn ran(&self, ran: &News) -> io::Result<()> {
        let mut calls = self.calls();
        calls.runs = false;
        calls.open.clear();
        self.say(ran, &[])
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Voice {
    fn flush(&mut self) -> io::Result<()> {
        if self.soon.is_empty() {
            return Ok(());
        }
        let soon = std::mem::take(&mut self.soon);
        self.write(&soon)
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut rest = frame;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.stream.as_fd(), PollFlags::OUT)], None)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl HostPort for Relay {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        let (answer, answered) = oneshot::channel();
        let waiting = {
            // The numbers go out in their order.
            let mut calls = self.calls();
            if !calls.runs {
                return Err(HostError::new("RunOver", "the run that made this call is over"));
            }
            calls.last += 1;
            let number = calls.last;
            calls.open.insert(number, answer);
            let waiting = Waiting { relay: self, call: number, answered: false };
            self.say(&News::call(number, call), &[]).map_err(|_| gone())?;
            waiting
        };
        let answer = answered.await.map_err(|_| gone())?;
        waiting.done();
        Ok(answer?)
    }
}

/// A call that waits for its answer, or was given up.
struct Waiting<'a> {
    relay: &'a Relay,
    call: u64,
    answered: bool,
}

impl Waiting<'_> {
    fn done(mut self) {
        self.answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        // Kept locked, so that it is not said after the end of the run.
        let mut calls = self.relay.calls();
        if calls.open.remove(&self.call).is_some() {
            let _ = self.relay.say(&News::Cancel { call: self.call }, &[]); // nobody may be there
        }
    }
}

fn gone() -> HostError {
    HostError::new("HostGone", "the host has ended")
}

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Relay").finish_non_exhaustive()
    }
}
