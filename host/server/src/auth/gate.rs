//! How much one token may at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::config::ServerLimits;

/// The bounds of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Requests in a second.
    pub(crate) per_second: u32,
    /// Requests at a time.
    pub(crate) requests: usize,
    /// Sessions at a time.
    pub(crate) sessions: usize,
}

impl Bounds {
    pub(crate) fn of(limits: &ServerLimits) -> Self {
        Self {
            per_second: limits.requests_per_second.max(1),
            requests: limits.max_requests_per_token,
            sessions: limits.max_sessions_per_token,
        }
    }
}

/// Keeps one token within its bounds.
#[derive(Debug)]
pub(crate) struct Gate {
    bounds: Bounds,
    /// From when on the next request would have been in time, had they all come evenly.
    next: Mutex<Instant>,
    requests: Arc<Semaphore>,
}

/// A request that was let in; another one is when it is dropped.
#[derive(Debug)]
pub(crate) struct Passed {
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let requests = bounds.requests.min(Semaphore::MAX_PERMITS);
        Self {
            bounds,
            next: Mutex::new(Instant::now()),
            requests: Arc::new(Semaphore::new(requests)),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Lets a request in, unless there were or are too many.
    pub(crate) fn pass(&self) -> Result<Passed, Refusal> {
        self.take_turn().map_err(|wait| {
            let most = self.bounds.per_second;
            Refusal::too_many(format!("this token may make {most} requests in a second"), wait)
        })?;
        let permit = Arc::clone(&self.requests).try_acquire_owned().map_err(|_| {
            let most = self.bounds.requests;
            let said = format!("this token may have {most} requests at a time");
            Refusal::too_many(said, Duration::from_secs(1))
        })?;
        Ok(Passed { _permit: permit })
    }

    /// Counts a request. After a pause two seconds' worth may come at once; who comes too early is told
    /// how long to wait.
    fn take_turn(&self) -> Result<(), Duration> {
        let share = Duration::from_secs(1) / self.bounds.per_second.max(1);
        let ahead = Duration::from_secs(2);
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now) + share;
        if turn > now + ahead {
            return Err(turn - (now + ahead));
        }
        *next = turn;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(per_second: u32, requests: usize) -> Gate {
        Gate::new(Bounds { per_second, requests, sessions: 1 })
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_some_come_at_once_and_then_one_for_each_share() {
        let gate = gate(2, 100);
        let passed = (0..10).filter(|_| gate.pass().is_ok()).count();
        assert_eq!(passed, 4);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(gate.pass().is_ok());
        assert!(gate.pass().is_err());
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..10).filter(|_| gate.pass().is_ok()).count(), 4);
    }

    #[tokio::test]
    async fn a_request_that_ends_makes_room() {
        let gate = gate(1000, 1);
        let first = gate.pass();
        assert!(first.is_ok() && gate.pass().is_err());
        drop(first);
        assert!(gate.pass().is_ok());
    }
}
