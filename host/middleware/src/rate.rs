//! How often something may happen.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::MiddlewareError;

/// So that no sum with the present overflows.
const MAX_PERIOD: Duration = Duration::from_hours(24 * 366);

/// So often in so much time: `10/min`.
///
/// After a pause all of them may come at once; then one more each time its share of the period is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// `count` times in `period`. None where one of the two is zero, or the period is beyond a year.
    pub fn new(count: u32, period: Duration) -> Option<Self> {
        let is_rate = count > 0 && period / count > Duration::ZERO && period <= MAX_PERIOD;
        is_rate.then_some(Self { count, period })
    }
}

impl FromStr for Rate {
    type Err = MiddlewareError;

    fn from_str(text: &str) -> Result<Self, MiddlewareError> {
        let error = || MiddlewareError::Rate(text.to_owned());
        let (count, unit) = text.split_once('/').ok_or_else(error)?;
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1,
            "min" | "minute" => 60,
            "h" | "hour" => 60 * 60,
            "d" | "day" => 24 * 60 * 60,
            _ => return Err(error()),
        };
        let count = count.trim().parse().map_err(|_| error())?;
        Self::new(count, Duration::from_secs(seconds)).ok_or_else(error)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "min",
            3600 => "h",
            86_400 => "day",
            _ => return write!(formatter, "{}/{:?}", self.count, self.period),
        };
        write!(formatter, "{}/{unit}", self.count)
    }
}

/// Counts what happened under a rate.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// When everything that has happened would be paid for, at one share each.
    paid: Mutex<Option<Instant>>,
}

impl Meter {
    /// Notes one more, or says how long to wait for it.
    pub(crate) fn take(&self, rate: Rate) -> Result<(), Duration> {
        let now = Instant::now();
        let share = rate.period / rate.count;
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = paid.map_or(now, |paid| paid.max(now));
        let next = begin + share;
        let ahead = next.duration_since(now);
        // The shares are rounded down, so a full period always has room for all of them.
        if ahead > rate.period {
            return Err(ahead.saturating_sub(rate.period));
        }
        *paid = Some(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), MiddlewareError>;

    #[test]
    fn rates_are_read_and_written() -> TestResult {
        for text in ["5/s", "10/min", "100/h", "1000/day"] {
            assert_eq!(text.parse::<Rate>()?.to_string(), text);
        }
        for text in
            ["", "5", "/s", "0/s", "-1/s", "5/week", "5/ms", "1.5/s", "99999999999/s", "5/s/s"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_the_whole_count_and_then_one_by_one() -> TestResult {
        let (meter, rate) = (Meter::default(), "3/min".parse()?);
        for _ in 0..3 {
            assert_eq!(meter.take(rate), Ok(()));
        }
        assert_eq!(meter.take(rate), Err(Duration::from_secs(20)));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(meter.take(rate), Ok(()));
        assert!(meter.take(rate).is_err());
        tokio::time::advance(Duration::from_hours(1)).await;
        for _ in 0..3 {
            assert_eq!(meter.take(rate), Ok(()));
        }
        assert!(meter.take(rate).is_err(), "a long pause saves nothing up");
        Ok(())
    }
}
