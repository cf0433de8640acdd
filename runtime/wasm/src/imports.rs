//! The functions of the host that the guest's C glue imports. Every pointer and every length is the
//! guest's: each is checked against its memory, and against the limits before anything is copied.

use std::sync::Arc;
use std::time::Duration;

use pcm_runtime_guest::{Run, refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use wasmtime::{Caller, Linker, Memory, Result, StoreLimits, bail};
use wasmtime_wasi::p1::{self, WasiP1Ctx};

use crate::control::{Control, Stop};

/// The calls of one session that the host works on at a time; further ones wait. A finished call
/// counts until the guest has taken its reply, so that replies cannot pile up.
const CONCURRENT_CALLS: usize = 128;
/// How many times `host_call_bytes` the requests that wait may hold together.
const PENDING_FACTOR: u64 = 4;
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What the host keeps for one instance.
pub(crate) struct GuestState {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) limiter: StoreLimits,
    pub(crate) memory: Option<Memory>,
    pub(crate) active: Option<Active>,
}

/// What the host keeps for the run that goes on.
pub(crate) struct Active {
    pub(crate) control: Arc<Control>,
    run: Arc<Run>,
    /// The reply that the guest takes next.
    held: Vec<u8>,
    submitted: JoinSet<Reply>,
    last_number: i32,
    pending_bytes: u64,
    places: Arc<Semaphore>,
}

struct Reply {
    number: i32,
    request_bytes: u64,
    frame: Vec<u8>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Active {
    pub(crate) fn new(run: Arc<Run>, control: Arc<Control>) -> Self {
        Self {
            control,
            run,
            held: Vec::new(),
            submitted: JoinSet::new(),
            last_number: 0,
            pending_bytes: 0,
            places: Arc::new(Semaphore::new(CONCURRENT_CALLS)),
        }
    }

    /// Keeps a reply for `take`, and gives its length.
    fn hold(&mut self, reply: Vec<u8>) -> Result<i32> {
        self.held = reply;
        Ok(i32::try_from(self.held.len())?)
    }

    fn submit(&mut self, request: Vec<u8>) -> Result<i32> {
        let Some(number) = self.last_number.checked_add(1) else { bail!("too many calls") };
        self.last_number = number;
        let request_bytes = request.len() as u64;
        self.pending_bytes += request_bytes;
        let most = self.run.limits().host_call_bytes.saturating_mul(PENDING_FACTOR);
        if self.pending_bytes > most {
            let message = format!("more than {most} bytes of requests are waiting");
            let frame = refusal("LimitExceeded", &message);
            self.submitted
                .spawn(async move { Reply { number, request_bytes, frame, _place: None } });
            return Ok(number);
        }
        let (run, places) = (Arc::clone(&self.run), Arc::clone(&self.places));
        self.submitted.spawn(async move {
            let place = places.acquire_owned().await.ok();
            let frame = run.answer(&request).await;
            Reply { number, request_bytes, frame, _place: place }
        });
        Ok(number)
    }

    /// Waits for a reply, for ever when nothing was submitted.
    async fn joined(&mut self) -> Result<Reply> {
        match self.submitted.join_next().await {
            Some(reply) => Ok(reply?),
            None => std::future::pending().await,
        }
    }

    /// The next reply to a submitted request: waits for ever without a timeout.
    async fn next_reply(&mut self, timeout: Option<Duration>) -> Result<Option<Reply>> {
        let reply = match timeout {
            Some(Duration::ZERO) if self.submitted.is_empty() => return Ok(None),
            Some(Duration::ZERO) => {
                tokio::task::yield_now().await; // the calls may share this thread
                self.submitted.try_join_next().transpose()?
            }
            Some(timeout) => match tokio::time::timeout(timeout, self.joined()).await {
                Ok(reply) => Some(reply?),
                Err(_) => None,
            },
            None => Some(self.joined().await?),
        };
        let Some(reply) = reply else { return Ok(None) };
        self.pending_bytes = self.pending_bytes.saturating_sub(reply.request_bytes);
        Ok(Some(reply))
    }
}

type Guest<'a> = Caller<'a, GuestState>;

/// Defines WASI and the functions of module `pcm`.
pub(crate) fn define(linker: &mut Linker<GuestState>) -> Result<()> {
    p1::add_to_linker_async(linker, |state: &mut GuestState| &mut state.wasi)?;
    linker.func_wrap_async("pcm", "call", |guest: Guest<'_>, (at, length): (i32, i32)| {
        Box::new(call(guest, at, length))
    })?;
    linker.func_wrap("pcm", "submit", submit)?;
    linker.func_wrap_async("pcm", "poll", |guest: Guest<'_>, (timeout,): (f64,)| {
        Box::new(poll(guest, timeout))
    })?;
    linker.func_wrap("pcm", "take", take)?;
    linker.func_wrap("pcm", "emit", emit)?;
    Ok(())
}

/// Sends a request, waits, and gives the length of the reply.
async fn call(mut guest: Guest<'_>, at: i32, length: i32) -> Result<i32> {
    let request = copy_request(&mut guest, at, length)?;
    let run = Arc::clone(&active(&mut guest)?.run);
    let reply = match request {
        Ok(request) => run.answer(&request).await,
        Err(refusal) => refusal,
    };
    active(&mut guest)?.hold(reply)
}

/// Sends a request and gives its number.
fn submit(mut guest: Guest<'_>, at: i32, length: i32) -> Result<i32> {
    // A request that is too long is sent on empty: it is refused like any other malformed one.
    let request = copy_request(&mut guest, at, length)?.unwrap_or_default();
    active(&mut guest)?.submit(request)
}

/// Waits for the reply to any submitted request: its number and length, or 0 after `timeout` seconds.
async fn poll(mut guest: Guest<'_>, timeout: f64) -> Result<i64> {
    let timeout = if timeout < 0.0 {
        None
    } else {
        Some(Duration::try_from_secs_f64(timeout).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
    };
    let active = active(&mut guest)?;
    let Some(reply) = active.next_reply(timeout).await? else { return Ok(0) };
    let length = active.hold(reply.frame)?;
    Ok(i64::from(reply.number) << 32 | i64::from(length))
}

/// Copies the held reply to where the guest made room for it.
fn take(mut guest: Guest<'_>, into: i32) -> Result<()> {
    let reply = std::mem::take(&mut active(&mut guest)?.held);
    let memory = memory(&guest)?;
    memory.write(&mut guest, address(into), &reply)?;
    Ok(())
}

/// Takes output; 1 when the run may not write any more.
fn emit(mut guest: Guest<'_>, channel: i32, at: i32, length: i32) -> Result<i32> {
    let run = Arc::clone(&active(&mut guest)?.run);
    let data = slice(&guest, at, length)?;
    let refused = run.emit(channel, data).is_err();
    if refused && run.is_flooding() {
        return Err(Stop::Output.into());
    }
    Ok(i32::from(refused))
}

/// A request out of the guest's memory, or the refusal of one that is too long to be copied.
fn copy_request(
    guest: &mut Guest<'_>,
    at: i32,
    length: i32,
) -> Result<std::result::Result<Vec<u8>, Vec<u8>>> {
    let run = Arc::clone(&active(guest)?.run);
    let data = slice(guest, at, length)?;
    Ok(if run.admits(data.len()) { Ok(data.to_vec()) } else { Err(run.too_long(data.len())) })
}

fn active<'a>(guest: &'a mut Guest<'_>) -> Result<&'a mut Active> {
    match &mut guest.data_mut().active {
        Some(active) => Ok(active),
        None => bail!("the guest called its host outside of a run"),
    }
}

fn memory(guest: &Guest<'_>) -> Result<Memory> {
    match guest.data().memory {
        Some(memory) => Ok(memory),
        None => bail!("the guest called its host before it was ready"),
    }
}

fn slice<'a>(guest: &'a Guest<'_>, at: i32, length: i32) -> Result<&'a [u8]> {
    let data = memory(guest)?.data(guest);
    match data.get(address(at)..).and_then(|rest| rest.get(..address(length))) {
        Some(slice) => Ok(slice),
        None => bail!("the guest named bytes that are not in its memory"),
    }
}

/// Addresses and lengths are unsigned 32-bit numbers that wasm carries as signed ones.
pub(crate) fn address(value: i32) -> usize {
    value.cast_unsigned() as usize
}
