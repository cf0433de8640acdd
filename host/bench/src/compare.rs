//! A run beside an earlier one: what became slower, and whether that is more than noise.

use crate::statistics::Interval;
use crate::{Kind, Record, mann_whitney, ratio_interval};

/// What became of one scenario of one contestant.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The scenario.
    pub scenario: String,
    /// The contestant.
    pub contestant: String,
    /// How many times worse it is than before: less than one is better.
    pub worse: Interval,
    /// How probable such a difference is where nothing has changed.
    pub p: f64,
    /// What comes of it.
    pub difference: Difference,
}

/// What comes of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Nothing that could be told from noise.
    None,
    /// It is better.
    Better,
    /// It is worse, and ours: a regression.
    Regression,
    /// It is worse or better, and a peer's: the machine or the peer is another.
    Drift,
}

/// Such a difference must be less probable than this.
const P: f64 = 0.001;

/// Everything that both runs have. Differences below `threshold` (0.1 is a tenth) do not count, nor do
/// those that the samples do not prove.
pub fn compare(old: &Record, new: &Record, threshold: f64) -> Vec<Comparison> {
    let mut found = Vec::new();
    for entry in &new.scenarios {
        for row in &entry.rows {
            let Some(before) = old.row(&entry.scenario, &row.contestant) else { continue };
            let (above, below) = if entry.unit().more_is_better() {
                (&before.samples, &row.samples)
            } else {
                (&row.samples, &before.samples)
            };
            let Some(worse) = ratio_interval(above, below) else { continue };
            let p = mann_whitney(&row.samples, &before.samples);
            let about = new.about(&row.contestant);
            let is_ours = about.is_some_and(|about| about.kind == Kind::Backend);
            let is_proven = p < P && !(worse.low..=worse.high).contains(&1.0);
            let is_large = worse.value.max(1.0 / worse.value) >= 1.0 + threshold;
            let difference = match (is_proven && is_large, is_ours, worse.value > 1.0) {
                (false, ..) => Difference::None,
                (true, false, _) => Difference::Drift,
                (true, true, true) => Difference::Regression,
                (true, true, false) => Difference::Better,
            };
            let (scenario, contestant) = (entry.scenario.clone(), row.contestant.clone());
            found.push(Comparison { scenario, contestant, worse, p, difference });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{About, Entry, Row};

    fn record(scenario: &str, contestant: &str, kind: Kind, middle: f64) -> Record {
        let samples: Vec<f64> =
            (0..40).map(|number| middle * (1.0 + f64::from(number % 7) / 100.0)).collect();
        let about = About {
            key: contestant.to_owned(),
            kind,
            name: String::new(),
            version: String::new(),
            about: std::collections::BTreeMap::new(),
            absent: None,
        };
        let rows = Row::new(contestant, &samples, None, None).into_iter().collect();
        let entry = Entry { scenario: scenario.to_owned(), rows, absences: Vec::new() };
        Record { contestants: vec![about], scenarios: vec![entry], ..Record::default() }
    }

    fn difference(scenario: &str, kind: Kind, old: f64, new: f64) -> Vec<Difference> {
        let [old, new] = [old, new].map(|middle| record(scenario, "one", kind, middle));
        compare(&old, &new, 0.1).iter().map(|comparison| comparison.difference).collect()
    }

    #[test]
    fn what_became_slower_is_a_regression_of_ours_and_drift_of_a_peer() {
        let run = "trivial-run";
        assert_eq!(difference(run, Kind::Backend, 1.0, 1.3), [Difference::Regression]);
        assert_eq!(difference(run, Kind::Backend, 1.3, 1.0), [Difference::Better]);
        assert_eq!(difference(run, Kind::Backend, 1.0, 1.05), [Difference::None]);
        assert_eq!(difference(run, Kind::Backend, 1.0, 1.0), [Difference::None]);
        assert_eq!(difference(run, Kind::Peer, 1.0, 1.3), [Difference::Drift]);
    }

    #[test]
    fn of_a_throughput_less_is_worse() {
        let runs = "throughput-8";
        assert_eq!(difference(runs, Kind::Backend, 1.3, 1.0), [Difference::Regression]);
        assert_eq!(difference(runs, Kind::Backend, 1.0, 1.3), [Difference::Better]);
    }

    #[test]
    fn what_only_one_run_has_is_not_compared() {
        let old = record("trivial-run", "one", Kind::Backend, 1.0);
        let new = record("trivial-run", "other", Kind::Backend, 9.0);
        assert_eq!(compare(&old, &new, 0.1), []);
    }
}
