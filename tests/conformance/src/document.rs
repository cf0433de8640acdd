//! `docs/compatibility.md`, of the cases and their exceptions. It says what they say, and needs no run: that
//! each of them holds is what a run proves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::behaviours::Behaviour;
use crate::case::Exception;
use crate::{Case, Wall};

const HEAD: &str = "\
# Compatibility

The same code gives the same value, output and kind of error on every backend. This page says how far that
goes: which cases the suite in `tests/conformance` has, and each place where a backend differs, with the
reason.

It is made of the cases and of nothing else, by `./x matrix --write`; a test fails when it is not. Every
case runs on every backend in `./x test`, which prints what became of them, as `./x matrix` does again.
";

const SAMPLE: &str = "\
## Where the cases run

A wall can stand in several places, and each of these has its own run of the suite: `wasm` and
`deno-sandbox` in this process, both again in workers, `subprocess` as a kernel beside it, `container` as such
a kernel in a container, and `in-process`.

Some topics are about the evaluator alone: what a list encodes to does not depend on where the interpreter
runs. Their files begin with `evaluator_alone = true`. A worker of the deno sandbox and a container have the
same evaluator as `deno-sandbox` and `subprocess`, and take much longer to start, so that they run a fifth of
those cases, and all of the others. Which fifth is decided by a fixed number: `PCM_CONFORMANCE_SEED=2 ./x test
conformance` runs another one, and `PCM_CONFORMANCE_SEED=all` runs all.
";

/// The keys of the backends, in the order of the columns.
fn backends() -> Vec<&'static str> {
    let mut keys = Vec::new();
    for wall in Wall::ALL {
        if !keys.contains(&wall.key) {
            keys.push(wall.key);
        }
    }
    keys
}

/// The whole page.
pub fn compatibility(cases: &[Case], behaviours: &[Behaviour]) -> String {
    let mut page = HEAD.to_owned();
    page.push('\n');
    topics(&mut page, cases);
    page.push('\n');
    differences(&mut page, cases);
    page.push('\n');
    page.push_str(SAMPLE);
    page.push('\n');
    numbered(&mut page, cases, behaviours);
    page
}

fn topics(page: &mut String, cases: &[Case]) {
    let mut by_topic: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        by_topic.entry(case.topic()).or_default().push(case);
    }
    page.push_str("## Topics\n\n");
    line(page, "topic", "cases", &backends().join(" | "));
    line(page, "---", "---", &backends().iter().map(|_| "---").collect::<Vec<_>>().join(" | "));
    for (topic, cases) in &by_topic {
        let cells: Vec<String> = backends().iter().map(|key| cell(cases, key)).collect();
        let link = format!("[{topic}](../tests/conformance/cases/{topic}.toml)");
        line(page, &link, &cases.len().to_string(), &cells.join(" | "));
    }
    let all: Vec<&Case> = cases.iter().collect();
    let cells: Vec<String> = backends().iter().map(|key| cell(&all, key)).collect();
    line(page, "all", &cases.len().to_string(), &cells.join(" | "));
}

fn line(page: &mut String, first: &str, second: &str, rest: &str) {
    // Writing to a string does not fail.
    _ = writeln!(page, "| {first} | {second} | {rest} |");
}

/// `same`, or how many are otherwise.
fn cell(cases: &[&Case], key: &str) -> String {
    let exceptions: Vec<&Exception> = cases.iter().filter_map(|case| case.exception(key)).collect();
    let skipped = exceptions.iter().filter(|exception| exception.skip).count();
    match (exceptions.len() - skipped, skipped) {
        (0, 0) => "same".to_owned(),
        (differ, 0) => format!("{differ} differ"),
        (0, skipped) => format!("{skipped} not run"),
        (differ, skipped) => format!("{differ} differ, {skipped} not run"),
    }
}

fn differences(page: &mut String, cases: &[Case]) {
    page.push_str("## What differs, and why\n");
    for key in backends() {
        let mut by_reason: BTreeMap<(bool, &str), BTreeSet<String>> = BTreeMap::new();
        for case in cases {
            if let Some(exception) = case.exception(key) {
                let name = format!("`{}::{}`", case.topic(), case.id);
                by_reason.entry((exception.skip, &exception.reason)).or_default().insert(name);
            }
        }
        _ = writeln!(page, "\n### {key}\n");
        if by_reason.is_empty() {
            page.push_str("Nothing.\n");
        }
        for ((skip, reason), names) in by_reason {
            let not_run = if skip { " Not run:" } else { "" };
            let names: Vec<String> = names.into_iter().collect();
            _ = writeln!(page, "* {}{not_run} {}", reason.trim(), names.join(", "));
        }
    }
}

fn numbered(page: &mut String, cases: &[Case], behaviours: &[Behaviour]) {
    page.push_str(
        "## Behaviours by number\n\nWhat `spec = 12` in a case means, and what proves it.\n",
    );
    let mut part = "";
    for behaviour in behaviours {
        if behaviour.part != part {
            part = &behaviour.part;
            _ = writeln!(page, "\n### {part}\n");
        }
        let cases = behaviour.cases(cases).map(|case| format!("`{}::{}`", case.topic(), case.id));
        let tests = behaviour.tests.iter().map(|test| format!("`{test}`"));
        let proofs: Vec<String> = cases.chain(tests).collect();
        _ = writeln!(page, "{}. {} {}", behaviour.number, behaviour.about, proofs.join(", "));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::{load_behaviours, load_cases};

    #[test]
    fn the_page_is_what_the_cases_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cases = load_cases(&folder.join("cases")).unwrap();
        let behaviours = load_behaviours(&folder.join("behaviours.toml")).unwrap();
        let page = fs::read_to_string(folder.join("../../docs/compatibility.md")).unwrap();
        let made = compatibility(&cases, &behaviours);
        let other = page.lines().zip(made.lines()).find(|(there, made)| there != made);
        assert!(page == made, "docs/compatibility.md is stale, ./x matrix --write: {other:?}");
    }
}
