//! Patterns for names and texts.

use std::fmt;
use std::str::FromStr;

use crate::MiddlewareError;

/// A longer pattern is a mistake; the bound keeps matching cheap.
const MAX_PATTERN: usize = 512;

/// A pattern for qualified names: `tools.github.*`, `artifacts.**`.
///
/// `*` stands for any characters except `.`, `**` for any characters at all, also for none. Everything
/// else stands for itself, upper and lower case apart.
///
/// ```
/// use pcm_middleware::NameGlob;
///
/// let glob: NameGlob = "tools.github.*".parse()?;
/// assert!(glob.matches("tools.github.get_issue"));
/// assert!(!glob.matches("tools.github"));
/// assert!(!glob.matches("tools.github.issues.list"));
/// # Ok::<(), pcm_middleware::MiddlewareError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NameGlob(Glob);

impl NameGlob {
    /// Whether the pattern stands for the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    /// What was written.
    pub fn as_str(&self) -> &str {
        &self.0.source
    }
}

impl FromStr for NameGlob {
    type Err = MiddlewareError;

    fn from_str(pattern: &str) -> Result<Self, MiddlewareError> {
        let error = |reason| MiddlewareError::Glob { pattern: pattern.to_owned(), reason };
        if pattern.contains(['?', '[', ']', '{', '}', '\\', '!']) {
            return Err(error("`*` and `**` are the only wildcards; several patterns make a list"));
        }
        if pattern.contains(|one: char| one.is_whitespace() || one.is_control()) {
            return Err(error("a name has no white space"));
        }
        Glob::parse(pattern, b'.').map(Self).map_err(error)
    }
}

impl fmt::Display for NameGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for NameGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

/// `*` does not cross the separator, `**` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    source: String,
    /// What has to stand at the beginning, before the first wildcard.
    prefix: usize,
    rest: Vec<Token>,
    separator: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Star,
    DoubleStar,
}

impl Glob {
    pub(crate) fn parse(pattern: &str, separator: u8) -> Result<Self, &'static str> {
        if pattern.is_empty() {
            return Err("it is empty");
        }
        if pattern.len() > MAX_PATTERN {
            return Err("it has more than 512 bytes");
        }
        if pattern.contains("***") {
            return Err("`***` stands for nothing; `**` crosses everything");
        }
        let prefix = pattern.find('*').unwrap_or(pattern.len());
        let mut rest = Vec::new();
        let mut bytes = pattern.bytes().skip(prefix).peekable();
        while let Some(byte) = bytes.next() {
            rest.push(match byte {
                b'*' if bytes.next_if_eq(&b'*').is_some() => Token::DoubleStar,
                b'*' => Token::Star,
                byte => Token::Byte(byte),
            });
        }
        Ok(Self { source: pattern.to_owned(), prefix, rest, separator })
    }

    /// Bytes serve for UTF-8: what is compared is exact, and the separator is ASCII.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let prefix = self.source.as_bytes().get(..self.prefix).unwrap_or_default();
        match text.as_bytes().strip_prefix(prefix) {
            Some(rest) => self.matches_rest(rest),
            None => false,
        }
    }

    /// Walks both, and on a mismatch lets the last wildcard take one byte more. Once a wildcard is
    /// passed, letting an earlier one of its kind take more cannot help.
    fn matches_rest(&self, text: &[u8]) -> bool {
        let (mut at, mut place) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        let mut double: Option<(usize, usize)> = None;
        loop {
            match (self.rest.get(place), text.get(at)) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    star = Some((place, at));
                    place += 1;
                    continue;
                }
                (Some(Token::DoubleStar), _) => {
                    double = Some((place, at));
                    star = None;
                    place += 1;
                    continue;
                }
                (Some(Token::Byte(expected)), Some(found)) if expected == found => {
                    place += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            if let Some((from, taken)) = star
                && text.get(taken).is_some_and(|next| *next != self.separator)
            {
                star = Some((from, taken + 1));
                (place, at) = (from + 1, taken + 1);
                continue;
            }
            star = None;
            match double {
                Some((from, taken)) if taken < text.len() => {
                    double = Some((from, taken + 1));
                    (place, at) = (from + 1, taken + 1);
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type TestResult = Result<(), MiddlewareError>;

    /// The definition, word by word.
    fn means(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| means(rest, &text[at..])),
            [b'*', rest @ ..] => (0..=text.len())
                .take_while(|at| !text[..*at].contains(&b'.'))
                .any(|at| means(rest, &text[at..])),
            [byte, rest @ ..] => text.first() == Some(byte) && means(rest, &text[1..]),
        }
    }

    #[test]
    fn a_star_stays_within_a_part_of_a_name() -> TestResult {
        let cases = [
            ("tools.echo.say", "tools.echo.say", true),
            ("tools.echo.say", "tools.echo.says", false),
            ("tools.*", "tools.echo", true),
            ("tools.*", "tools.echo.say", false),
            ("tools.**", "tools.echo.say", true),
            ("tools.**", "tools", false),
            ("tools.**", "toolsx.echo", false),
            ("**", "artifacts.save", true),
            ("*.save", "artifacts.save", true),
            ("tools.*.get*", "tools.curl.get_all", true),
            ("tools.*.get*", "tools.curl.x.get_all", false),
            ("tools.**.get", "tools.a.b.get", true),
            ("tools.Echo", "tools.echo", false),
            ("tools.e\u{301}cho", "tools.\u{e9}cho", false),
        ];
        for (pattern, name, expected) in cases {
            let glob: NameGlob = pattern.parse()?;
            assert_eq!(glob.matches(name), expected, "{pattern} {name}");
        }
        Ok(())
    }

    #[test]
    fn what_means_something_elsewhere_is_refused() {
        for pattern in [
            "",
            "tools.?",
            "tools.[a]",
            "{a,b}",
            "a b",
            "***",
            "a\u{0}",
            "!tools",
            &"x".repeat(600),
        ] {
            assert!(pattern.parse::<NameGlob>().is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_it_means(pattern in "([ab.*]|\\*\\*){1,8}", text in "[ab.]{0,12}") {
            if let Ok(glob) = Glob::parse(&pattern, b'.') {
                prop_assert_eq!(glob.matches(&text), means(pattern.as_bytes(), text.as_bytes()));
            }
        }
    }
}
