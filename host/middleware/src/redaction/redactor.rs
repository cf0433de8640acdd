//! Finding and replacing.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use pcm_runtime_api::Payload;
use regex::bytes::{Regex, RegexBuilder};

use super::secret::Secret;
use super::spellings::spellings;
use super::walk::{Keys, Walk};
use crate::MiddlewareError;

/// A shorter secret turns up by chance, and what replaces it would give it away.
const MIN_SECRET: usize = 4;
/// Room for a private key.
const MAX_SECRET: usize = 16 << 10;
const MAX_SECRETS: usize = 256;
/// Of all secrets together: each takes some forty times its length to look for.
const MAX_SECRET_BYTES: usize = 64 << 10;
const MAX_PATTERNS: usize = 64;
/// What a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Parts of the names of arguments whose values an audit log never shows, in lower case and without
/// `-` and `_`.
const SECRET_KEYS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credential",
    "cookie",
    "sessionkey",
];

/// Replaces secrets in texts and values. Clones share what they look for.
///
/// An exact secret is found in the forms that it takes in JSON, in URLs, in hexadecimal and in base64,
/// and inside of bytes. It is not found in parts, encrypted, compressed, reversed: this keeps secrets
/// from leaking by accident, and no secret from a tool that means to give it away.
///
/// ```
/// use pcm_middleware::{Redactor, Secret};
///
/// let redactor = Redactor::builder()
///     .secret("API_TOKEN", Secret::new("s3cr3t-token"))
///     .pattern("card number", r"\b\d{4} \d{4} \d{4} \d{4}\b")
///     .build()?;
/// assert_eq!(redactor.text("as s3cr3t-token"), "as [redacted: API_TOKEN]");
/// assert_eq!(redactor.text("base64: czNjcjN0LXRva2Vu"), "base64: [redacted: API_TOKEN]");
/// assert_eq!(redactor.text("1111 2222 3333 4444"), "[redacted: card number]");
/// # Ok::<(), pcm_middleware::MiddlewareError>(())
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    secrets: Option<AhoCorasick>,
    /// What replaces each pattern of `secrets`.
    marks: Vec<Arc<str>>,
    patterns: Vec<(Regex, String)>,
    keys: Vec<String>,
    /// Whether a number could be one of them.
    numbers: bool,
}

/// Gathers what to look for.
#[derive(Debug, Default)]
pub struct RedactorBuilder {
    secrets: Vec<(String, Secret)>,
    patterns: Vec<(String, String)>,
    keys: Vec<String>,
}

impl RedactorBuilder {
    /// Looks for a secret. Its name stands in its place.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, secret: Secret) -> Self {
        self.secrets.push((name.into(), secret));
        self
    }

    /// Looks for what a regular expression matches. Matching takes linear time.
    #[must_use]
    pub fn pattern(mut self, name: impl Into<String>, pattern: impl Into<String>) -> Self {
        self.patterns.push((name.into(), pattern.into()));
        self
    }

    /// Hides the values of arguments whose name contains `part` from audit logs, beside those whose
    /// names contain `password`, `token`, `api_key` and their like.
    #[must_use]
    pub fn key(mut self, part: impl AsRef<str>) -> Self {
        self.keys.push(normalized(part.as_ref()));
        self
    }

    /// Makes it.
    pub fn build(self) -> Result<Redactor, MiddlewareError> {
        let too_much = |what, count, most| MiddlewareError::TooMuchToRedact { what, count, most };
        if self.secrets.len() > MAX_SECRETS {
            return Err(too_much("secrets", self.secrets.len(), MAX_SECRETS));
        }
        if self.patterns.len() > MAX_PATTERNS {
            return Err(too_much("patterns", self.patterns.len(), MAX_PATTERNS));
        }
        let bytes = self.secrets.iter().map(|(_, secret)| secret.expose().len()).sum();
        if bytes > MAX_SECRET_BYTES {
            return Err(too_much("bytes of secrets", bytes, MAX_SECRET_BYTES));
        }
        let (mut texts, mut marks) = (Vec::new(), Vec::new());
        for (name, secret) in &self.secrets {
            let mark: Arc<str> = mark(name)?.into();
            let bytes = secret.expose().len();
            if !(MIN_SECRET..=MAX_SECRET).contains(&bytes) {
                let (least, most) = (MIN_SECRET, MAX_SECRET);
                return Err(MiddlewareError::SecretLength {
                    name: name.clone(),
                    bytes,
                    least,
                    most,
                });
            }
            for text in spellings(secret.expose()) {
                texts.push(text);
                marks.push(Arc::clone(&mark));
            }
        }
        let patterns = self.patterns.iter().map(|(name, text)| compile(name, text));
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let is_number = |text: &String| text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
        let numbers = texts.iter().any(is_number) || !patterns.is_empty();
        let secrets = if texts.is_empty() { None } else { Some(automaton(&texts)?) };
        let keys = self.keys.into_iter().filter(|key| !key.is_empty()).collect();
        Ok(Redactor { inner: Arc::new(Inner { secrets, marks, patterns, keys, numbers }) })
    }
}

fn automaton(texts: &[String]) -> Result<AhoCorasick, MiddlewareError> {
    // The longest first: a secret that begins like another is replaced as a whole.
    let built = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        // The faster kind takes a kilobyte for each byte that is looked for.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(texts);
    built.map_err(|error| MiddlewareError::Pattern {
        name: "of all secrets".to_owned(),
        reason: error.to_string(),
    })
}

fn compile(name: &str, text: &str) -> Result<(Regex, String), MiddlewareError> {
    let error = |reason: String| MiddlewareError::Pattern { name: name.to_owned(), reason };
    let regex = RegexBuilder::new(text)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|source| error(source.to_string()))?;
    if regex.is_match(b"") {
        return Err(error("it matches nothing at all, which is everywhere".to_owned()));
    }
    Ok((regex, mark(name)?))
}

/// What stands where something was. The name is of characters that no encoding changes.
fn mark(name: &str) -> Result<String, MiddlewareError> {
    let is_name = (1..=64).contains(&name.len())
        && name.chars().all(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    if !is_name {
        return Err(MiddlewareError::RedactionName(name.to_owned()));
    }
    Ok(format!("[redacted: {name}]"))
}

impl Redactor {
    /// Begins with nothing to look for but the usual names of arguments.
    pub fn builder() -> RedactorBuilder {
        RedactorBuilder::default()
    }

    /// Whether there is anything to look for in texts.
    pub fn is_empty(&self) -> bool {
        self.inner.secrets.is_none() && self.inner.patterns.is_empty()
    }

    /// The text without what was to be hidden.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                // A pattern can match a part of a character.
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
        }
    }

    /// The bytes without what was to be hidden.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut hidden = Cow::Borrowed(bytes);
        if let Some(secrets) = &self.inner.secrets
            && secrets.is_match(bytes)
        {
            let mut replaced = Vec::with_capacity(bytes.len());
            secrets.replace_all_with_bytes(bytes, &mut replaced, |found, _, to| {
                let mark = self.inner.marks.get(found.pattern().as_usize());
                to.extend_from_slice(mark.map_or(b"[redacted]", |mark| mark.as_bytes()));
                true
            });
            hidden = Cow::Owned(replaced);
        }
        for (pattern, mark) in &self.inner.patterns {
            let replaced =
                match pattern.replace_all(&hidden, regex::bytes::NoExpand(mark.as_bytes())) {
                    Cow::Borrowed(_) => continue,
                    Cow::Owned(replaced) => replaced,
                };
            hidden = Cow::Owned(replaced);
        }
        hidden
    }

    /// A result without what was to be hidden, anywhere in it: texts, keys, bytes, numbers.
    #[must_use]
    pub fn result(&self, payload: Payload) -> Payload {
        if self.is_empty() { payload } else { Walk::new(self, Keys::Shown).payload(payload) }
    }

    /// Arguments as an audit log may show them: without what was to be hidden, and without the values
    /// of arguments whose names speak of secrets.
    #[must_use]
    pub fn args(&self, args: &Payload) -> Payload {
        Walk::new(self, Keys::Hidden).payload(args.clone())
    }

    /// Whether numbers are worth a look.
    pub(super) fn looks_at_numbers(&self) -> bool {
        self.inner.numbers
    }

    /// Whether the value under a key of this name is none of a log's business.
    pub(super) fn hides_key(&self, key: &str) -> bool {
        let key = normalized(key);
        let own = self.inner.keys.iter().map(String::as_str);
        SECRET_KEYS.into_iter().chain(own).any(|part| key.contains(part))
    }
}

/// Lower case, letters and digits only.
fn normalized(key: &str) -> String {
    key.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redactor")
            .field("spellings", &self.inner.marks.len())
            .field("patterns", &self.inner.patterns.len())
            .finish_non_exhaustive()
    }
}
