//! Waiting.

use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_files::Fd;

use super::clocks::Clock;
use super::errno::{Answer, Errno, Failure};
use super::memory::{self, GuestMemory};
use super::streams::Streams;
use crate::imports::{Guest, GuestState, interrupt_wait};

/// The most that may be waited for at once.
const MOST_WISHES: u32 = 64;
const WISH_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
/// The longest that one call waits; the guest then finds that it is not yet time.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;
const ABSOLUTE: u16 = 1;

/// Something to wait for.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// The guest's own mark.
    user_data: [u8; 8],
    kind: u8,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// So many nanoseconds from now.
    Time(u64),
    /// A descriptor, which never lets anybody wait, or what is wrong with it.
    Ready(Result<(), Errno>),
}

/// `poll_oneoff`.
pub(super) async fn poll(
    guest: &mut Guest<'_>,
    wishes: u32,
    events: u32,
    count: u32,
    into: u32,
) -> Answer {
    if count == 0 || count > MOST_WISHES {
        return Err(Errno::INVAL.into());
    }
    let (mut memory, state) = memory::of(guest)?;
    memory.bytes(wishes, count * WISH_BYTES)?;
    memory.bytes_mut(events, count * EVENT_BYTES)?; // before the wait
    memory.bytes_mut(into, 4)?;
    let wishes: Vec<Wish> = (0..count)
        .map(|index| read_wish(&memory, state, wishes + index * WISH_BYTES))
        .collect::<Answer<_>>()?;
    let wait = wishes.iter().map(|wish| match wish.what {
        What::Time(nanoseconds) => nanoseconds,
        What::Ready(_) => 0,
    });
    let wait = wait.min().unwrap_or(0);
    if wait > 0
        && let Some(wait) = state.wasi.clock.sleep(wait)
    {
        sleep(guest, wait.min(LONGEST_WAIT)).await?;
    }
    let (mut memory, _) = memory::of(guest)?;
    let happened = wishes.iter().filter(|wish| match wish.what {
        What::Time(nanoseconds) => nanoseconds <= wait,
        What::Ready(_) => true,
    });
    let mut number = 0;
    for wish in happened {
        memory.put(events + number * EVENT_BYTES, wish.event())?;
        number += 1;
    }
    memory.put(into, number.to_le_bytes())
}

/// Waits, unless the run is interrupted.
async fn sleep(guest: &mut Guest<'_>, wait: Duration) -> Answer {
    let control = guest.data().active.as_ref().map(|active| Arc::clone(&active.control));
    let Some(control) = control else { return Err(Errno::INVAL.into()) };
    if control.unless_interrupted(tokio::time::sleep(wait)).await.is_some() {
        return Ok(());
    }
    interrupt_wait(guest).map_err(Failure::Trap)?;
    Err(Errno::INTR.into())
}

fn read_wish(memory: &GuestMemory<'_>, state: &GuestState, at: u32) -> Answer<Wish> {
    let bytes: [u8; WISH_BYTES as usize] = memory.array(at)?;
    let number = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(number)
    };
    let short =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let kind = bytes[8];
    let what = match kind {
        CLOCK => {
            let flags = u16::from_le_bytes([bytes[40], bytes[41]]);
            time(&state.wasi.clock, short(16), number(24), flags)?
        }
        READ => What::Ready(readable(state, short(16))),
        WRITE => What::Ready(writable(state, short(16))),
        _ => return Err(Errno::INVAL.into()),
    };
    let user_data = number(0).to_le_bytes();
    Ok(Wish { user_data, kind, what })
}

fn time(clock: &Clock, id: u32, timeout: u64, flags: u16) -> Answer<What> {
    let now = clock.peek(id)?;
    Ok(What::Time(if flags & ABSOLUTE == 0 { timeout } else { timeout.saturating_sub(now) }))
}

fn readable(state: &GuestState, fd: Fd) -> Result<(), Errno> {
    if Streams::has(fd) {
        return stream(state, fd, Streams::is_readable(fd));
    }
    let access = state.wasi.files.access(fd)?;
    if access.readable { Ok(()) } else { Err(Errno::BADF) }
}

fn writable(state: &GuestState, fd: Fd) -> Result<(), Errno> {
    if Streams::has(fd) {
        return stream(state, fd, Streams::is_writable(fd));
    }
    let access = state.wasi.files.access(fd)?;
    if access.writable { Ok(()) } else { Err(Errno::BADF) }
}

fn stream(state: &GuestState, fd: Fd, suits: bool) -> Result<(), Errno> {
    if suits && state.wasi.streams.check(fd).is_ok() { Ok(()) } else { Err(Errno::BADF) }
}

impl Wish {
    fn event(&self) -> [u8; EVENT_BYTES as usize] {
        let mut event = [0; EVENT_BYTES as usize];
        event[..8].copy_from_slice(&self.user_data);
        if let What::Ready(Err(errno)) = self.what {
            event[8..10].copy_from_slice(&errno.bytes());
        }
        event[10] = self.kind;
        if matches!(self.what, What::Ready(Ok(()))) {
            event[16] = 1; // a byte at least
        }
        event
    }
}
