//! The order of versions, for wheels that lie in folders.
//!
//! It is the order of PEP 440 for versions as people write them, and some order for all others:
//! resolvers have the last word on which version satisfies what.

use std::cmp::Ordering;

/// A version that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// What follows the numbers, read from left to right, then the end.
    rest: Vec<Part>,
    /// What follows a `+`.
    local: Vec<Part>,
}

/// A part of what follows the numbers. The end is less than `post` and more than all others.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(String),
    End,
    Number(u64),
}

impl Part {
    fn order(&self) -> (u8, u64, &str) {
        match self {
            Self::Word(word) => match word.as_str() {
                "dev" => (0, 0, ""),
                "post" | "rev" | "r" => (3, 0, ""),
                other => (1, 0, other),
            },
            Self::End => (2, 0, ""),
            Self::Number(number) => (4, *number, ""),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl Version {
    pub(crate) fn read(text: &str) -> Self {
        let text = text.to_ascii_lowercase().replace('_', "+"); // as file names write it
        let text = text.strip_prefix('v').unwrap_or(&text);
        let (text, local) = text.split_once('+').unwrap_or((text, ""));
        let (epoch, text) = text.split_once('!').unwrap_or(("0", text));
        let mut parts = parts(text).into_iter().peekable();
        let mut release = Vec::new();
        while let Some(Part::Number(number)) = parts.peek() {
            release.push(*number);
            parts.next();
        }
        while release.last() == Some(&0) {
            release.pop();
        }
        let rest = parts.chain([Part::End]).collect();
        let local = self::parts(local);
        Self { epoch: epoch.parse().unwrap_or(0), release, rest, local }
    }
}

/// Runs of digits and runs of letters.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let is_same = |c: char| c.is_ascii_digit() == first.is_ascii_digit();
            let (run, after) = rest.split_at(rest.find(|c| !is_same(c)).unwrap_or(rest.len()));
            rest = after;
            parts.push(match run.parse() {
                Ok(number) => Part::Number(number),
                Err(_) => Part::Word(word(run)),
            });
        }
    }
    parts
}

/// The one spelling of a word.
fn word(run: &str) -> String {
    match run {
        "alpha" => "a",
        "beta" => "b",
        "c" | "pre" | "preview" => "rc",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_that_people_expect() {
        let versions = [
            "0.9",
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0b2",
            "1.0b10",
            "1.0rc1",
            "1.0",
            "1.0+local.1",
            "1.0.post1",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "10.0",
            "2024.1",
            "1!0.1",
        ];
        let read: Vec<Version> = versions.iter().map(|version| Version::read(version)).collect();
        for (pair, names) in read.windows(2).zip(versions.windows(2)) {
            assert!(pair[0] < pair[1], "{names:?}");
        }
    }

    #[test]
    fn one_version_in_two_spellings_is_one() {
        for (one, other) in [
            ("1.0", "1.0.0"),
            ("1", "1.0"),
            ("v1.2", "1.2"),
            ("1.0RC1", "1.0rc1"),
            ("1.0alpha1", "1.0a1"),
            ("1+a_b", "1+a.b"),
        ] {
            assert_eq!(Version::read(one), Version::read(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_version_is_read_too() {
        for text in ["", "!", "+", "x", "1..2", "99999999999999999999999999", "é", "1!!2"] {
            let version = Version::read(text);
            assert_eq!(version, version.clone());
        }
    }
}
