//! Names of tools, and the dotted names by which they are called.

use std::fmt;
use std::str::FromStr;

use crate::text::head;
use crate::{ToolError, ToolsError};

/// What every tool has of its own.
pub(crate) const RESERVED: [&str; 3] = ["list", "call_sync", "call_async"];
/// What `tools` has of its own beside them.
pub(crate) const RESERVED_FIRST: [&str; 2] = ["search", "stubs"];

/// The longest dotted name.
const MOST_BYTES: usize = 256;

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Whether Python takes the word as the name of a parameter.
pub(crate) fn is_identifier(word: &str) -> bool {
    let starts = |first: char| first.is_ascii_alphabetic() || first == '_';
    word.starts_with(starts)
        && word.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
        && !KEYWORDS.contains(&word)
}

/// Whether `tools.NAME.<word>(…)` reaches the host under that name.
pub(crate) fn is_word(word: &str) -> bool {
    word.len() <= MOST_BYTES
        && is_identifier(word)
        && !word.starts_with('_')
        && !RESERVED.contains(&word)
}

/// Whether the name is one for a tool: words, joined by dots.
pub(crate) fn check(name: &str) -> Result<(), ToolsError> {
    let first = name.split('.').next();
    if name.len() <= MOST_BYTES
        && !first.is_some_and(|first| RESERVED_FIRST.contains(&first))
        && name.split('.').all(is_word)
    {
        return Ok(());
    }
    Err(ToolsError::Name { name: head(name, MOST_BYTES) })
}

/// How a call is named: the tool, and what is called of it.
pub(crate) fn full_name(tool: &str, callable: Option<&str>) -> String {
    callable.map_or_else(|| tool.to_owned(), |callable| format!("{tool}.{callable}"))
}

/// The word that stands for a name which Python cannot write: `get-sum` becomes `get_sum`.
pub(crate) fn identifier(name: &str) -> String {
    let mut word: String = name
        .chars()
        .map(|each| if each.is_ascii_alphanumeric() { each } else { '_' })
        .take(MOST_BYTES / 2)
        .collect();
    if !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
        word.insert_str(0, "tool_");
    }
    if !is_word(&word) {
        word.push('_');
    }
    word
}

/// What code in the sandbox calls: the name of a tool, perhaps with one of its recipes behind it.
///
/// Which part is the tool, the registry decides: the longest name that there is.
///
/// ```
/// use pcm_tools::ToolPath;
///
/// let path: ToolPath = "curl.get".parse()?;
/// assert_eq!(path.as_str(), "curl.get");
/// assert!("curl.__class__".parse::<ToolPath>().is_err());
/// # Ok::<(), pcm_tools::ToolError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolPath(String);

impl ToolPath {
    /// The dotted name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ways to read the name as a tool and what is called of it, the longest tool first.
    pub(crate) fn splits(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let whole = std::iter::once((self.0.as_str(), None));
        let split = |(at, _): (usize, &str)| Some((self.0.get(..at)?, self.0.get(at + 1..)));
        whole.chain(self.0.rmatch_indices('.').filter_map(split))
    }
}

impl FromStr for ToolPath {
    type Err = ToolError;

    fn from_str(name: &str) -> Result<Self, ToolError> {
        match check(name) {
            Ok(()) => Ok(Self(name.to_owned())),
            Err(_) => Err(ToolError::Name { name: head(name, MOST_BYTES) }),
        }
    }
}

impl fmt::Display for ToolPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_code_cannot_call_are_refused() {
        for name in [
            "", "a.", ".a", "_a", "a._b", "1a", "a-b", "a b", "list", "a.list", "search", "if", "ä",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check("a1_b.c").is_ok() && check("web.search").is_ok());
        assert!(check(&"a".repeat(MOST_BYTES)).is_ok());
        assert!(check(&"a".repeat(MOST_BYTES + 1)).is_err());
    }

    #[test]
    fn a_path_is_read_with_the_longest_tool_first() -> Result<(), ToolError> {
        let path: ToolPath = "a.b.c".parse()?;
        let splits: Vec<_> = path.splits().collect();
        assert_eq!(splits, [("a.b.c", None), ("a.b", Some("c")), ("a", Some("b.c"))]);
        Ok(())
    }

    #[test]
    fn every_name_has_a_word_that_stands_for_it() {
        for (name, word) in [
            ("get-sum", "get_sum"),
            ("3d", "tool_3d"),
            ("", "tool_"),
            ("_x", "tool__x"),
            ("list", "list_"),
            ("import", "import_"),
            ("größe", "gr__e"),
            ("plain", "plain"),
        ] {
            assert_eq!(identifier(name), word);
            assert!(is_word(word), "{word}");
        }
        assert!(is_word(&identifier(&"x".repeat(10_000))));
    }
}
