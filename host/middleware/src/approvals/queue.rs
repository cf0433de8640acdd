//! What is open, and what was granted.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pcm_fences::{Fence, holds};
use pcm_runtime_api::Payload;
use serde::Deserialize;
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;

use super::request::{ApprovalEvent, ApprovalRequest, Approver, Outcome};
use crate::canonical::hex;
use crate::{ArgsDigest, AuditEntry, AuditEvent, AuditLog, MiddlewareError};

/// The events that a subscriber may be behind.
const EVENTS: usize = 256;

/// What a call does that needs an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMode {
    /// It waits for the answer.
    #[default]
    Wait,
    /// It fails at once with the type `ApprovalRequired`. Once approved, the same call of the same
    /// session goes through, one time.
    Defer,
}

/// How approvals work.
#[derive(Debug, Clone)]
pub struct ApprovalOptions {
    mode: ApprovalMode,
    valid: Duration,
    max_open: usize,
    max_open_per_session: usize,
    max_args_bytes: u64,
    approver: Option<Arc<dyn Approver>>,
    audit: Option<AuditLog>,
}

impl Default for ApprovalOptions {
    fn default() -> Self {
        Self {
            mode: ApprovalMode::Wait,
            valid: Duration::from_mins(5),
            max_open: 256,
            max_open_per_session: 32,
            max_args_bytes: 256 << 10,
            approver: None,
            audit: None,
        }
    }
}

impl ApprovalOptions {
    /// What calls do that need an approval.
    #[must_use]
    pub fn mode(mut self, mode: ApprovalMode) -> Self {
        self.mode = mode;
        self
    }

    /// How long a request is open, and how long after it an approval of a deferred call is good.
    /// Five minutes unless told otherwise.
    #[must_use]
    pub fn valid(mut self, valid: Duration) -> Self {
        // So that a sum with the present never overflows.
        self.valid = valid.min(Duration::from_hours(24 * 365));
        self
    }

    /// The most requests and unused approvals at a time: of all sessions, and of one. 256 and 32
    /// unless told otherwise.
    #[must_use]
    pub fn max_open(mut self, all: usize, per_session: usize) -> Self {
        (self.max_open, self.max_open_per_session) = (all, per_session);
        self
    }

    /// The longest arguments that anybody is asked about, as JSON. 256 KiB unless told otherwise.
    #[must_use]
    pub fn max_args_bytes(mut self, most: u64) -> Self {
        self.max_args_bytes = most;
        self
    }

    /// Has requests decided at once, and calls wait for it in either mode.
    #[must_use]
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approver = Some(approver);
        self
    }

    /// Writes what happens to requests to an audit log.
    #[must_use]
    pub fn audit(mut self, log: AuditLog) -> Self {
        self.audit = Some(log);
        self
    }

    /// The bounds of [`max_open`](Self::max_open).
    pub(crate) fn open_bounds(&self) -> (usize, usize) {
        (self.max_open, self.max_open_per_session)
    }

    pub(super) fn validity(&self) -> Duration {
        self.valid
    }

    pub(super) fn longest_args(&self) -> u64 {
        self.max_args_bytes
    }

    pub(super) fn decider(&self) -> Option<&Arc<dyn Approver>> {
        self.approver.as_ref()
    }

    pub(super) fn is_deferred(&self) -> bool {
        self.mode == ApprovalMode::Defer && self.approver.is_none()
    }
}

/// The requests of all sessions that share it. Clones are the same.
///
/// An approval is bound to a session, to the name and to the hash of the arguments; it is used once
/// and it expires.
#[derive(Clone)]
pub struct Approvals {
    options: Arc<ApprovalOptions>,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<ApprovalEvent>,
}

#[derive(Default)]
struct State {
    open: HashMap<String, Open>,
    grants: HashMap<Key, Grant>,
}

impl State {
    /// What the approval of a call would be found by: its session and its arguments.
    fn granted(&self, key: Key) -> Key {
        if holds(Fence::ApprovalSession) && holds(Fence::ApprovalArguments) {
            return key;
        }
        let is_same = |(session, digest): &&Key| {
            (*session == key.0 || !holds(Fence::ApprovalSession))
                && (*digest == key.1 || !holds(Fence::ApprovalArguments))
        };
        self.grants.keys().find(is_same).cloned().unwrap_or(key)
    }
}

/// What a deferred approval is bound to.
pub(super) type Key = (String, ArgsDigest);

/// A request without an answer.
struct Open {
    request: Arc<ApprovalRequest>,
    call_id: u64,
    deadline: Instant,
    digest: ArgsDigest,
    /// Where the call waits. None is deferred.
    waiting: Option<oneshot::Sender<Outcome>>,
}

/// An answer that waits for its call.
struct Grant {
    outcome: Outcome,
    deadline: Instant,
}

/// What a call is told that asks.
pub(super) enum Asked {
    /// The answer was there already.
    Answered(Outcome),
    /// The request is open; the answer comes here.
    Waiting(Arc<ApprovalRequest>, oneshot::Receiver<Outcome>),
    /// The request is open, and the call is to come again.
    Deferred(Arc<ApprovalRequest>),
    /// There are too many.
    Full(usize),
}

impl Approvals {
    /// Approvals as `options` say.
    pub fn new(options: ApprovalOptions) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        Self { options: Arc::new(options), state: Arc::default(), events }
    }

    /// The requests that are open, the oldest first.
    pub fn pending(&self) -> Vec<ApprovalRequest> {
        let mut state = self.lock();
        self.expire(&mut state);
        let mut pending: Vec<_> =
            state.open.values().map(|open| (open.deadline, Arc::clone(&open.request))).collect();
        drop(state);
        pending.sort_by(|(left, a), (right, b)| left.cmp(right).then_with(|| a.id.cmp(&b.id)));
        pending.into_iter().map(|(_, request)| ApprovalRequest::clone(&request)).collect()
    }

    /// Approves a call as it is.
    pub fn approve(&self, id: &str) -> Result<(), MiddlewareError> {
        self.settle(id, Outcome::Approve)
    }

    /// Approves a call with other arguments in place of its own. Under a policy they are judged like
    /// those of the guest: what is denied stays denied.
    pub fn approve_with_args(&self, id: &str, args: Payload) -> Result<(), MiddlewareError> {
        self.settle(id, Outcome::ApproveWith(args))
    }

    /// Refuses a call. The guest reads the reason.
    pub fn reject(&self, id: &str, reason: impl Into<String>) -> Result<(), MiddlewareError> {
        self.settle(id, Outcome::Reject(reason.into()))
    }

    /// What happens to requests from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ApprovalEvent> {
        self.events.subscribe()
    }

    /// Forgets the requests and approvals of a session that has ended.
    pub fn close_session(&self, session_id: &str) {
        let mut state = self.lock();
        state.grants.retain(|(session, _), _| session != session_id);
        let closed: Vec<_> =
            state.open.extract_if(|_, open| open.request.session_id == session_id).collect();
        for (_, open) in closed {
            self.expired(&open);
        }
    }

    pub(super) fn options(&self) -> &ApprovalOptions {
        &self.options
    }

    /// Answers a request. It stays open where the answer cannot be recorded.
    pub(super) fn settle(&self, id: &str, outcome: Outcome) -> Result<(), MiddlewareError> {
        let gone = || MiddlewareError::NoSuchApproval { id: id.to_owned() };
        let mut state = self.lock();
        self.expire(&mut state);
        let open = state.open.get(id).ok_or_else(gone)?;
        let event = match &outcome {
            Outcome::Reject(_) => AuditEvent::ApprovalRejected,
            Outcome::Approve | Outcome::ApproveWith(_) => AuditEvent::ApprovalApproved,
        };
        self.record(event, open, Some(&outcome))?;
        let open = state.open.remove(id).ok_or_else(gone)?;
        let request = Arc::clone(&open.request);
        if let Some(waiting) = open.waiting {
            // The call may be gone by now; then there is nothing to answer.
            waiting.send(outcome).ok();
        } else {
            let key = (request.session_id.clone(), open.digest);
            let deadline = Instant::now() + self.options.validity();
            state.grants.insert(key, Grant { outcome, deadline });
        }
        drop(state);
        self.publish(if event == AuditEvent::ApprovalRejected {
            ApprovalEvent::Rejected(request)
        } else {
            ApprovalEvent::Approved(request)
        });
        Ok(())
    }

    /// Opens a request for a call, or finds the answer that it has.
    pub(super) fn open(
        &self,
        request: ApprovalRequest,
        digest: ArgsDigest,
        call_id: u64,
    ) -> Result<Asked, MiddlewareError> {
        let mut state = self.lock();
        self.expire(&mut state);
        let is_deferred = self.options.is_deferred();
        if is_deferred {
            let key = (request.session_id.clone(), digest);
            let key = state.granted(key);
            if !holds(Fence::ApprovalOnce)
                && let Some(grant) = state.grants.get(&key)
            {
                return Ok(Asked::Answered(grant.outcome.clone()));
            }
            if let Some(grant) = state.grants.remove(&key) {
                return Ok(Asked::Answered(grant.outcome));
            }
            let is_same = |open: &&Open| {
                open.digest == digest
                    && open.request.session_id == request.session_id
                    && open.waiting.is_none()
            };
            if let Some(open) = state.open.values().find(is_same) {
                return Ok(Asked::Deferred(Arc::clone(&open.request)));
            }
        }
        if let Some(most) = self.full(&state, &request.session_id) {
            return Ok(Asked::Full(most));
        }
        let deadline = Instant::now() + self.options.validity();
        let request = Arc::new(request);
        let (sender, receiver) = oneshot::channel();
        let waiting = (!is_deferred).then_some(sender);
        let open = Open { request: Arc::clone(&request), call_id, deadline, digest, waiting };
        self.record(AuditEvent::ApprovalRequested, &open, None)?;
        state.open.insert(request.id.clone(), open);
        drop(state);
        self.publish(ApprovalEvent::Requested(Arc::clone(&request)));
        Ok(if is_deferred { Asked::Deferred(request) } else { Asked::Waiting(request, receiver) })
    }

    /// Gives a request up, if it is still open.
    pub(super) fn give_up(&self, id: &str) {
        let mut state = self.lock();
        if let Some(open) = state.open.remove(id) {
            self.expired(&open);
        }
    }

    /// The bound that is reached, if one is.
    fn full(&self, state: &State, session_id: &str) -> Option<usize> {
        let ApprovalOptions { max_open, max_open_per_session, .. } = *self.options;
        let own = state.open.values().filter(|open| open.request.session_id == session_id).count()
            + state.grants.keys().filter(|(session, _)| session == session_id).count();
        if own >= max_open_per_session {
            return Some(max_open_per_session);
        }
        (state.open.len() + state.grants.len() >= max_open).then_some(max_open)
    }

    fn expire(&self, state: &mut State) {
        let now = Instant::now();
        state.grants.retain(|_, grant| grant.deadline > now);
        let expired: Vec<_> = state.open.extract_if(|_, open| open.deadline <= now).collect();
        for (_, open) in expired {
            self.expired(&open);
        }
    }

    /// What is gone is gone, whether that can be recorded or not.
    fn expired(&self, open: &Open) {
        self.record(AuditEvent::ApprovalExpired, open, None).ok();
        self.publish(ApprovalEvent::Expired(Arc::clone(&open.request)));
    }

    fn record(
        &self,
        event: AuditEvent,
        open: &Open,
        outcome: Option<&Outcome>,
    ) -> Result<(), MiddlewareError> {
        let Some(log) = &self.options.audit else { return Ok(()) };
        let request = &open.request;
        let mut entry = AuditEntry::new(event);
        entry.session_id = Some(&request.session_id);
        entry.call_id = Some(open.call_id);
        entry.tool = Some(&request.name);
        entry.args_sha256 = Some(open.digest);
        entry.rule = request.rule.as_deref();
        entry.approval = Some(request.reference());
        match outcome {
            Some(Outcome::Reject(reason)) => entry.reason = Some(reason),
            Some(Outcome::ApproveWith(_)) => entry.decision = Some("edited"),
            Some(Outcome::Approve) | None => {}
        }
        log.append(&entry)
    }

    fn publish(&self, event: ApprovalEvent) {
        // Nobody may be listening.
        self.events.send(event).ok();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        formatter
            .debug_struct("Approvals")
            .field("options", &self.options)
            .field("open", &state.open.len())
            .field("grants", &state.grants.len())
            .finish_non_exhaustive()
    }
}

/// An id that nobody guesses.
pub(super) fn random_id() -> Result<String, MiddlewareError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| MiddlewareError::NoRandomness(error.to_string()))?;
    Ok(hex(&bytes))
}

/// From now until `valid` later, as people read it.
pub(super) fn times(valid: Duration) -> (SystemTime, SystemTime) {
    let now = SystemTime::now();
    (now, now.checked_add(valid).unwrap_or(now))
}
