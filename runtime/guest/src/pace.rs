//! Whether to look for what is expected, or to sleep until it comes.
//!
//! To wake a thread takes as long as most calls of tools do, and two threads wait for each other at
//! every call. So who waits looks again and again for a moment, but only while what it waited for the
//! last time came within one.

use std::time::{Duration, Instant};

/// How soon something has to come to be looked for the next time.
const LONGEST: Duration = Duration::from_micros(300);

/// How soon things come, one after the other.
#[derive(Debug, Default)]
pub struct Pace {
    /// Since when the next one is waited for.
    begun: Option<Instant>,
    is_quick: bool,
}

impl Pace {
    /// Whether to look again, now that nothing is there.
    pub fn looks(&mut self) -> bool {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        self.is_quick && begun.elapsed() < LONGEST
    }

    /// Something came.
    pub fn came(&mut self) {
        self.is_quick = self.begun.take().is_none_or(|begun| begun.elapsed() < LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn only_what_comes_quickly_is_looked_for() {
        let mut pace = Pace::default();
        assert!(!pace.looks(), "nothing is known yet");
        pace.came();
        assert!(pace.looks());
        sleep(2 * LONGEST);
        assert!(!pace.looks(), "it did not come quickly this time");
        pace.came();
        assert!(!pace.looks(), "nor is the next one expected to");
    }
}
