//! What became of each case on each wall, kept for the matrix: one file of JSON lines for each topic and
//! wall.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::Case;
use crate::wall::{Wall, fnv};

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All came as on every wall.
    Passed,
    /// All came as the case says of this wall.
    Different,
    /// The case says why there is nothing to run here, or the backend is not on this machine.
    Skipped,
    /// It is not in the sample.
    NotInSample,
    /// Something came otherwise.
    Failed,
}

/// A line of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The wall's name.
    pub wall: String,
    /// The case's topic.
    pub topic: String,
    /// The case's id.
    pub case: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was skipped, or differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub ms: u64,
    /// [`mark`] of the case: a row of a case that has changed since says nothing.
    pub mark: String,
}

impl Row {
    /// One about this case, without a reason and without time.
    pub fn new(wall: Wall, case: &Case, outcome: Outcome) -> Self {
        Self {
            wall: wall.name.to_owned(),
            topic: case.topic(),
            case: case.id.clone(),
            outcome,
            reason: None,
            ms: 0,
            mark: mark(case),
        }
    }
}

/// A short text that is another one when the case is.
pub fn mark(case: &Case) -> String {
    let said = format!("{:?}{:?}{:?}{:?}", case.limits, case.host, case.steps, case.except);
    format!("{:016x}", fnv(said.as_bytes()))
}

/// Writes the rows of a topic and wall in place of those that were there. All of them are in one write, so
/// that whoever reads meanwhile has the old ones or the new ones.
pub fn write(folder: &Path, wall: Wall, topic: &str, rows: &[Row]) -> Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    let file = folder.join(format!("{wall}.{topic}.jsonl"));
    let part = file.with_extension("part");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&part, text))
        .and_then(|()| fs::rename(&part, &file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// All rows of a folder.
pub fn read(folder: &Path) -> Result<Vec<Row>> {
    let unreadable = || format!("cannot read {}: ./x test conformance writes it", folder.display());
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "jsonl") {
            for line in fs::read_to_string(&file)?.lines() {
                rows.push(serde_json::from_str(line).with_context(|| file.display().to_string())?);
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::load_cases;

    #[test]
    fn rows_come_back_and_a_second_run_replaces_them() {
        let folder = tempfile::tempdir().unwrap();
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let wall = Wall::ALL[0];
        let mut row = Row::new(wall, &cases[0], Outcome::Different);
        row.reason = Some("it is so".to_owned());
        write(folder.path(), wall, "one", &[row.clone(), row.clone()]).unwrap();
        write(folder.path(), wall, "one", std::slice::from_ref(&row)).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [row]);
    }

    #[test]
    fn a_case_that_has_changed_has_another_mark() {
        let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        let mut other = cases[0].clone();
        assert_eq!(mark(&other), mark(&cases[0]));
        other.steps[0].with_repr = !other.steps[0].with_repr;
        assert_ne!(mark(&other), mark(&cases[0]));
    }
}
