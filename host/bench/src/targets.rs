//! What our backends have to reach, held against a record.

use crate::format::{digits, figure};
use crate::statistics::{Summary, geometric_mean};
use crate::{Record, SCENARIOS, Unit, ratio_interval};

/// One thing to be reached.
#[derive(Debug)]
pub struct Target {
    /// Whose it is.
    pub contestant: &'static str,
    /// What about.
    pub title: &'static str,
    condition: Condition,
}

#[derive(Debug, Clone, Copy)]
enum At {
    P50,
    P99,
}

#[derive(Debug, Clone, Copy)]
enum Condition {
    /// At most this.
    AtMost(&'static str, At, f64),
    /// At least this.
    AtLeast(&'static str, f64),
    /// So many times as fast as somebody else.
    Faster(&'static str, &'static str, f64),
    /// At most so many times what somebody else takes.
    Within(&'static str, &'static str, f64),
    /// So many times as much in one scenario as in another.
    Scales(&'static str, &'static str, f64),
    /// The programs that compute, at most so many times what somebody else takes, in the geometric mean.
    Programs(&'static str, f64),
}

use Condition::{AtLeast, AtMost, Faster, Programs, Scales, Within};

const MIB: f64 = 1024.0 * 1024.0;
const MS: f64 = 1e-3;
const US: f64 = 1e-6;

const fn target(contestant: &'static str, title: &'static str, condition: Condition) -> Target {
    Target { contestant, title, condition }
}

/// All of them.
pub static TARGETS: [Target; 29] = [
    target(
        "wasm",
        "fresh session to first result, p50",
        AtMost("fresh-session", At::P50, 0.6 * MS),
    ),
    target(
        "wasm",
        "fresh session to first result, p99",
        AtMost("fresh-session", At::P99, 2.0 * MS),
    ),
    target("wasm", "fresh session to first result", Faster("fresh-session", "pyeryx", 4.0)),
    target("wasm", "trivial run", AtMost("trivial-run", At::P50, 50.0 * US)),
    target("wasm", "trivial run", Faster("trivial-run", "pyeryx", 1.5)),
    target("wasm", "tool call", AtMost("tool-call", At::P50, 25.0 * US)),
    target("wasm", "tool call", Faster("tool-call", "pyeryx", 1.5)),
    target("wasm", "ten-block agent run", AtMost("agent-run", At::P50, 1.2 * MS)),
    target("wasm", "ten-block agent run", Faster("agent-run", "pyeryx", 1.0)),
    target("wasm", "ten-block agent run", Within("agent-run", "monty", 3.0)),
    target("wasm", "process start to first result", AtMost("process-start", At::P50, 15.0 * MS)),
    target("wasm", "memory per session of 100", AtMost("memory-100", At::P50, 1.2 * MIB)),
    target("wasm", "memory per session of 1000", AtMost("memory-1000", At::P50, 1.2288 * MIB)),
    target("wasm", "fork", AtMost("fork", At::P50, 0.7 * MS)),
    target("wasm", "checkpoint", AtMost("checkpoint", At::P50, 1.0 * MS)),
    target("wasm", "roll-back", AtMost("roll-back", At::P50, 3.0 * MS)),
    target(
        "deno-sandbox",
        "process start to first result",
        AtMost("process-start", At::P50, 300.0 * MS),
    ),
    target("deno-sandbox", "process start to first result", Faster("process-start", "deno", 8.0)),
    target("deno-sandbox", "pooled checkout", AtMost("pooled-checkout", At::P50, 5.0 * MS)),
    target("deno-sandbox", "pooled reset", AtMost("pooled-reset", At::P50, 60.0 * MS)),
    target("deno-sandbox", "trivial run", AtMost("trivial-run", At::P50, 0.5 * MS)),
    target("deno-sandbox", "tool call", AtMost("tool-call", At::P50, 0.3 * MS)),
    target("wasm", "computing against native", Programs("native", 2.2)),
    target("wasm-fuel", "computing against native", Programs("native", 3.0)),
    target("deno-sandbox", "computing against native", Programs("native", 2.0)),
    target("wasm", "trivial runs a second of 64 sessions", AtLeast("throughput-64", 20_000.0)),
    target(
        "wasm",
        "64 sessions on all cores against one",
        Scales("throughput-64", "throughput-64-one-thread", 1.8),
    ),
    target("subprocess", "trivial run", Within("trivial-run", "jupyter", 1.2)),
    target("container", "trivial run", Within("trivial-run", "subprocess", 1.5)),
];

/// Whether a target holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Held,
    /// It does not.
    Missed,
    /// Somebody was not there, or there are too few samples.
    NotMeasured,
}

/// A target beside what was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whose it is.
    pub contestant: &'static str,
    /// What about.
    pub title: &'static str,
    /// What is wanted, for people.
    pub wanted: String,
    /// What was measured, for people; why it was not, where it was not.
    pub measured: String,
    /// What comes of it.
    pub verdict: Verdict,
}

/// Holds every target against a run.
pub fn judge(record: &Record) -> Vec<Judged> {
    TARGETS.iter().map(|target| target.judge(record)).collect()
}

impl Target {
    fn judge(&self, record: &Record) -> Judged {
        let (wanted, found) = match self.condition {
            AtMost(scenario, at, limit) => {
                let unit = unit(scenario);
                let found = self.summary(record, scenario).and_then(|summary| {
                    let few = "too few samples for it".to_owned();
                    let value = match at {
                        At::P50 => summary.p50,
                        At::P99 => summary.p99.ok_or(few)?,
                    };
                    Ok((figure(value, unit), value <= limit))
                });
                (format!("≤ {}", figure(limit, unit)), found)
            }
            AtLeast(scenario, limit) => {
                let unit = unit(scenario);
                let found = self.summary(record, scenario);
                let found = found.map(|summary| (figure(summary.p50, unit), summary.p50 >= limit));
                (format!("≥ {}", figure(limit, unit)), found)
            }
            Faster(scenario, than, factor) => {
                let found = ratio(record, (scenario, than), (scenario, self.contestant));
                let found = found.map(|(shown, value)| (shown, value >= factor));
                (format!("≥ {} × as fast as {than}", digits(factor)), found)
            }
            Within(scenario, of, factor) => {
                let found = ratio(record, (scenario, self.contestant), (scenario, of));
                let found = found.map(|(shown, value)| (shown, value <= factor));
                (format!("≤ {} × {of}", digits(factor)), found)
            }
            Scales(much, little, factor) => {
                let found = ratio(record, (much, self.contestant), (little, self.contestant));
                let found = found.map(|(shown, value)| (shown, value >= factor));
                (format!("≥ {} ×", digits(factor)), found)
            }
            Programs(of, factor) => {
                let found = programs(record, self.contestant, of);
                let found = found.map(|value| (format!("{} ×", digits(value)), value <= factor));
                (format!("≤ {} × {of}", digits(factor)), found)
            }
        };
        let (measured, verdict) = match found {
            Ok((shown, true)) => (shown, Verdict::Held),
            Ok((shown, false)) => (shown, Verdict::Missed),
            Err(reason) => (reason, Verdict::NotMeasured),
        };
        Judged { contestant: self.contestant, title: self.title, wanted, measured, verdict }
    }

    fn summary(&self, record: &Record, scenario: &str) -> Result<Summary, String> {
        let row = record.row(scenario, self.contestant);
        row.map(|row| row.summary).ok_or_else(|| missing(record, scenario, self.contestant))
    }
}

fn unit(scenario: &str) -> Unit {
    crate::Scenario::find(scenario).map_or(Unit::Seconds, |scenario| scenario.unit)
}

fn missing(record: &Record, scenario: &str, contestant: &str) -> String {
    let entry = record.scenarios.iter().find(|entry| entry.scenario == scenario);
    let Some(entry) = entry else { return format!("{scenario} was not measured") };
    let absence = entry.absences.iter().find(|absence| absence.contestant == contestant);
    match (absence, record.about(contestant)) {
        (Some(absence), _) => format!("{contestant}: {}", absence.reason),
        (None, Some(about)) if about.absent.is_some() => format!("{contestant} was not there"),
        (None, Some(_)) => format!("{contestant} does not take part"),
        (None, None) => format!("{contestant} was not asked for"),
    }
}

type Place<'a> = (&'a str, &'a str);

/// One median divided by another, and how sure that is.
fn ratio(record: &Record, above: Place<'_>, below: Place<'_>) -> Result<(String, f64), String> {
    let samples = |(scenario, contestant)| {
        let row = record.row(scenario, contestant);
        row.map(|row| &row.samples).ok_or_else(|| missing(record, scenario, contestant))
    };
    let interval = ratio_interval(samples(above)?, samples(below)?).ok_or("no samples")?;
    let (value, low, high) = (interval.value, interval.low, interval.high);
    Ok((format!("{} × ({}–{})", digits(value), digits(low), digits(high)), value))
}

fn programs(record: &Record, ours: &str, of: &str) -> Result<f64, String> {
    let mut ratios = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.program().is_some()) {
        let median = |contestant: &str| {
            let row = record.row(scenario.key, contestant).map(|row| row.summary.p50);
            row.ok_or_else(|| missing(record, scenario.key, contestant))
        };
        ratios.push(median(ours)? / median(of)?);
    }
    geometric_mean(&ratios).ok_or_else(|| "no program was measured".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Entry, Row};

    fn record(rows: &[(&str, &str, f64)]) -> Record {
        let mut record = Record::default();
        for (scenario, contestant, value) in rows {
            let row = Row::new(contestant, &[*value; 20], None, None);
            let rows: Vec<Row> = row.into_iter().collect();
            match record.scenarios.iter_mut().find(|entry| entry.scenario == *scenario) {
                Some(entry) => entry.rows.extend(rows),
                None => record.scenarios.push(Entry {
                    scenario: (*scenario).to_owned(),
                    rows,
                    absences: Vec::new(),
                }),
            }
        }
        record
    }

    fn verdicts(record: &Record, title: &str, contestant: &str) -> Vec<Verdict> {
        let of_it = |judged: &Judged| judged.title == title && judged.contestant == contestant;
        judge(record).into_iter().filter(of_it).map(|judged| judged.verdict).collect()
    }

    #[test]
    fn a_target_is_held_or_missed_by_what_was_measured() {
        let rows = [("trivial-run", "wasm", 40e-6), ("trivial-run", "pyeryx", 50e-6)];
        assert_eq!(
            verdicts(&record(&rows), "trivial run", "wasm"),
            [Verdict::Held, Verdict::Missed]
        );
        assert_eq!(
            verdicts(&record(&rows[..1]), "trivial run", "wasm"),
            [Verdict::Held, Verdict::NotMeasured]
        );
    }

    #[test]
    fn programs_count_by_their_geometric_mean_and_all_of_them() {
        let mut rows: Vec<(&str, &str, f64)> = Vec::new();
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.program().is_some()) {
            rows.extend([(scenario.key, "native", 1.0), (scenario.key, "wasm", 2.1)]);
        }
        let title = "computing against native";
        assert_eq!(verdicts(&record(&rows), title, "wasm"), [Verdict::Held]);
        rows.pop();
        assert_eq!(verdicts(&record(&rows), title, "wasm"), [Verdict::NotMeasured]);
    }

    #[test]
    fn a_target_names_scenarios_that_there_are() {
        for target in &TARGETS {
            let names = match target.condition {
                AtMost(name, ..) | AtLeast(name, _) | Faster(name, ..) | Within(name, ..) => {
                    vec![name]
                }
                Scales(one, other, _) => vec![one, other],
                Programs(..) => vec![],
            };
            for name in names {
                assert!(crate::Scenario::find(name).is_some(), "{name}");
            }
        }
    }
}
