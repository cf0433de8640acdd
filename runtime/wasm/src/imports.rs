//! The functions of the host that the guest's C glue imports. Every pointer and every length is the
//! guest's: each is checked against its memory, and against the limits before anything is copied.

use std::sync::Arc;
use std::time::Duration;

use pcm_python_wasm::Signals;
use pcm_runtime_guest::{Active, Refused, Step, Stop};
use wasmtime::{Caller, Linker, Memory, Result, StoreLimits, bail};

use crate::wasi::{self, Wasi};
use crate::{hashes, signals};

/// What the guest gets in place of a length when its wait was cut short by an interrupt.
const INTERRUPTED: i32 = -1;
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What the host keeps for one instance.
pub(crate) struct GuestState {
    pub(crate) wasi: Wasi,
    pub(crate) limiter: StoreLimits,
    pub(crate) memory: Option<Memory>,
    pub(crate) signals: Signals,
    pub(crate) active: Option<Active>,
}

pub(crate) type Guest<'a> = Caller<'a, GuestState>;

/// Defines WASI and the functions of module `pcm`.
pub(crate) fn define(linker: &mut Linker<GuestState>) -> Result<()> {
    wasi::define(linker)?;
    linker.func_wrap_async("pcm", "call", |guest: Guest<'_>, (at, length): (i32, i32)| {
        Box::new(call(guest, at, length))
    })?;
    linker.func_wrap("pcm", "submit", submit)?;
    linker.func_wrap_async("pcm", "poll", |guest: Guest<'_>, (timeout,): (f64,)| {
        Box::new(poll(guest, timeout))
    })?;
    linker.func_wrap("pcm", "take", take)?;
    linker.func_wrap("pcm", "emit", emit)?;
    linker.func_wrap("pcm", "hash", hashes::hash)?;
    Ok(())
}

/// Sends a request, waits, and gives the length of the reply.
async fn call(mut guest: Guest<'_>, at: i32, length: i32) -> Result<i32> {
    let request = copy_request(&mut guest, at, length)?;
    let active = active(&mut guest)?;
    let (run, control) = (Arc::clone(&active.run), Arc::clone(&active.control));
    let reply = match request {
        Ok(request) => control.unless_interrupted(run.answer(&request)).await,
        Err(refused) => Some(refused.frame(&run)),
    };
    match reply {
        Some(reply) => Ok(self::active(&mut guest)?.hold(reply)?),
        None => interrupt_wait(&mut guest).map(|()| INTERRUPTED),
    }
}

/// Sends a request and gives its number.
fn submit(mut guest: Guest<'_>, at: i32, length: i32) -> Result<i32> {
    let request = copy_request(&mut guest, at, length)?;
    Ok(active(&mut guest)?.submit(request)?)
}

/// Waits for the reply to any submitted request: its number and length, or 0 after `timeout` seconds.
async fn poll(mut guest: Guest<'_>, timeout: f64) -> Result<i64> {
    let timeout = if timeout < 0.0 {
        None
    } else {
        Some(Duration::try_from_secs_f64(timeout).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
    };
    if let Some(timeout) = timeout
        && active(&mut guest)?.only_waits()
    {
        guest.data_mut().wasi.pass(timeout);
        return Ok(0);
    }
    let active = active(&mut guest)?;
    let control = Arc::clone(&active.control);
    let Some(reply) = control.unless_interrupted(active.next_reply(timeout)).await else {
        return interrupt_wait(&mut guest).map(|()| INTERRUPTED.into());
    };
    let Some((number, reply)) = reply? else { return Ok(0) };
    let length = active.hold(reply)?;
    Ok(i64::from(number) << 32 | i64::from(length))
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

/// Interrupts a guest that waits; the import then fails, and Python looks at its signals.
pub(crate) fn interrupt_wait(guest: &mut Guest<'_>) -> Result<()> {
    match active(guest)?.control.step() {
        Step::GoOn => {}
        Step::Interrupt => signals::interrupt(guest.data().signals, memory(guest)?, guest),
        Step::Kill(stop) => return Err(stop.into()),
    }
    Ok(())
}

/// A request out of the guest's memory, unless it is too long to be copied.
fn copy_request(
    guest: &mut Guest<'_>,
    at: i32,
    length: i32,
) -> Result<std::result::Result<Vec<u8>, Refused>> {
    let run = Arc::clone(&active(guest)?.run);
    let data = slice(guest, at, length)?;
    Ok(if run.admits(data.len()) { Ok(data.to_vec()) } else { Err(Refused::TooLong(data.len())) })
}

fn active<'a>(guest: &'a mut Guest<'_>) -> Result<&'a mut Active> {
    match &mut guest.data_mut().active {
        Some(active) => Ok(active),
        None => bail!("the guest called its host outside of a run"),
    }
}

pub(crate) fn memory(guest: &Guest<'_>) -> Result<Memory> {
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
