//! The list of attacks, and what tries each of them: `lines.toml` and the cases, as the table in
//! `README.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::Case;

/// A line of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its letter and number, as `C1`.
    pub id: String,
    /// What is tried, and what has to become of it.
    pub about: String,
    /// Tests in Rust that try what no program in a sandbox can, or try it at length: a file of the
    /// repository, `::` and the name of the test.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Why no program tries it, where none does.
    pub reason: Option<String>,
}

/// All of the file, in its order.
pub fn load_lines(file: &Path) -> Result<Vec<Line>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Lines {
        line: Vec<Line>,
    }
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(toml::from_str::<Lines>(&text)?.line)
}

/// The backends in the order of their columns.
const COLUMNS: [&str; 5] = ["wasm", "deno-sandbox", "subprocess", "container", "in-process"];

/// The page that shows which programs and tests each line has. `root` is the folder of the repository.
pub fn page(lines: &[Line], cases: &[Case], root: &Path) -> Result<String> {
    let mut by_line: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        let is_listed = lines.iter().any(|line| line.id == case.line);
        ensure!(is_listed, "{} is no line of the list", case.line);
        by_line.entry(&case.line).or_default().push(case);
    }
    let mut page = String::from(HEAD);
    for line in lines {
        let own = by_line.get(line.id.as_str()).map_or(&[][..], Vec::as_slice);
        line.check(own.is_empty(), root).with_context(|| line.id.clone())?;
        writeln!(page, "{}", line.row(own))?;
    }
    let counts = COLUMNS.map(|key| cases.iter().filter(|case| case.is_for(key)).count());
    writeln!(page, "| | {} programs | {} | |", cases.len(), cells(counts))?;
    Ok(page)
}

impl Line {
    fn check(&self, has_no_program: bool, root: &Path) -> Result<()> {
        let is_explained = self.reason.is_some() && !self.tests.is_empty();
        ensure!(!has_no_program || is_explained, "it has neither a program nor a reason and tests");
        for test in &self.tests {
            let (file, name) = test.rsplit_once("::").context("a test is FILE::NAME")?;
            let text = std::fs::read_to_string(root.join(file)).with_context(|| test.clone())?;
            let is_there =
                text.contains(&format!("fn {name}(")) || text.contains(&format!("\"{name}\""));
            ensure!(is_there, "there is no test {test}");
        }
        Ok(())
    }

    fn row(&self, cases: &[&Case]) -> String {
        let counts = COLUMNS.map(|key| cases.iter().filter(|case| case.is_for(key)).count());
        let mut tests: Vec<String> = self.tests.iter().map(|test| format!("`{test}`")).collect();
        tests.extend(self.reason.clone());
        format!("| {} | {} | {} | {} |", self.id, self.about, cells(counts), tests.join("<br>"))
    }
}

fn cells(counts: [usize; 5]) -> String {
    let shown = counts.map(|count| if count == 0 { String::new() } else { count.to_string() });
    shown.join(" | ")
}

const HEAD: &str = "\
# What attackers try

Every line of the list of attacks, how many programs of `cases/` try it on which backend, and the tests \
in Rust that try what no program in a sandbox can, or try it at length. Programs for wasm and deno-sandbox \
run twice, in the process of the host and in a worker, but for those about what is behind the port (A, D, T \
and Z), which run where sessions are unless told otherwise; kernels of the subprocess backend are in their jail \
(`--jail default`). What a backend does not promise is not tried on it: \
[SECURITY.md](../../SECURITY.md) says what that is.

After every program the session works, a session beside it is untouched, no secret of the host came out, \
nobody knocked at a port, no file of the host has changed, no program is left, and the host has given its \
memory back. `./x mutations` takes one fence down after the other and shows the case that fails then: \
`fences.toml`.

This page is made of `lines.toml` and the cases: \
`cargo test --workspace --test escapes -- page`.

| | what is tried | wasm | deno-sandbox | subprocess | container | in-process | tests in Rust |
|---|---|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::load_cases;

    fn made() -> Result<String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cases = load_cases(&here.join("cases"))?;
        page(&load_lines(&here.join("lines.toml"))?, &cases, &here.join("../.."))
    }

    #[test]
    fn every_line_has_a_program_or_a_reason_and_the_page_says_so() {
        let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
        let made = made().unwrap();
        assert!(
            written.unwrap() == made,
            "README.md is stale: cargo test --workspace --test escapes -- page"
        );
    }

    #[test]
    fn a_line_without_anything_and_a_test_that_is_not_there_are_noticed() {
        let line = |tests: &[&str], reason: Option<&str>| Line {
            id: "C1".to_owned(),
            about: "a".to_owned(),
            tests: tests.iter().map(ToString::to_string).collect(),
            reason: reason.map(str::to_owned),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let this = "src/lines.rs::every_line_has_a_program_or_a_reason_and_the_page_says_so";
        assert!(line(&[], None).check(true, root).is_err());
        assert!(line(&[], Some("because")).check(true, root).is_err());
        assert!(line(&[this], Some("because")).check(true, root).is_ok());
        assert!(line(&[], None).check(false, root).is_ok());
        assert!(line(&["src/lines.rs::nothing"], None).check(false, root).is_err());
        assert!(line(&["src/nothing.rs::nothing"], None).check(false, root).is_err());
    }
}
