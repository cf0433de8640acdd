//! From files to cases. What is wrong with one is said with its file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use toml::Spanned;

use crate::case::{Action, Case, Exception, Step};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// [`Case::evaluator_alone`] of all its cases.
    #[serde(default)]
    evaluator_alone: bool,
    case: Vec<Spanned<Case>>,
}

/// The cases of all `*.toml` files of a folder, by file and line.
pub fn load_cases(folder: &Path) -> Result<Vec<Case>> {
    let list = || format!("cannot list the cases in {}", folder.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).with_context(list)? {
        files.push(entry.with_context(list)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        cases.extend(parse(&file, &text)?);
    }
    ensure!(!cases.is_empty(), "{} has no cases", folder.display());
    Ok(cases)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Case>> {
    let parsed: File = toml::from_str(text).with_context(|| file.display().to_string())?;
    let mut seen = BTreeSet::new();
    let mut cases = Vec::new();
    for spanned in parsed.case {
        let line =
            1 + text.bytes().take(spanned.span().start).filter(|byte| *byte == b'\n').count();
        let evaluator_alone = parsed.evaluator_alone;
        let case = Case { file: file.to_owned(), line, evaluator_alone, ..spanned.into_inner() };
        check(&case).with_context(|| case.to_string())?;
        ensure!(seen.insert(case.id.clone()), "{case}: there are two cases with this id");
        cases.push(case);
    }
    Ok(cases)
}

fn check(case: &Case) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(!case.id.is_empty() && case.id.chars().all(plain), "an id is made of a-z, 0-9 and _");
    ensure!(!case.about.trim().is_empty(), "`about` says nothing");
    ensure!(!case.steps.is_empty(), "there is no step");
    if let Some(host) = &case.host {
        host.check().context("host.files")?;
    }
    for (number, step) in (1..).zip(&case.steps) {
        let files = !(step.expect.files.is_empty() && step.expect.file_contains.is_empty());
        ensure!(case.host.is_some() || !files, "step {number} expects files without a `host`");
        check_step(step).with_context(|| format!("step {number}"))?;
    }
    for (backend, exception) in &case.except {
        check_exception(exception, case.steps.len())
            .with_context(|| format!("except.{backend}"))?;
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<()> {
    match (step.action, &step.code) {
        (Action::Run, None) => bail!("there is no `code` to run"),
        (Action::Reset | Action::Close, Some(_)) => bail!("only the action `run` takes `code`"),
        (Action::Reset | Action::Close, None) => return Ok(()),
        (Action::Run, Some(_)) => {}
    }
    step.expect.check()
}

fn check_exception(exception: &Exception, steps: usize) -> Result<()> {
    ensure!(!exception.reason.trim().is_empty(), "`reason` says nothing");
    ensure!(
        exception.skip == exception.step.is_empty(),
        "give either `skip = true` or changed steps"
    );
    for (number, expectation) in &exception.step {
        let known = number.parse().is_ok_and(|number: usize| (1..=steps).contains(&number));
        ensure!(known, "there is no step {number}");
        expectation.check().with_context(|| format!("step {number}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    fn error_of(text: &str) -> String {
        format!("{:#}", parse(Path::new("cases/topic.toml"), text).unwrap_err())
    }

    #[test]
    fn a_case_knows_its_place() {
        let text =
            "\n[[case]]\nid = \"one\"\nabout = \"a\"\n[[case.step]]\ncode = \"1\"\nvalue = '1'\n";
        let cases = parse(Path::new("cases/topic.toml"), text).unwrap();
        assert_eq!(cases[0].to_string(), "topic::one (cases/topic.toml:2)");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let text =
            "[[case]]\nid = \"one\"\nabout = \"a\"\n[[case.step]]\ncode = \"1\"\nvalu = '1'\n";
        let error = error_of(text);
        assert!(error.contains("valu") && error.contains("cases/topic.toml"), "{error}");
        assert!(error.contains("line"), "{error}");
    }

    #[test]
    fn a_step_without_expectation_is_an_error() {
        let text = "[[case]]\nid = \"one\"\nabout = \"a\"\n[[case.step]]\ncode = \"1\"\n";
        let error = error_of(text);
        assert!(
            error.contains("topic::one (cases/topic.toml:1): step 1: expects nothing"),
            "{error}"
        );
    }

    #[test]
    fn an_exception_needs_a_reason() {
        let case =
            "[[case]]\nid = \"one\"\nabout = \"a\"\n[[case.step]]\ncode = \"1\"\nok = true\n";
        assert!(error_of(&format!("{case}[case.except.wasm]\nskip = true\n")).contains("reason"));
        let silent = format!("{case}[case.except.wasm]\nreason = \" \"\nskip = true\n");
        assert!(error_of(&silent).contains("`reason` says nothing"));
        let changed = format!("{case}[case.except.wasm]\nreason = \"r\"\nstep.2.ok = true\n");
        assert!(error_of(&changed).contains("there is no step 2"));
    }

    #[test]
    fn code_is_joined_from_pieces() {
        let text = "[[case]]\nid = \"one\"\nabout = \"a\"\n[[case.step]]\nok = true\n\
                    code = [\"x = '\", 0xff, { repeat = \"ab\", times = 2 }, \"'\"]\n";
        let cases = parse(Path::new("cases/topic.toml"), text).unwrap();
        assert_eq!(cases[0].steps[0].code.as_ref().unwrap().bytes(), b"x = '\xffabab'");
    }
}
