//! Takes down one fence after the other, and looks whether the case notices: `./x mutations`.

use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use pcm_fences::VARIABLE;

use crate::fences::FenceCase;

/// What a case says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

/// Runs the case of every fence twice, with the fence and without it, and prints a line for each. Whether
/// all cases pass with their fence and fail without it. `program` is the program of the tests, built with
/// the feature `mutations`.
pub fn take_down(program: &Path, fences: &[FenceCase]) -> Result<bool> {
    let mut missed = Vec::new();
    let mut out = stdout().lock();
    for fence in fences {
        let began = Instant::now();
        let with = run(program, &fence.case, "")?;
        let without = run(program, &fence.case, &fence.name)?;
        let said = match (with, without) {
            (Outcome::Passed, Outcome::Failed) => "red without it",
            (Outcome::Passed, Outcome::Passed) => "GREEN WITHOUT IT",
            (Outcome::Failed, _) => "RED WITH IT",
        };
        if (with, without) != (Outcome::Passed, Outcome::Failed) {
            missed.push(fence.name.as_str());
        }
        let (FenceCase { name, stops, case }, took) = (fence, began.elapsed());
        writeln!(out, "{said:<16} {name:<18} {case}  ({stops}; {took:.1?})")?;
    }
    let (all, bad) = (fences.len(), missed.len());
    writeln!(out, "{all} fences, {bad} of them not shown to stand: {}", missed.join(" "))?;
    Ok(missed.is_empty())
}

/// One case, in a process of its own.
fn run(program: &Path, case: &str, down: &str) -> Result<Outcome> {
    let ran = Command::new(program).args(["--exact", case]).env(VARIABLE, down).output();
    let ran = ran.with_context(|| program.display().to_string())?;
    let text = String::from_utf8_lossy(&ran.stdout);
    if text.contains("ok. 1 passed") {
        Ok(Outcome::Passed)
    } else if text.contains("0 passed; 1 failed") || ran.status.code().is_none() {
        // Without some fences it is the whole process that ends.
        Ok(Outcome::Failed)
    } else {
        bail!("{case} did not run: {text}{}", String::from_utf8_lossy(&ran.stderr))
    }
}
