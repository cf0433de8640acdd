//! The numbered list of what every backend does (`behaviours.toml`), and what proves each number.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::Case;

/// One line of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// [`Case::spec`] of the cases that prove it.
    pub number: u32,
    /// Which part of the list it is in.
    pub part: String,
    /// What it says, in one sentence.
    pub about: String,
    /// Rust tests that prove it, as `file::function`, with the file's path in the repository.
    #[serde(default)]
    pub tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    behaviour: Vec<Behaviour>,
}

/// The list of a file, in the order of its numbers, which begin with 1 and have no gap.
pub fn load_behaviours(file: &Path) -> Result<Vec<Behaviour>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let list: File = toml::from_str(&text).with_context(|| file.display().to_string())?;
    for (expected, behaviour) in (1..).zip(&list.behaviour) {
        let number = behaviour.number;
        ensure!(number == expected, "{}: {number} is in the place of {expected}", file.display());
    }
    Ok(list.behaviour)
}

impl Behaviour {
    /// The cases that prove it.
    pub fn cases<'a>(&self, cases: &'a [Case]) -> impl Iterator<Item = &'a Case> {
        let number = self.number;
        cases.iter().filter(move |case| case.spec == Some(number))
    }

    /// Fails when neither a case nor a test proves it, or a test that it names does not exist below `root`.
    pub fn check(&self, cases: &[Case], root: &Path) -> Result<()> {
        let Self { number, about, tests, .. } = self;
        let proved = self.cases(cases).next().is_some() || !tests.is_empty();
        ensure!(proved, "behaviour {number} has neither a case nor a test: {about}");
        for test in tests {
            let named = || format!("behaviour {number} names {test}");
            let (file, function) = test.split_once("::").with_context(named)?;
            let text = fs::read_to_string(root.join(file)).with_context(named)?;
            let begin = format!("fn {function}(");
            ensure!(text.contains(&begin), "{}, and there is no such function", named());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::load_cases;

    #[test]
    fn every_behaviour_has_a_case_or_a_test() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (root, cases) = (folder.join("../.."), load_cases(&folder.join("cases")).unwrap());
        let behaviours = load_behaviours(&folder.join("behaviours.toml")).unwrap();
        assert_eq!(behaviours.len(), 72);
        for behaviour in &behaviours {
            behaviour.check(&cases, &root).unwrap();
        }
        let known = |case: &Case| case.spec.is_none_or(|number| (1..=72).contains(&number));
        assert!(cases.iter().all(known), "a case names a number that is not in the list");
    }

    #[test]
    fn a_test_that_does_not_exist_is_an_error() {
        let behaviour = Behaviour {
            number: 1,
            part: "Evaluation".to_owned(),
            about: "a".to_owned(),
            tests: vec!["tests/conformance/src/behaviours.rs::nobody_wrote_it".to_owned()],
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let error = behaviour.check(&[], &root).unwrap_err().to_string();
        assert!(error.contains("no such function"), "{error}");
        let error = Behaviour { tests: Vec::new(), ..behaviour }.check(&[], &root).unwrap_err();
        assert!(error.to_string().contains("neither a case nor a test"), "{error}");
    }
}
