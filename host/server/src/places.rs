//! How many sessions there are, in all and of one token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::Refusal;
use crate::auth::Principal;

/// The places for sessions.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By the name of a token.
    by: HashMap<String, usize>,
}

/// The place of one session: from before its sandbox starts until it is closed.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    owner: String,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Takes a place, unless there are too many sessions.
    pub(crate) fn take(self: &Arc<Self>, principal: &Principal) -> Result<Place, Refusal> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let most = principal.gate.bounds().sessions;
        let own = taken.by.get(&principal.name).copied().unwrap_or_default();
        if own >= most {
            let said = format!("this token has {most} sessions, which is the most; reset one");
            return Err(Refusal::too_many(said, Duration::from_secs(1)));
        }
        if taken.all >= self.most {
            let most = self.most;
            let said = format!("the server has {most} sessions, which is the most; try later");
            return Err(Refusal::unavailable(said));
        }
        taken.by.insert(principal.name.clone(), own + 1);
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), owner: principal.name.clone() })
    }
}

impl Place {
    /// The name of the token that it is of.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by.get_mut(&self.owner) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by.remove(&self.owner);
            }
        }
    }
}
