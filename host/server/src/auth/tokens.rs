//! The file of tokens.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use pcm_storage::WorkspaceId;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::gate::Bounds;
use super::{Right, Secret, Workspaces};
use crate::ServerError;

/// The only version there is.
const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// What a token may that says nothing about it.
const USUAL: [Right; 4] = [Right::Execute, Right::Read, Right::Write, Right::Deps];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    version: Spanned<u32>,
    tokens: Vec<Spanned<TokenText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    name: Spanned<String>,
    hashes: Vec<Spanned<String>>,
    #[serde(default)]
    workspaces: Vec<Spanned<String>>,
    #[serde(default)]
    unscoped: bool,
    #[serde(default)]
    rights: Option<Vec<Right>>,
    #[serde(default)]
    requests_per_second: Option<Spanned<u32>>,
    #[serde(default)]
    max_requests: Option<usize>,
    #[serde(default)]
    max_sessions: Option<usize>,
}

/// A token as the file has it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) secrets: Vec<Secret>,
    pub(super) workspaces: Workspaces,
    pub(super) unscoped: bool,
    pub(super) rights: Vec<Right>,
    requests_per_second: Option<u32>,
    max_requests: Option<usize>,
    max_sessions: Option<usize>,
}

impl Listed {
    /// Its own bounds, and the usual ones where it has none.
    pub(super) fn bounds(&self, usual: Bounds) -> Bounds {
        Bounds {
            per_second: self.requests_per_second.unwrap_or(usual.per_second),
            requests: self.max_requests.unwrap_or(usual.requests),
            sessions: self.max_sessions.unwrap_or(usual.sessions),
        }
    }
}

pub(super) fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {MAX_BYTES} bytes"),
        ));
    }
    Ok(text)
}

pub(super) fn parse(text: &str, file: &str) -> Result<Vec<Listed>, ServerError> {
    read(text).map_err(|Flaw { line, column, message }| {
        let file = file.to_owned();
        ServerError::Tokens { file, line, column, message }
    })
}

/// What is wrong, and where.
struct Flaw {
    line: u64,
    column: u64,
    message: String,
}

impl Flaw {
    fn at(location: Location, message: impl Display) -> Self {
        let (line, column) = (location.line(), location.column());
        Self { line, column, message: message.to_string() }
    }
}

fn read(text: &str) -> Result<Vec<Listed>, Flaw> {
    let file = read_text(text)?;
    if file.version.value != VERSION {
        let version = file.version.value;
        let message = format!("version {version} is unknown; this program reads version {VERSION}");
        return Err(Flaw::at(file.version.referenced, message));
    }
    let mut names = BTreeSet::new();
    let mut listed = Vec::new();
    for token in file.tokens {
        let (place, name) = (token.value.name.referenced, token.value.name.value.clone());
        let token = read_token(token)?;
        if !names.insert(name) {
            let message = "two tokens have this name; several hashes of one token stand in its \
                           `hashes`";
            return Err(Flaw::at(place, message));
        }
        listed.push(token);
    }
    Ok(listed)
}

fn read_text(text: &str) -> Result<FileText, Flaw> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 8,
            max_nodes: 50_000,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let formatter = serde_saphyr::UserMessageFormatter;
        let message = error.without_snippet().render_with_formatter(&formatter);
        let Some(location) = error.location() else {
            return Flaw { line: 0, column: 0, message };
        };
        // The place is said once.
        let place = format!(" at line {}, column {}", location.line(), location.column());
        Flaw::at(location, message.strip_suffix(&place).unwrap_or(&message))
    })
}

fn read_token(token: Spanned<TokenText>) -> Result<Listed, Flaw> {
    let Spanned { value: token, referenced: place, .. } = token;
    let name = token.name.value;
    let is_letter = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    if !(1..=64).contains(&name.len()) || !name.chars().all(is_letter) {
        let message = "the name of a token has 1 to 64 letters, digits, '-', '_' and '.'";
        return Err(Flaw::at(token.name.referenced, message));
    }
    if token.hashes.is_empty() {
        return Err(Flaw::at(place, format!("the token {name:?} has no hash")));
    }
    let mut secrets = Vec::new();
    for hash in &token.hashes {
        let secret = Secret::parse(&hash.value).ok_or_else(|| {
            let message = "a hash is sha256: or blake3: and 64 hexadecimal digits";
            Flaw::at(hash.referenced, message)
        })?;
        secrets.push(secret);
    }
    let workspaces = read_workspaces(&token.workspaces)?;
    if workspaces == Workspaces::Listed(Vec::new()) && !token.unscoped {
        let message = format!(
            "the token {name:?} is good for nothing: it has neither `workspaces` nor \
             `unscoped: true`"
        );
        return Err(Flaw::at(place, message));
    }
    let rate = token.requests_per_second;
    if let Some(rate) = rate.as_ref().filter(|rate| !(1..=1_000_000).contains(&rate.value)) {
        return Err(Flaw::at(rate.referenced, "it is a number from 1 to 1000000"));
    }
    Ok(Listed {
        name,
        secrets,
        workspaces,
        unscoped: token.unscoped,
        rights: token.rights.unwrap_or_else(|| USUAL.to_vec()),
        requests_per_second: rate.map(|rate| rate.value),
        max_requests: token.max_requests,
        max_sessions: token.max_sessions,
    })
}

fn read_workspaces(texts: &[Spanned<String>]) -> Result<Workspaces, Flaw> {
    let mut listed = Vec::new();
    for text in texts {
        if text.value == "*" {
            return Ok(Workspaces::All);
        }
        let id = text.value.parse::<WorkspaceId>();
        listed.push(id.map_err(|error| Flaw::at(text.referenced, error))?);
    }
    Ok(Workspaces::Listed(listed))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HASH: &str = "sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";

    fn problem(text: &str) -> String {
        parse(text, "tokens.yaml").unwrap_err().to_string()
    }

    #[test]
    fn a_token_says_what_it_is_for() {
        let text = format!(
            "version: 1\ntokens:\n  - name: agents\n    hashes: ['{HASH}']\n    \
             workspaces: [a, b]\n  - name: admin\n    hashes: ['{HASH}', '{HASH}']\n    \
             workspaces: ['*']\n    unscoped: true\n    rights: [approve, metrics]\n    \
             requests_per_second: 5\n    max_sessions: 2\n"
        );
        let listed = parse(&text, "tokens.yaml").unwrap();
        assert_eq!(listed[0].rights, USUAL);
        let ids = ["a", "b"].map(|id| id.parse().unwrap()).to_vec();
        assert_eq!((&listed[0].workspaces, listed[0].unscoped), (&Workspaces::Listed(ids), false));
        assert_eq!(listed[1].secrets.len(), 2);
        assert_eq!(listed[1].rights, [Right::Approve, Right::Metrics]);
        let usual = Bounds { per_second: 1, requests: 2, sessions: 3 };
        let bounds = listed[1].bounds(usual);
        assert_eq!(bounds, Bounds { per_second: 5, requests: 2, sessions: 2 });
    }

    #[test]
    fn what_is_not_understood_has_a_line() {
        let with = |more: &str| {
            format!(
                "version: 1\ntokens:\n  - name: a\n    hashes: ['{HASH}']\n    unscoped: true\n{more}"
            )
        };
        for (text, place, said) in [
            (with("    right: [read]\n"), "tokens.yaml:6:", "right"),
            (with("    rights: [root]\n"), "tokens.yaml:6:", "root"),
            (with("    workspaces: [a/b]\n"), "tokens.yaml:6:", "a/b"),
            (with("    requests_per_second: 0\n"), "tokens.yaml:6:", "from 1"),
            (with("    unscoped: true\n"), "tokens.yaml:6:", "unscoped"),
            (
                with(&format!("  - {{name: a, hashes: ['{HASH}'], unscoped: true}}\n")),
                "tokens.yaml:6:",
                "two tokens",
            ),
            ("version: 2\ntokens: []\n".to_owned(), "tokens.yaml:1:", "version 2"),
            (with("").replace("sha256", "md5"), "tokens.yaml:4:", "sha256"),
            (
                with("").replace("unscoped: true", "unscoped: false"),
                "tokens.yaml:3:",
                "good for nothing",
            ),
            (with("").replace("name: a", "name: 'a b'"), "tokens.yaml:3:", "letters"),
            (with("").replace(&format!("['{HASH}']"), "[]"), "tokens.yaml:3:", "no hash"),
        ] {
            let told = problem(&text);
            assert!(told.starts_with(place) && told.contains(said), "{told}\n{text}");
        }
    }
}
