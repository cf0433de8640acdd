//! A run on paper: what was measured, of whom, where.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{BenchError, Kind, Machine, Scenario, Summary, Unit};

/// The form that this version writes, and the only one that it reads.
const FORMAT: &str = "pcm-sandbox bench 1";
/// The largest file that is read as a record.
const LARGEST: u64 = 256 << 20;

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The form of the rest.
    pub format: String,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// How long it took, in seconds.
    pub took: f64,
    /// Whether it was a quick one.
    pub quick: bool,
    /// The version of this program, and how it was built.
    pub program: String,
    /// Where.
    pub machine: Machine,
    /// Who took part, or was to.
    pub contestants: Vec<About>,
    /// What was measured.
    pub scenarios: Vec<Entry>,
}

/// Who a contestant is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its name on the command line.
    pub key: String,
    /// A backend of ours, or a peer.
    pub kind: Kind,
    /// Its name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What else there is to know.
    #[serde(default)]
    pub about: BTreeMap<String, String>,
    /// Why it did not take part at all.
    #[serde(default)]
    pub absent: Option<String>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its key.
    pub scenario: String,
    /// Whoever was measured.
    pub rows: Vec<Row>,
    /// Whoever took part in it and failed, and why.
    #[serde(default)]
    pub absences: Vec<Absence>,
}

/// What was measured of a contestant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its key.
    pub contestant: String,
    /// Of all samples, also of those that are not written down.
    pub summary: Summary,
    /// Time on a processor for each sample, of all its processes, with what is not timed between the
    /// samples; none where that cannot be known.
    #[serde(default)]
    pub cpu: Option<f64>,
    /// What a reader has to know.
    #[serde(default)]
    pub note: Option<String>,
    /// The samples in the order in which they were taken, evenly fewer where there were very many.
    pub samples: Vec<f64>,
}

/// Who could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Its key.
    pub contestant: String,
    /// Why.
    pub reason: String,
}

impl Record {
    /// A run that begins now.
    pub(crate) fn begin(program: String, quick: bool) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            format: FORMAT.to_owned(),
            began: now.map_or(0, |now| now.as_secs()),
            quick,
            program,
            machine: Machine::look(),
            ..Self::default()
        }
    }

    /// Reads what [`Record::to_json`] gave.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let file = |source| BenchError::File { path: path.to_owned(), source };
        let bad = |reason: String| BenchError::NoRecord { path: path.to_owned(), reason };
        if fs::metadata(path).map_err(file)?.len() > LARGEST {
            return Err(bad(format!("it has more than {LARGEST} bytes")));
        }
        let text = fs::read(path).map_err(file)?;
        let record: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if record.format != FORMAT {
            return Err(bad(format!("its format is {:?}, not {FORMAT:?}", record.format)));
        }
        Ok(record)
    }

    /// As JSON, in one line for each scenario's contestant.
    pub fn to_json(&self) -> Result<String, BenchError> {
        let text = serde_json::to_string(self);
        text.map_err(|error| BenchError::Failed { reason: error.to_string() })
    }

    /// What was measured of a contestant.
    pub fn row(&self, scenario: &str, contestant: &str) -> Option<&Row> {
        let entry = self.scenarios.iter().find(|entry| entry.scenario == scenario)?;
        entry.rows.iter().find(|row| row.contestant == contestant)
    }

    /// Who a contestant is.
    pub fn about(&self, contestant: &str) -> Option<&About> {
        self.contestants.iter().find(|about| about.key == contestant)
    }
}

impl Entry {
    /// The scenario, where this version has it.
    pub fn scenario(&self) -> Option<&'static Scenario> {
        Scenario::find(&self.scenario)
    }

    /// What its samples are.
    pub fn unit(&self) -> Unit {
        self.scenario().map_or(Unit::Seconds, |scenario| scenario.unit)
    }

    /// Its name for people.
    pub fn title(&self) -> &str {
        self.scenario().map_or(&self.scenario, |scenario| scenario.title)
    }
}

/// So many samples are written down.
const MOST_SAMPLES: usize = 400;

impl Row {
    /// None of no samples.
    pub(crate) fn new(
        contestant: &str,
        samples: &[f64],
        cpu: Option<f64>,
        note: Option<String>,
    ) -> Option<Self> {
        let summary = Summary::of(samples)?;
        let step = samples.len().div_ceil(MOST_SAMPLES).max(1);
        let samples = samples.iter().step_by(step).copied().map(rounded).collect();
        Some(Self { contestant: contestant.to_owned(), summary, cpu, note, samples })
    }
}

/// With five digits, which is more than any clock here is worth.
fn rounded(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_some_of_many_samples_and_the_figures_of_all() {
        let samples: Vec<f64> = (1..=1000).map(f64::from).collect();
        let row = Row::new("wasm", &samples, None, None);
        let row = row.as_ref();
        assert_eq!(row.map(|row| row.summary.count), Some(1000));
        assert_eq!(row.map(|row| row.samples.len()), Some(334));
        assert!(Row::new("wasm", &[], None, None).is_none());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() -> Result<(), Box<dyn std::error::Error>> {
        let mut record = Record::begin("0.1.0".to_owned(), true);
        let row = Row::new("wasm", &[0.000_123_456_789], Some(0.001), None);
        let entry = Entry {
            scenario: "trivial-run".to_owned(),
            rows: row.into_iter().collect(),
            absences: vec![Absence { contestant: "x".to_owned(), reason: "no".to_owned() }],
        };
        record.scenarios.push(entry);
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("record.json");
        fs::write(&path, record.to_json()?)?;
        let read = Record::read(&path)?;
        assert_eq!(read, record);
        assert_eq!(
            read.row("trivial-run", "wasm").map(|row| row.samples.clone()),
            Some(vec![0.000_123_46])
        );
        fs::write(&path, r#"{"format": "something"}"#)?;
        assert!(Record::read(&path).is_err());
        Ok(())
    }
}
