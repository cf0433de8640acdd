//! A case that failed, told so that the reader need not run it again.

use std::fmt;
use std::time::Duration;

use pcm_runtime_api::ExecutionResult;

use crate::case::{Case, Code, Step};
use crate::expect::Mismatch;

/// A case that failed, for the reader.
#[derive(Debug)]
pub struct Failure {
    /// Which case, what it shows, and which step of it.
    place: String,
    code: String,
    fault: Fault,
}

#[derive(Debug)]
pub(crate) enum Fault {
    /// The session could not be started.
    Startup(anyhow::Error),
    /// There was no result after this time.
    Stuck(Duration),
    /// The backend panicked.
    Panicked(String),
    /// The result is another one.
    Unexpected { mismatches: Vec<Mismatch>, result: Box<ExecutionResult> },
}

impl Failure {
    pub(crate) fn new(case: &Case, number: usize, step: &Step, fault: Fault) -> Self {
        let Case { about, steps, .. } = case;
        let Step { action, session, code, .. } = step;
        let place = format!(
            "case {case}\n     {about}\nstep {number} of {}: {action:?} in session {session}",
            steps.len()
        );
        Self { place, code: code.as_ref().map(shown).unwrap_or_default(), fault }
    }

    /// What came otherwise than expected; nothing if it did not come to a comparison.
    pub fn mismatches(&self) -> &[Mismatch] {
        match &self.fault {
            Fault::Unexpected { mismatches, .. } => mismatches,
            _ => &[],
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, code, fault } = self;
        writeln!(formatter, "{place}")?;
        for line in code.lines() {
            writeln!(formatter, "     | {line}")?;
        }
        match fault {
            Fault::Startup(error) => write!(formatter, "the session did not start: {error:#}"),
            Fault::Stuck(time) => write!(formatter, "no result after {} s", time.as_secs()),
            Fault::Panicked(failed) => write!(formatter, "the backend panicked: {failed}"),
            Fault::Unexpected { mismatches, result } => {
                for mismatch in mismatches {
                    writeln!(formatter, "{mismatch}")?;
                }
                write!(formatter, "the whole result: {}", whole(result))
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The code for the reader: its first lines, each of a bounded length.
fn shown(code: &Code) -> String {
    const LINES: usize = 20;
    const COLUMNS: usize = 160;
    let bytes = code.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let mut shown: Vec<String> =
        lines.by_ref().take(LINES).map(|line| line.chars().take(COLUMNS).collect()).collect();
    if lines.next().is_some() {
        shown.push(format!("… ({} bytes)", bytes.len()));
    }
    shown.join("\n")
}

fn whole(result: &ExecutionResult) -> String {
    const MOST: usize = 4000;
    let text = serde_json::to_string_pretty(result).unwrap_or_else(|error| error.to_string());
    text.chars().take(MOST).collect()
}
