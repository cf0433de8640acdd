//! The host calls of one run: those that wait, those that are worked on, and their replies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pcm_fences::{Fence, holds};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::control::Control;
use crate::frames::refusal;
use crate::run::Run;

/// The calls of one session that the host works on at a time; further ones wait. A finished call
/// counts until the guest has taken its reply, so that replies cannot pile up.
const CONCURRENT_CALLS: usize = 128;
/// The calls of one session that may wait for their turn or for the guest to take their reply.
const WAITING_CALLS: usize = 4096;
/// How many times `host_call_bytes` the requests that wait may hold together.
const WAITING_FACTOR: u64 = 2;
/// The refusals that may wait for the guest; a guest that leaves more lying is not calling tools.
const REFUSED_CALLS: usize = 1 << 20;

/// How often a guest whose replies come in order may look for one in vain before it has to wait:
/// looking must not depend on how fast the host is.
const GLANCES: u32 = 100;

/// What the host keeps for the run that goes on.
#[derive(Debug)]
pub struct Active {
    /// When the run has to stop.
    pub control: Arc<Control>,
    /// The run.
    pub run: Arc<Run>,
    /// The reply that the guest takes next.
    pub held: Vec<u8>,
    submitted: JoinSet<Reply>,
    /// Calls that were not started, and why.
    refused: VecDeque<(i32, Refused)>,
    last_number: i32,
    /// Bytes of the requests in `submitted`.
    waiting_bytes: u64,
    places: Arc<Semaphore>,
    /// For deterministic sessions.
    in_order: Option<InOrder>,
}

/// Replies come in the order of their requests, whichever is there first.
#[derive(Debug, Default)]
struct InOrder {
    expected: VecDeque<i32>,
    early: BTreeMap<i32, Reply>,
    glances: u32,
}

/// Why no run can go on with its calls. Nothing that a guest meets which calls its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallsError {
    /// More calls than can be numbered.
    #[error("too many calls")]
    TooMany,
    /// More refusals than a guest that takes its replies ever leaves.
    #[error("the guest floods its host with calls")]
    Flood,
    /// A call was ended by the runtime.
    #[error("the host ended before its call did")]
    Lost,
}

/// Why a call was not started.
#[derive(Debug, Clone, Copy)]
pub enum Refused {
    /// Its request has so many bytes.
    TooLong(usize),
    /// Too many others wait, or too large ones.
    TooManyWait,
}

impl Refused {
    /// What the guest gets in place of a reply.
    pub fn frame(self, run: &Run) -> Vec<u8> {
        match self {
            Self::TooLong(length) => run.too_long(length),
            Self::TooManyWait => refusal("LimitExceeded", "too many calls are waiting"),
        }
    }
}

#[derive(Debug)]
struct Reply {
    number: i32,
    request_bytes: u64,
    frame: Vec<u8>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Active {
    /// The calls of a run that begins now. With `deterministic` replies come in the order of their
    /// requests.
    pub fn new(run: Arc<Run>, control: Arc<Control>, deterministic: bool) -> Self {
        Self {
            control,
            run,
            held: Vec::new(),
            submitted: JoinSet::new(),
            refused: VecDeque::new(),
            last_number: 0,
            waiting_bytes: 0,
            places: Arc::new(Semaphore::new(CONCURRENT_CALLS)),
            in_order: deterministic.then(InOrder::default),
        }
    }

    /// Keeps a reply for `take`, and gives its length.
    pub fn hold(&mut self, reply: Vec<u8>) -> Result<i32, CallsError> {
        self.held = reply;
        i32::try_from(self.held.len()).map_err(|_| CallsError::TooMany)
    }

    /// Starts a call and gives its number. A call that cannot be started is refused when the guest
    /// asks for its reply.
    pub fn submit(&mut self, request: Result<Vec<u8>, Refused>) -> Result<i32, CallsError> {
        let Some(number) = self.last_number.checked_add(1) else { return Err(CallsError::TooMany) };
        self.last_number = number;
        let request = request.and_then(|request| {
            let bytes = self.waiting_bytes + request.len() as u64;
            let most = self.run.limits().host_call_bytes.saturating_mul(WAITING_FACTOR);
            let fits = bytes <= most && self.submitted.len() < WAITING_CALLS;
            if fits || !holds(Fence::WaitingCalls) {
                Ok(request)
            } else {
                Err(Refused::TooManyWait)
            }
        });
        let request = match request {
            Ok(request) => request,
            Err(_) if self.refused.len() >= REFUSED_CALLS => {
                return Err(CallsError::Flood);
            }
            Err(refused) => {
                self.refused.push_back((number, refused));
                return Ok(number);
            }
        };
        if let Some(in_order) = &mut self.in_order {
            in_order.expected.push_back(number);
        }
        let request_bytes = request.len() as u64;
        self.waiting_bytes += request_bytes;
        let (run, places) = (Arc::clone(&self.run), Arc::clone(&self.places));
        self.submitted.spawn(async move {
            let place = places.acquire_owned().await.ok();
            let frame = run.answer(&request).await;
            Reply { number, request_bytes, frame, _place: place }
        });
        Ok(number)
    }

    /// Waits for a reply, for ever when nothing was submitted.
    async fn joined(&mut self) -> Result<Reply, CallsError> {
        match self.submitted.join_next().await {
            Some(reply) => reply.map_err(|_| CallsError::Lost),
            None => std::future::pending().await,
        }
    }

    /// Whether a wait of this length is only time that passes: no reply is expected.
    pub fn only_waits(&self) -> bool {
        self.refused.is_empty()
            && self.in_order.as_ref().is_some_and(|in_order| in_order.expected.is_empty())
    }

    /// The reply to the oldest request; a guest that only looks gets it when it has looked often.
    async fn next_in_order(&mut self, looks: bool) -> Result<Option<Reply>, CallsError> {
        loop {
            let Some(in_order) = &mut self.in_order else { return Ok(None) };
            let Some(&number) = in_order.expected.front() else { return Ok(None) };
            in_order.glances += u32::from(looks);
            if looks && in_order.glances < GLANCES {
                return Ok(None);
            }
            if let Some(reply) = in_order.early.remove(&number) {
                in_order.expected.pop_front();
                in_order.glances = 0;
                return Ok(Some(reply));
            }
            in_order.glances = GLANCES; // it waits now
            let reply = self.joined().await?;
            if let Some(in_order) = &mut self.in_order {
                in_order.early.insert(reply.number, reply);
            }
        }
    }

    /// The next reply to a submitted request: waits for ever without a timeout.
    pub async fn next_reply(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Option<(i32, Vec<u8>)>, CallsError> {
        if let Some((number, refused)) = self.refused.pop_front() {
            return Ok(Some((number, refused.frame(&self.run))));
        }
        let reply = match timeout {
            _ if self.in_order.is_some() && !self.only_waits() => {
                self.next_in_order(timeout == Some(Duration::ZERO)).await?
            }
            Some(Duration::ZERO) if self.submitted.is_empty() => return Ok(None),
            Some(Duration::ZERO) => {
                tokio::task::yield_now().await; // the calls may share this thread
                self.submitted.try_join_next().transpose().map_err(|_| CallsError::Lost)?
            }
            Some(timeout) => match tokio::time::timeout(timeout, self.joined()).await {
                Ok(reply) => Some(reply?),
                Err(_) => None,
            },
            None => Some(self.joined().await?),
        };
        let Some(reply) = reply else { return Ok(None) };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(reply.request_bytes);
        Ok(Some((reply.number, reply.frame)))
    }
}
