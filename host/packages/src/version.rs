//! The order of versions (PEP 440), for wheels that lie in folders.

use std::cmp::Ordering;

/// A version that can be compared.
///
/// The fields are compared from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    epoch: u64,
    release: Vec<u64>,
    before: Before,
    /// The number after `post`; less than any without one.
    after: Option<u64>,
    development: Development,
    /// What follows a `+`; less than any without it.
    local: Vec<Segment>,
}

/// What comes before a release, and the release. One that is in development with nothing else is
/// before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Development,
    Alpha(u64),
    Beta(u64),
    Candidate(u64),
    Nothing,
}

/// `dev1` of what the fields before say is before that itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Development {
    Number(u64),
    Ended,
}

/// A part of what follows a `+`: numbers are more than words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Word(String),
    Number(u64),
}

impl Version {
    /// Reads a version in any of its spellings.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (public, local) = match text.split_once('+') {
            Some((public, local)) => (public, self::local(local)?),
            None => (text.as_str(), Vec::new()),
        };
        let mut rest = Rest(public);
        rest.eat("v");
        let mut release = vec![rest.number()?];
        let mut epoch = 0;
        if rest.eat("!") {
            epoch = release.pop().unwrap_or_default();
            release.push(rest.number()?);
        }
        while let Some(number) = rest.part(".") {
            release.push(number);
        }
        let mut before = rest
            .labelled(&["alpha", "a"])
            .map(Before::Alpha)
            .or_else(|| rest.labelled(&["beta", "b"]).map(Before::Beta))
            .or_else(|| rest.labelled(&["preview", "pre", "rc", "c"]).map(Before::Candidate))
            .unwrap_or(Before::Nothing);
        let after = rest.labelled(&["post", "rev", "r"]).or_else(|| rest.part("-"));
        let development = rest.labelled(&["dev"]).map_or(Development::Ended, Development::Number);
        if !rest.0.is_empty() {
            return None;
        }
        if development != Development::Ended && after.is_none() && before == Before::Nothing {
            before = Before::Development;
        }
        while release.len() > 1 && release.last() == Some(&0) {
            release.pop();
        }
        Some(Self { epoch, release, before, after, development, local })
    }

    /// For sorting: the newest first.
    pub(crate) fn newest_first(one: &Self, other: &Self) -> Ordering {
        other.cmp(one)
    }
}

/// The segments of what follows a `+`.
fn local(text: &str) -> Option<Vec<Segment>> {
    let segment = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let is_segment = text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !text.is_empty();
        match (is_segment, is_number) {
            (false, _) => None,
            (true, true) => Some(Segment::Number(text.parse().ok()?)),
            (true, false) => Some(Segment::Word(text.to_owned())),
        }
    };
    text.split(['.', '-', '_']).map(segment).collect()
}

/// What is left of a version.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.0.strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        let number = digits.parse().ok()?;
        self.0 = rest;
        Some(number)
    }

    /// A number after a separator, or nothing is taken.
    fn part(&mut self, separator: &str) -> Option<u64> {
        let before = self.0;
        let number = if self.eat(separator) { self.number() } else { None };
        if number.is_none() {
            self.0 = before;
        }
        number
    }

    /// `.post1`, `_post_1`, `post`: a word with a number after it, zero where there is none.
    fn labelled(&mut self, words: &[&str]) -> Option<u64> {
        let before = self.0;
        self.separator();
        if !words.iter().any(|word| self.eat(word)) {
            self.0 = before;
            return None;
        }
        let after_word = self.0;
        self.separator();
        self.number().or_else(|| {
            self.0 = after_word;
            Some(0)
        })
    }

    fn separator(&mut self) {
        self.0 = self.0.strip_prefix(['.', '-', '_']).unwrap_or(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_of_pep_440() {
        let versions = [
            "0.9",
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0a2",
            "1.0b2",
            "1.0b10",
            "1.0rc1",
            "1.0",
            "1.0+abc",
            "1.0+5",
            "1.0.post1.dev2",
            "1.0.post1",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "2024.1",
            "1!0.1",
        ];
        let read: Vec<Option<Version>> = versions.iter().map(|v| Version::parse(v)).collect();
        assert!(read.iter().all(Option::is_some));
        for (pair, names) in read.windows(2).zip(versions.windows(2)) {
            assert!(pair[0] < pair[1], "{names:?}");
        }
    }

    #[test]
    fn one_version_in_two_spellings_is_one() {
        for (one, other) in [
            ("1.0", "1.0.0"),
            ("0", "0.0"),
            ("v1.2", "1.2"),
            ("1.0RC1", "1.0c1"),
            ("1.0-alpha.1", "1.0a1"),
            ("1.0_pre", "1rc0"),
            ("1.0-1", "1.0.post1"),
            ("1.0.rev2", "1.0post2"),
            ("1+a_b", "1+a.b"),
        ] {
            assert!(Version::parse(one).is_some(), "{one}");
            assert_eq!(Version::parse(one), Version::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "v",
            "x",
            "1.",
            ".1",
            "1..2",
            "1.x",
            "1!",
            "1!!2",
            "1+",
            "1+a..b",
            "1+é",
            "1.0_garbage",
            "1.0dev1post1",
            "1 ",
            "1.0-",
            "99999999999999999999999999",
            "é",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
