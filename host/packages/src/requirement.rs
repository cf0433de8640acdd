//! A requirement: what may be asked of an index.
//!
//! The grammar is a part of PEP 508: a name, extras, versions, a marker. What PEP 508 allows besides
//! (an address after `@`) and what installers allow besides (options, paths, lines that continue) is
//! refused, because a requirement may come from a model, and the installer runs on the host. What
//! reaches the installer is not the text that came in but the one written from its parts.

use std::fmt;
use std::str::FromStr;

use crate::PackagesError;
use crate::marker::marker;
use crate::name::normalised;
use crate::resolver::without_addresses;

/// The longest text.
const MAX_TEXT: usize = 256;
/// How much of a refused text is repeated.
const MAX_SHOWN: usize = 80;
const MAX_VERSION: usize = 64;
const OPERATORS: [&str; 8] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];

/// A package of an index, with extras, bounds on its version and a marker.
///
/// ```
/// use pcm_packages::Requirement;
///
/// let requirement: Requirement = "Jinja2[i18n] >= 3.1, <4".parse()?;
/// assert_eq!(requirement.name(), "jinja2");
/// assert_eq!(requirement.to_string(), "jinja2[i18n]<4,>=3.1");
/// assert!("jinja2 @ file:///etc/passwd".parse::<Requirement>().is_err());
/// # Ok::<(), pcm_packages::PackagesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    name: String,
    /// The whole, written from its parts: the same for everything that means the same to us.
    text: String,
}

impl Requirement {
    /// The package, in the one spelling of its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Requirement {
    type Err = PackagesError;

    fn from_str(text: &str) -> Result<Self, PackagesError> {
        parse(text).map_err(|reason| PackagesError::Requirement { text: shown(text), reason })
    }
}

/// A refused text for people: short, and without the address or credential that it may hold.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(MAX_SHOWN).collect();
    let cut = if start.len() < text.len() { "…" } else { "" };
    without_addresses(&start) + cut
}

fn parse(text: &str) -> Result<Requirement, &'static str> {
    if text.len() > MAX_TEXT {
        return Err("it is longer than 256 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a line break or another control character");
    }
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.starts_with('-') {
        return Err("options of the installer are not taken");
    }
    if text.starts_with(['.', '/', '~', '\\']) || text.contains("://") || text.contains('@') {
        return Err("addresses and paths are not taken, only names of packages");
    }
    let mut rest = Cursor { rest: text };
    let name = rest.take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let name = normalised(name).ok_or(
        "it must begin with the name of a package: letters, digits, and . _ - between them",
    )?;
    let extras = extras(&mut rest)?;
    let versions = versions(&mut rest)?;
    let marker = if rest.eat(";") { Some(marker(&mut rest)?) } else { None };
    if !rest.is_at_end() {
        return Err(
            "after the name it takes [extras], versions as >=1.2,<2, and a ; with a marker",
        );
    }
    let mut text = name.clone();
    if !extras.is_empty() {
        text = format!("{text}[{}]", extras.join(","));
    }
    text += &versions.join(",");
    if let Some(marker) = marker {
        text = format!("{text} ; {marker}");
    }
    Ok(Requirement { name, text })
}

/// `[a, b]`, sorted; empty when there is none.
fn extras(rest: &mut Cursor<'_>) -> Result<Vec<String>, &'static str> {
    let mut extras = Vec::new();
    if !rest.eat("[") {
        return Ok(extras);
    }
    while !rest.eat("]") {
        if !extras.is_empty() && !rest.eat(",") {
            return Err("its extras must be names with commas between them");
        }
        rest.skip_spaces();
        let extra = rest.take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        extras.push(normalised(extra).ok_or("its extras must be names with commas between them")?);
    }
    extras.sort();
    extras.dedup();
    Ok(extras)
}

/// `>=1.2, <2`, sorted; empty when there is none.
fn versions(rest: &mut Cursor<'_>) -> Result<Vec<String>, &'static str> {
    let mut versions = Vec::new();
    loop {
        let Some(operator) = OPERATORS.into_iter().find(|operator| rest.eat(operator)) else {
            // Nothing may follow a comma, and nothing need stand at all.
            return if versions.is_empty() { Ok(versions) } else { Err("a version is missing") };
        };
        rest.skip_spaces();
        let version = rest.take_while(|c| c.is_ascii_alphanumeric() || ".+!*_-".contains(c));
        let number = match operator {
            "==" | "!=" => version.strip_suffix(".*").unwrap_or(version),
            _ => version,
        };
        let is_version = version.len() <= MAX_VERSION
            && number.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && !number.contains('*');
        if !is_version {
            return Err("a version is a number as 1.2.3, and * may only end one after == or !=");
        }
        versions.push(format!("{operator}{version}"));
        if !rest.eat(",") {
            versions.sort();
            versions.dedup();
            return Ok(versions);
        }
    }
}

/// What is left of a text that is read from its start.
pub(crate) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(crate) fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Takes `token` and the spaces before it, if it is what comes.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start_matches(' ').strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The same for a word, which must end where `token` does.
    pub(crate) fn eat_word(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start_matches(' ').strip_prefix(token);
        let rest = rest.filter(|rest| {
            !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        });
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The same for what must come at once, without spaces before it.
    pub(crate) fn eat_here(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(crate) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) =
            self.rest.split_at(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn is_at_end(&self) -> bool {
        self.rest.trim_start_matches(' ').is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Option<String> {
        text.parse::<Requirement>().ok().map(|requirement| requirement.to_string())
    }

    fn refusal(text: &str) -> String {
        text.parse::<Requirement>().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_names_a_package_is_taken() {
        for (text, expected) in [
            ("attrs", "attrs"),
            ("  Zope.Interface ", "zope-interface"),
            ("a", "a"),
            ("jinja2>=3", "jinja2>=3"),
            ("jinja2 >= 3 , < 4", "jinja2<4,>=3"),
            ("x[B,a , b]==1.*", "x[a,b]==1.*"),
            ("x[]", "x"),
            ("x~=1.4.2", "x~=1.4.2"),
            ("x===1.0+local.1", "x===1.0+local.1"),
            ("x==1!2.0rc1.post1.dev2", "x==1!2.0rc1.post1.dev2"),
            ("x;python_version<'3.14'", "x ; python_version < \"3.14\""),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "   ",
            "x @ file:///etc/passwd",
            "x@https://host/x.whl",
            "x @ ../x",
            "git+https://host/repository",
            "https://host/x-1-py3-none-any.whl",
            "file:///etc/passwd",
            "./x",
            "../x",
            "/etc/passwd",
            "~/x",
            "x/y",
            "x.whl/",
            "-r /etc/passwd",
            "-r/etc/passwd",
            "--index-url=http://host x",
            "x --index-url=http://host",
            "x -r y",
            "x --hash=sha256:00",
            "-e .",
            "x\ny",
            "x\n--extra-index-url http://host",
            "x\r\ny",
            "x\0",
            "x\\\ny",
            "x; python_version<\"4\" # \n--extra",
            "x; python_version<\"4\" # --extra",
            "x # comment",
            "x y",
            "x,y",
            "x>=",
            "x>=1,",
            "x>=1,,<2",
            "x>=1 2",
            "x=1",
            "x>=1.*",
            "x==*",
            "x==1.*.2",
            "x>=${HOME}",
            "x>=$(id)",
            "x>=1;",
            "x(>=1)",
            "x[",
            "x[a",
            "x[a b]",
            "x[,a]",
            "x[a,]",
            "x[-]",
            "[a]",
            ">=1",
            "_x",
            "x_",
            "é",
            "x>=１",
            &"x".repeat(257),
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_repeats_no_credential_and_no_flood() {
        let text = format!("x @ https://user:secret@host/{}", "y".repeat(1000));
        let message = refusal(&text);
        assert!(!message.contains("secret") && !message.contains("host"), "{message}");
        assert!(message.len() < 300, "{message}");
        let message = refusal("x @ ../y");
        assert!(message.contains("addresses and paths are not taken"), "{message}");
    }

    proptest! {
        /// What comes out is one line that no installer can read as anything but a requirement.
        #[test]
        fn what_comes_out_is_one_plain_line_and_means_itself(text in "\\PC{0,40}|[a-z0-9.\\[\\],<>=!~;@/ '\"\\n_-]{0,60}") {
            if let Ok(requirement) = text.parse::<Requirement>() {
                let line = requirement.to_string();
                prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert!(!line.contains(['@', '/', '\\', '#', '$', '\'']));
                prop_assert!(line.starts_with(|c: char| c.is_ascii_alphanumeric()));
                prop_assert!(!line.contains(" -"));
                prop_assert_eq!(line.parse::<Requirement>().ok(), Some(requirement));
            }
        }

        #[test]
        fn well_formed_requirements_are_taken(
            name in "[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?",
            extras in proptest::collection::vec("[a-z][a-z0-9]{0,5}", 0..3),
            versions in proptest::collection::vec("(==|!=|<=|>=|<|>|~=) ?[0-9]{1,3}(\\.[0-9]{1,3}){0,3}", 0..4),
        ) {
            let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(", ")) };
            let text = format!("{name}{extras} {}", versions.join(" , "));
            let requirement = text.parse::<Requirement>();
            prop_assert!(requirement.is_ok(), "{}", text);
        }
    }
}
