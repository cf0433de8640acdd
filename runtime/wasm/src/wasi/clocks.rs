//! What time it is in the guest.

use std::time::{Duration, Instant, SystemTime};

use super::errno::{Answer, Errno};
use super::memory;
use crate::imports::Guest;

pub(super) const REALTIME: u32 = 0;
const THREAD_TIME: u32 = 3;

/// The guest's clocks are no finer, in nanoseconds: enough to measure code with, too coarse to look
/// into the processor's caches.
const RESOLUTION: u64 = 1_000;
/// Where the monotonic clock begins: later than it stood while the snapshot was made, so that for
/// Python time goes on.
const BEGINNING: u64 = 2_000_000_000;
/// 2020-01-01T00:00:00Z, in nanoseconds since 1970.
const MADE_UP_DATE: u64 = 1_577_836_800_000_000_000;

/// The clocks of one session.
#[derive(Debug, Clone)]
pub(super) enum Clock {
    /// The host's date, and the time since the session began.
    System {
        began: Instant,
        /// What had passed when it was saved.
        before: u64,
    },
    /// Made up: every look at it takes a microsecond, and sleeping takes no time at all.
    Virtual { passed: u64 },
}

impl Clock {
    pub(super) fn new(deterministic: bool) -> Self {
        Self::after(deterministic, 0)
    }

    /// A clock that goes on where another one stood.
    pub(super) fn after(deterministic: bool, passed: u64) -> Self {
        if deterministic {
            Self::Virtual { passed }
        } else {
            Self::System { began: Instant::now(), before: passed }
        }
    }

    /// The time since the session began, in nanoseconds.
    pub(super) fn passed(&self) -> u64 {
        match self {
            Self::System { began, before } => before.saturating_add(nanoseconds(began.elapsed())),
            Self::Virtual { passed } => *passed,
        }
    }

    /// The date, without looking at the clock as the guest does.
    pub(super) fn now(&self) -> u64 {
        let now = match self {
            Self::System { .. } => {
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds)
            }
            Self::Virtual { passed } => MADE_UP_DATE.saturating_add(*passed),
        };
        now - now % RESOLUTION
    }

    /// What one of the clocks says.
    pub(super) fn read(&mut self, id: u32) -> Answer<u64> {
        check(id)?;
        if let Self::Virtual { passed } = self {
            *passed = passed.saturating_add(RESOLUTION);
        }
        self.peek(id)
    }

    /// The same without taking time.
    pub(super) fn peek(&self, id: u32) -> Answer<u64> {
        check(id)?;
        if id == REALTIME {
            return Ok(self.now());
        }
        let time = BEGINNING.saturating_add(self.passed());
        Ok(time - time % RESOLUTION)
    }

    /// Lets time pass where it passes by itself; None where it does not have to.
    pub(super) fn sleep(&mut self, nanoseconds: u64) -> Option<Duration> {
        match self {
            Self::System { .. } => Some(Duration::from_nanos(nanoseconds)),
            Self::Virtual { passed } => {
                *passed = passed.saturating_add(nanoseconds);
                None
            }
        }
    }
}

fn check(id: u32) -> Answer {
    if id <= THREAD_TIME { Ok(()) } else { Err(Errno::INVAL.into()) }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `clock_res_get`.
pub(super) fn resolution(guest: &mut Guest<'_>, id: u32, into: u32) -> Answer {
    check(id)?;
    memory::of(guest)?.0.put(into, RESOLUTION.to_le_bytes())
}

/// `clock_time_get`. How precise the guest wants it does not matter.
pub(super) fn time(guest: &mut Guest<'_>, id: u32, into: u32) -> Answer {
    let (mut memory, state) = memory::of(guest)?;
    let time = state.wasi.clock.read(id)?;
    memory.put(into, time.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONOTONIC: u32 = 1;

    fn read(clock: &mut Clock, id: u32) -> u64 {
        clock.read(id).unwrap_or(0)
    }

    #[test]
    fn made_up_clocks_depend_on_nothing_but_how_often_they_are_looked_at() {
        let mut clock = Clock::new(true);
        assert_eq!(read(&mut clock, REALTIME), MADE_UP_DATE + 1_000);
        assert_eq!(read(&mut clock, MONOTONIC), BEGINNING + 2_000);
        assert_eq!(clock.sleep(5_000_000_000), None);
        let mut fork = clock.clone();
        for clock in [&mut clock, &mut fork] {
            assert_eq!(read(clock, MONOTONIC), BEGINNING + 5_000_003_000);
        }
        assert_eq!(
            Clock::after(true, clock.passed()).peek(REALTIME).ok(),
            clock.peek(REALTIME).ok()
        );
        clock.sleep(u64::MAX);
        assert_eq!(read(&mut clock, MONOTONIC), u64::MAX - u64::MAX % RESOLUTION);
    }

    #[test]
    fn real_clocks_count_from_the_sessions_beginning_and_are_coarse() {
        let mut clock = Clock::new(false);
        let first = read(&mut clock, MONOTONIC);
        assert!(
            (BEGINNING..BEGINNING + 60_000_000_000).contains(&first),
            "not since the host's start"
        );
        assert!(read(&mut clock, MONOTONIC) >= first);
        for id in 0..4 {
            assert_eq!(read(&mut clock, id) % RESOLUTION, 0);
        }
        assert!(clock.read(4).is_err() && clock.read(u32::MAX).is_err());
        assert!(clock.sleep(1).is_some());
        let passed = 3_600_000_000_000;
        let mut later = Clock::after(false, passed);
        assert!(read(&mut later, MONOTONIC) >= BEGINNING + passed, "a loaded session's goes on");
    }
}
