//! Threads that do what nobody can stop.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads do what nobody can stop.
#[derive(Debug, Default)]
pub struct LeftBehind(AtomicUsize);

impl LeftBehind {
    /// As many as there may be before no further interpreters are made.
    pub const MOST: usize = 8;

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// One of them has ended, after all.
    pub fn remove(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
