//! Runs and calls that wait until a client has asked its user and sends its request again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::running::Running;
use crate::seats::{Seat, random_id};

/// Longer than an approval is waited for, unless the policy says otherwise: five minutes.
const WAITS: Duration = Duration::from_mins(6);

/// The runs, by what their clients have to send along. A session has one at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parked(Arc<Mutex<HashMap<String, Running>>>);

impl Parked {
    /// Keeps a run, and gives what it is known by.
    pub(crate) fn park(&self, running: Running) -> Result<String, String> {
        let state = random_id()?;
        self.runs().insert(state.clone(), running);
        let (parked, forgotten) = (self.clone(), state.clone());
        tokio::spawn(async move {
            tokio::time::sleep(WAITS).await;
            parked.runs().remove(&forgotten);
        });
        Ok(state)
    }

    /// What is known by this, where it is what the client wants. It is no longer kept.
    pub(crate) fn take(&self, state: &str, wanted: &str) -> Option<Running> {
        let mut runs = self.runs();
        // Another request with the state of this one must not end it.
        if runs.get(state)?.wanted != wanted {
            return None;
        }
        runs.remove(state)
    }

    /// Cancels what waits in a session; whether anything did.
    pub(crate) fn cancel(&self, seat: &Arc<Seat>) -> bool {
        let is_in = |running: &Running| Arc::ptr_eq(&running.seat, seat);
        let cancelled: Vec<_> = self.runs().extract_if(|_, running| is_in(running)).collect();
        !cancelled.is_empty()
    }

    /// Cancels all.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.runs());
        drop(all);
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
