//! A host that hears what a worker says, whatever that is.
//!
//! The input is a list of steps. A step that begins with a byte below 128 is what the worker says: a
//! length of two bytes, little-endian, and as many bytes. Any other is what the host does, by its lower
//! three bits, and a byte that goes with it.

use std::collections::BTreeMap;

use pcm_runtime_api::{Limits, Payload, RunEvent};
use pcm_runtime_wire::{
    Bounds, Dialogue, Frame, Inbox, News, Order, ProtocolError, Running, encode,
};

/// What a header takes.
const HEADER: u64 = 16;
/// The most calls that may wait for their answers.
const MOST_OPEN: usize = 256;

/// The host runs code.
pub const RUN: u8 = 0x80;
/// The host runs code and does not hear its events.
pub const RUN_QUIETLY: u8 = 0x81;
/// The host takes a checkpoint.
pub const CHECKPOINT: u8 = 0x82;
/// The host gets a file.
pub const GET: u8 = 0x83;
/// The host answers a call.
pub const REPLY: u8 = 0x84;
const INTERRUPT: u8 = 0x85;
const ADD_FUEL: u8 = 0x86;

/// The limits of runs, by the byte that goes with them.
pub fn limits(byte: u8) -> Limits {
    let byte = u64::from(byte);
    Limits {
        tool_calls: byte,
        output_bytes: byte << 5,
        host_call_bytes: byte << 8,
        ..Limits::default()
    }
}

/// Frames of a worker: they are heard, or the worker is never heard again.
pub fn wire(data: &[u8]) {
    // That it is refused, and why, is none of the oracle's concern.
    drop(host(data));
}

/// A host, and what it should be like.
#[derive(Default)]
struct Host {
    inbox: Inbox,
    dialogue: Dialogue,
    /// All bytes that came, and those that were taken.
    fed: u64,
    taken: u64,
    /// What the run may do, and has done.
    limits: Limits,
    open: BTreeMap<u64, u64>,
    last: u64,
    calls: u64,
    streamed: u64,
    runs: bool,
}

/// Hears all of it, and says why it stopped before the end, if it did. Panics where something does not
/// hold.
pub fn host(mut input: &[u8]) -> Result<(), ProtocolError> {
    let mut host = Host::default();
    while let Some((&what, rest)) = input.split_first() {
        if what < 0x80 {
            let Some((length, rest)) = rest.split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
            let (said, rest) = rest.split_at(length);
            input = rest;
            // It breaks the protocol once, and is never heard again.
            host.hears(said)?;
        } else {
            let Some((&with, rest)) = rest.split_first() else { break };
            input = rest;
            host.does(what & 0x87, with);
        }
        host.holds();
    }
    Ok(())
}

impl Host {
    fn does(&mut self, what: u8, with: u8) {
        if what == REPLY {
            if let Some(&call) = self.open.keys().nth(usize::from(with)) {
                self.dialogue.tell(&Order::Reply { call, answer: Ok(Payload::default()) }, 0);
                self.open.remove(&call);
                assert!(!self.dialogue.waits(call), "call {call} was answered");
            }
            return;
        }
        let (order, expected) = match what {
            INTERRUPT => (Order::Interrupt, 0),
            ADD_FUEL => (Order::AddFuel(u64::from(with)), 0),
            // A host waits for an answer before it gives another order.
            _ if !self.dialogue.is_idle() => return,
            RUN | RUN_QUIETLY => {
                let limits = limits(with);
                let running = Running { limits: limits.clone(), repr: false, events: what == RUN };
                (self.limits, self.calls, self.streamed, self.runs) = (limits, 0, 0, true);
                (Order::Run(Box::new(running)), 0)
            }
            CHECKPOINT => (Order::Checkpoint, 0),
            GET => {
                let (path, longest) = ("/a".to_owned(), u64::from(with));
                (Order::Get { path, longest }, longest)
            }
            _ => (Order::Save([with; 32]), u64::from(with)),
        };
        self.dialogue.tell(&order, expected);
    }

    fn hears(&mut self, said: &[u8]) -> Result<(), ProtocolError> {
        self.inbox.feed(said);
        self.fed += said.len() as u64;
        loop {
            self.holds();
            let bounds = self.dialogue.bounds();
            let Some(frame) = self.inbox.next(&bounds)? else { return Ok(()) };
            self.taken += HEADER + frame.head.len() as u64 + frame.bytes.len() as u64;
            assert!(frame.head.len() as u64 <= bounds.head, "the head is too long");
            assert!(frame.bytes.len() as u64 <= bounds.bytes, "there are too many bytes");
            let (news, cost) = decoded(&frame, &bounds)?;
            self.dialogue.hear(&news, cost)?;
            self.heard(&news, cost);
        }
    }

    /// What was heard may be heard.
    fn heard(&mut self, news: &News, cost: u64) {
        match news {
            News::Call { call, op, .. } => {
                assert!(self.runs, "nothing runs that could call");
                assert!(*call > self.last && op.len() <= 64, "call {call} of {op:?}");
                self.last = *call;
                self.calls += 1;
                self.open.insert(*call, cost);
            }
            News::Cancel { call } => {
                assert!(self.runs && *call <= self.last, "call {call} was never made");
                self.open.remove(call);
            }
            News::Event(RunEvent::Output { text, .. }) => {
                self.streamed += text.len() as u64;
            }
            News::Ran { result, .. } => {
                assert!(self.runs, "nothing runs that could end");
                let text = (result.stdout.len() + result.stderr.len()) as u64;
                assert!(text <= self.most_text(), "{text} bytes of output");
                (self.runs, self.open) = (false, BTreeMap::new());
                assert!(self.dialogue.is_idle(), "the run is over");
            }
            News::Done { .. } => assert!(!self.runs && self.dialogue.is_idle(), "a run goes on"),
            News::Hello { .. }
            | News::Progress(_)
            | News::Ready
            | News::Failed(_)
            | News::Event(_) => {}
        }
        assert!(
            (0..=self.last)
                .rev()
                .take(600)
                .all(|call| { self.dialogue.waits(call) == self.open.contains_key(&call) })
        );
    }

    fn most_text(&self) -> u64 {
        self.limits.output_bytes * 3 + 4096
    }

    /// What holds at all times.
    fn holds(&self) {
        assert!(self.taken <= self.fed, "{} bytes of {}", self.taken, self.fed);
        let held = self.inbox.held() as u64;
        assert!(held <= 2 * self.fed + 64, "{held} bytes are held of {}", self.fed);
        assert_eq!(self.inbox.is_empty(), self.taken == self.fed);
        if !self.runs {
            assert!(self.open.is_empty());
            return;
        }
        assert_eq!(self.calls, self.dialogue.calls());
        assert!(self.calls <= self.limits.tool_calls, "{} calls", self.calls);
        assert!(self.open.len() <= MOST_OPEN, "{} calls wait", self.open.len());
        let waiting: u64 = self.open.values().sum();
        let most = 2 * News::longest_call(&self.limits);
        assert!(waiting <= most, "calls that take {waiting} bytes wait");
        assert!(self.streamed <= self.most_text(), "{} bytes of output", self.streamed);
    }
}

/// Reads it. What can be read can be written, and is read as the same.
fn decoded(frame: &Frame, bounds: &Bounds) -> Result<(News, u64), ProtocolError> {
    let (news, cost) = News::decode(frame, bounds)?;
    let again = encode(&news, &[]).map(|bytes| {
        let mut inbox = Inbox::default();
        inbox.feed(&bytes);
        let all = Bounds { head: u64::MAX, bytes: 0, cost: u64::MAX };
        inbox
            .next(&all)
            .map(|frame| frame.map(|frame| News::decode(&frame, &all).map(|(news, _)| news)))
    });
    assert_eq!(again.ok(), Some(Ok(Some(Ok(news.clone())))));
    Ok((news, cost))
}
