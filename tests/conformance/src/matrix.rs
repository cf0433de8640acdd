//! Cases × walls, counted of what the last runs have written.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::Case;
use crate::record::{Outcome, Row, mark};
use crate::wall::Wall;

/// How many cases of a topic came to what on a wall.
type Counts = BTreeMap<Outcome, usize>;

/// The table, and whether nothing in it is unexplained.
#[derive(Debug, Default)]
pub struct Matrix {
    topics: BTreeMap<String, BTreeMap<&'static str, Counts>>,
    reasons: BTreeMap<(&'static str, String), usize>,
    not_run: BTreeMap<&'static str, usize>,
    failed: Vec<String>,
}

impl Matrix {
    /// Counts the rows about these cases. A row about a case that has changed, or is no more, counts nothing.
    pub fn new(cases: &[Case], rows: &[Row]) -> Self {
        let mut latest = BTreeMap::new();
        for row in rows {
            latest.insert((row.wall.as_str(), row.topic.as_str(), row.case.as_str()), row);
        }
        let mut matrix = Self::default();
        for case in cases {
            let (topic, mark) = (case.topic(), mark(case));
            for wall in Wall::ALL {
                let row = latest.get(&(wall.name, topic.as_str(), case.id.as_str()));
                match row.filter(|row| row.mark == mark) {
                    Some(row) => matrix.count(wall, row),
                    None => *matrix.not_run.entry(wall.name).or_default() += 1,
                }
            }
        }
        matrix
    }

    fn count(&mut self, wall: Wall, row: &Row) {
        let topic = self.topics.entry(row.topic.clone()).or_default();
        *topic.entry(wall.name).or_default().entry(row.outcome).or_default() += 1;
        if let (Outcome::Skipped, Some(reason)) = (row.outcome, &row.reason) {
            *self.reasons.entry((wall.name, reason.clone())).or_default() += 1;
        }
        if row.outcome == Outcome::Failed {
            self.failed.push(format!("{wall}::{}::{}", row.topic, row.case));
        }
    }

    /// The cases that failed, by name.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// How many cases have no row that counts, over all walls.
    pub fn not_run(&self) -> usize {
        self.not_run.values().sum()
    }

    fn total(&self, wall: Wall) -> Counts {
        let mut total = Counts::new();
        for counts in self.topics.values().filter_map(|walls| walls.get(wall.name)) {
            for (outcome, number) in counts {
                *total.entry(*outcome).or_default() += number;
            }
        }
        total
    }
}

/// `passed/different/skipped/not in the sample`, shorter where the last are none.
fn cell(counts: Option<&Counts>) -> String {
    let Some(counts) = counts else { return "-".to_owned() };
    let of = |outcome| counts.get(&outcome).copied().unwrap_or_default();
    let mut text = of(Outcome::Passed).to_string();
    for (sign, outcome) in [
        ('~', Outcome::Different),
        ('s', Outcome::Skipped),
        ('o', Outcome::NotInSample),
        ('!', Outcome::Failed),
    ] {
        if of(outcome) > 0 {
            // Writing to a string does not fail.
            _ = write!(text, " {}{sign}", of(outcome));
        }
    }
    text
}

impl fmt::Display for Matrix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let walls = Wall::ALL.iter().map(|wall| wall.name.to_owned());
        rows.push(std::iter::once("topic".to_owned()).chain(walls).collect());
        for (topic, walls) in &self.topics {
            let cells = Wall::ALL.iter().map(|wall| cell(walls.get(wall.name)));
            rows.push(std::iter::once(topic.clone()).chain(cells).collect());
        }
        let totals = Wall::ALL.iter().map(|wall| cell(Some(&self.total(*wall))));
        rows.push(std::iter::once("all".to_owned()).chain(totals).collect());
        write_table(formatter, &rows)?;
        writeln!(
            formatter,
            "passed, ~ expected difference, s skipped with a reason, o not in the sample, ! failed"
        )?;
        for ((wall, reason), number) in &self.reasons {
            writeln!(formatter, "{number:5} skipped on {wall}: {reason}")?;
        }
        for (wall, number) in &self.not_run {
            writeln!(formatter, "{number:5} not run on {wall} as they are now")?;
        }
        for name in &self.failed {
            writeln!(formatter, "failed: {name}")?;
        }
        write!(formatter, "{} unexplained", self.failed.len())
    }
}

fn write_table(formatter: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(row.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(formatter, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::path::Path;

    use super::*;
    use crate::load_cases;

    #[test]
    fn what_has_changed_since_it_ran_has_not_run() {
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let cases = &cases[..2];
        let wall = Wall::ALL[0];
        let passed = Row::new(wall, &cases[0], Outcome::Passed);
        let failed = Row { mark: "old".to_owned(), ..Row::new(wall, &cases[1], Outcome::Failed) };
        let matrix = Matrix::new(cases, &[passed, failed]);
        assert!(matrix.failed().is_empty());
        assert_eq!(matrix.not_run(), 2 * Wall::ALL.len() - 1);
        assert!(matrix.to_string().contains("1 not run on wasm as they are now"), "{matrix}");
    }

    #[test]
    fn a_failure_is_unexplained() {
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let row = Row::new(Wall::ALL[1], &cases[0], Outcome::Failed);
        let name = format!("failed: wasm-worker::{}::{}", row.topic, row.case);
        let told = Matrix::new(&cases[..1], &[row]).to_string();
        assert!(told.contains(&name) && told.ends_with("1 unexplained"), "{told}");
    }
}
