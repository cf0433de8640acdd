//! The handles of the host that guests have open.
//!
//! All sessions of a process share its handles, and some hundred of them may be all there are. So
//! guests together get half of them, and one session a share that others would not miss. Handles in
//! checkpoints count as long as the checkpoint is kept.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::{Resource, getrlimit};

use crate::Errno;

/// The most that one session has open at a time.
pub(crate) const MOST_OF_A_SESSION: usize = 64;
/// Where the system sets no limit.
const PLENTY: u64 = 1 << 20;

static OPEN: AtomicU64 = AtomicU64::new(0);

/// A handle that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<T> {
    handle: T,
    _place: Place,
}

#[derive(Debug)]
struct Place;

impl<T> Held<T> {
    /// What `open` opens, if guests may have another handle.
    pub(crate) fn open(open: impl FnOnce() -> Result<T, Errno>) -> Result<Self, Errno> {
        let place = Place::take(most())?;
        Ok(Self { handle: open()?, _place: place })
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.handle
    }
}

impl Place {
    fn take(most: u64) -> Result<Self, Errno> {
        let place = Self; // from here on it is given back
        if OPEN.fetch_add(1, Relaxed) >= most { Err(Errno::TooManyOpen) } else { Ok(place) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Relaxed);
    }
}

/// Half of what the process may open now.
fn most() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(PLENTY) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_counted_and_given_back() {
        let before = OPEN.load(Relaxed);
        let one = Held::open(|| Ok(1));
        assert!(one.is_ok_and(|one| *one == 1 && OPEN.load(Relaxed) == before + 1));
        assert!(Held::open(|| Err::<(), _>(Errno::NotFound)).is_err());
        assert_eq!(Place::take(before).err(), Some(Errno::TooManyOpen));
        assert_eq!(OPEN.load(Relaxed), before);
    }
}
