//! One dependency: a package, and which versions of it.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::StorageError;
use crate::error::shortened;

const MAX_SPEC: usize = 256;
const MAX_REQUIREMENTS_BYTES: u64 = 1 << 20;

/// What would make of a spec a URL, a marker, a command, or something that a shell reads.
const REFUSED: [(char, &str); 8] = [
    ('@', "URLs are not installed"),
    (';', "markers and further commands are not taken"),
    ('(', "brackets are not taken"),
    (')', "brackets are not taken"),
    ('|', "a shell would read it"),
    ('&', "a shell would read it"),
    ('`', "a shell would read it"),
    ('$', "a shell would read it"),
];

/// A package with extras and versions, as `my-pkg[all]>=1,<2`. The name is in lower case and with
/// `-` in place of `_`; the rest is as it was written.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DepSpec {
    text: String,
    name_length: usize,
}

impl DepSpec {
    /// The spec as it is stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The package alone.
    pub fn name(&self) -> &str {
        self.text.get(..self.name_length).unwrap_or(&self.text)
    }
}

impl FromStr for DepSpec {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        let refused = |reason: String| StorageError::Dependency { text: shortened(text), reason };
        let length = text.chars().count();
        if length > MAX_SPEC {
            return Err(refused(format!(
                "it has {length} characters, at most {MAX_SPEC} are taken"
            )));
        }
        if let Some(control) = text.chars().find(|char| matches!(char, '\n' | '\r' | '\0')) {
            return Err(refused(format!("it contains {control:?}")));
        }
        let spec = text.trim();
        if spec.is_empty() {
            return Err(refused("it is empty".to_owned()));
        }
        if let Some((char, reason)) = REFUSED.iter().find(|(char, _)| spec.contains(*char)) {
            return Err(refused(format!("it contains {char:?}: {reason}")));
        }
        let name_length = name_length(spec).map_err(refused)?;
        let (name, rest) = spec.split_at(name_length);
        check_rest(rest).map_err(refused)?;
        let text = name.to_ascii_lowercase().replace('_', "-") + rest;
        Ok(Self { text, name_length })
    }
}

/// How long the name is that a spec begins with.
fn name_length(spec: &str) -> Result<usize, String> {
    if let Some(first) = spec.chars().next().filter(|char| !char.is_ascii_alphanumeric()) {
        return Err(format!("it begins with {first:?}, and not with a letter or a digit"));
    }
    let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    Ok(spec.find(|char| !is_name(char)).unwrap_or(spec.len()))
}

/// Extras and versions, each of them optional.
fn check_rest(rest: &str) -> Result<(), String> {
    let versions = match rest.strip_prefix('[') {
        Some(rest) => {
            let (extras, versions) =
                rest.split_once(']').ok_or("the extras have no closing ']'".to_owned())?;
            let is_extra = |char: char| {
                char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-' | ',' | ' ')
            };
            if extras.trim().is_empty() {
                return Err("there are no extras between '[' and ']'".to_owned());
            }
            match extras.chars().find(|&char| !is_extra(char)) {
                Some(other) => return Err(format!("{other:?} is not taken in extras")),
                None => versions,
            }
        }
        None => rest,
    };
    let Some(first) = versions.chars().next() else { return Ok(()) };
    if !matches!(first, '<' | '>' | '=' | '!' | '~') {
        return Err(format!("{first:?} follows the name; versions begin with one of < > = ! ~"));
    }
    let is_version = |char: char| {
        char.is_ascii_alphanumeric()
            || matches!(char, '.' | '*' | ',' | '<' | '>' | '=' | '!' | '~' | ' ')
    };
    match versions.chars().find(|&char| !is_version(char)) {
        Some(other) => Err(format!("{other:?} is not taken in versions")),
        None => Ok(()),
    }
}

impl fmt::Display for DepSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for DepSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

impl Serialize for DepSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The package that a spec or the bare name of a package is about.
pub(crate) fn base_name(spec_or_name: &str) -> String {
    let trimmed = spec_or_name.trim();
    let end = trimmed.find(|char| "[<>=!~ ".contains(char)).unwrap_or(trimmed.len());
    trimmed.get(..end).unwrap_or(trimmed).to_ascii_lowercase().replace('_', "-")
}

/// What a set of specs is recognised by: SHA-256 over the sorted specs, with line ends between them.
pub(crate) fn hash(sorted: &[DepSpec]) -> String {
    let lines: Vec<&str> = sorted.iter().map(DepSpec::as_str).collect();
    hex(&Sha256::digest(lines.join("\n")))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// The specs of a requirements file: a line each, without blank lines and `#` lines. Lines that are
/// not taken are errors, which name the line and not the file.
///
/// The file is the host's own, as `requirements.txt` beside a project.
pub fn read_requirements_file(path: &Path) -> Result<Vec<DepSpec>, StorageError> {
    let what = "the requirements file";
    let file = File::open(path).map_err(StorageError::reading(what))?;
    let mut text = String::new();
    let read = file.take(MAX_REQUIREMENTS_BYTES + 1).read_to_string(&mut text);
    read.map_err(StorageError::reading(what))?;
    if text.len() as u64 > MAX_REQUIREMENTS_BYTES {
        let size = text.len() as u64;
        return Err(StorageError::TooLarge {
            what: what.to_owned(),
            size,
            limit: MAX_REQUIREMENTS_BYTES,
        });
    }
    requirement_lines(&text).map(str::parse).collect()
}

/// The lines of a requirements file that say something.
pub(crate) fn requirement_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(text: &str) -> String {
        text.parse::<DepSpec>().unwrap().to_string()
    }

    #[test]
    fn names_are_normalised_and_versions_are_kept() {
        assert_eq!(stored("My_Pkg>=1"), "my-pkg>=1");
        assert_eq!(stored("  Requests  "), "requests");
        assert_eq!(stored("A.B_C[Extra_One,two]~=1.2, !=1.3"), "a.b-c[Extra_One,two]~=1.2, !=1.3");
        assert_eq!(stored("numpy==1.*"), "numpy==1.*");
        let spec: DepSpec = "My_Pkg[x]>=1".parse().unwrap();
        assert_eq!(spec.name(), "my-pkg");
    }

    #[test]
    fn what_is_more_than_a_package_and_its_versions_is_refused_with_the_reason() {
        let refused = [
            ("", "empty"),
            ("   ", "empty"),
            ("pandas; rm -rf /", "';'"),
            ("$(whoami)", "'('"),
            ("`id`", "'`'"),
            ("a|b", "'|'"),
            ("a&b", "'&'"),
            ("$HOME", "'$'"),
            ("x @ https://example.org/x.whl", "'@'"),
            ("numpy; sys_platform == 'linux'", "';'"),
            ("requests\n", "'\\n'"),
            ("requests\rx", "'\\r'"),
            ("requests\0", "'\\0'"),
            ("-r other.txt", "'-'"),
            ("./local", "'.'"),
            ("requests >=2", "' '"),
            ("requests>=2+local", "'+'"),
            ("requests[", "closing"),
            ("requests[]", "no extras"),
            ("requests[a/b]", "'/'"),
            ("requests[a]b", "'b'"),
            ("réquests", "'é'"),
            ("https://example.org/x.whl", "':'"),
        ];
        for (text, why) in refused {
            let error = text.parse::<DepSpec>().unwrap_err();
            assert_eq!(error.error_type(), "ValueError");
            assert!(error.to_string().contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_spec_has_at_most_256_characters() {
        assert_eq!(stored(&"a".repeat(256)), "a".repeat(256));
        let error = "a".repeat(257).parse::<DepSpec>().unwrap_err().to_string();
        assert!(error.contains("257 characters, at most 256"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_taken_is_plain_and_stays_as_it_is_stored(text in "[ -~\\n\\x00é]{0,40}") {
            if let Ok(spec) = text.parse::<DepSpec>() {
                prop_assert!(!spec.as_str().contains(|char: char| "@;()|&`$'\"\\/:".contains(char)));
                prop_assert!(spec.as_str().starts_with(|char: char| char.is_ascii_alphanumeric()));
                prop_assert_eq!(base_name(spec.as_str()), spec.name());
                prop_assert_eq!(spec.as_str().parse::<DepSpec>().unwrap(), spec);
            }
        }
    }

    #[test]
    fn a_package_is_found_by_its_name_or_any_of_its_specs() {
        for text in ["my_pkg", "My-Pkg==2", "MY_PKG[all]", " my-pkg >= 1"] {
            assert_eq!(base_name(text), "my-pkg");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_sorted_lines() {
        let specs: Vec<DepSpec> = ["a", "b>=1"].map(|spec| spec.parse().unwrap()).to_vec();
        assert_eq!(hash(&specs), hex(&Sha256::digest("a\nb>=1")));
        assert_eq!(hash(&[]), hex(&Sha256::digest("")));
    }
}
