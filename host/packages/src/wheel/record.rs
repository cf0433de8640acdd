//! RECORD: the list of a wheel's files, with their hashes.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Bad, Unpacked};

/// A line for every file that a wheel may have, and some for what was left out.
const MAX_LINES: usize = 50_000;

/// The hash of a file, while it is read.
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(data),
            Self::Sha384(hasher) => hasher.update(data),
            Self::Sha512(hasher) => hasher.update(data),
        }
    }

    /// As a RECORD writes it.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize()),
            Self::Sha384(hasher) => BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize()),
            Self::Sha512(hasher) => BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize()),
        }
    }
}

/// The hashes that a wheel says its files have.
#[derive(Debug)]
pub(super) struct Record(HashMap<String, String>);

impl Record {
    /// Reads the file. Lines without a hash are for the record itself and do not count.
    pub(super) fn parse(text: &str) -> Result<Self, Bad> {
        let mut hashes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            if number >= MAX_LINES {
                return Err("its RECORD is too long".into());
            }
            let Some((path, hash)) = fields(line) else {
                return Err(format!("line {} of its RECORD is malformed", number + 1).into());
            };
            if !hash.is_empty() && hashes.insert(path, hash).is_some() {
                return Err(format!("line {} of its RECORD repeats another", number + 1).into());
            }
        }
        Ok(Self(hashes))
    }

    /// The paths of its files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A hasher for the file, and what it must give.
    pub(super) fn expected(&self, path: &str) -> Result<(Hasher, &str), Bad> {
        let hash = self.0.get(path).ok_or_else(|| format!("its RECORD has no hash of {path:?}"))?;
        match hash.split_once('=') {
            Some(("sha256", hash)) => Ok((Hasher::sha256(), hash)),
            Some(("sha384", hash)) => Ok((Hasher::Sha384(Sha384::new()), hash)),
            Some(("sha512", hash)) => Ok((Hasher::Sha512(Sha512::new()), hash)),
            _ => Err(format!("its RECORD has no SHA-2 hash of {path:?}").into()),
        }
    }
}

/// The path and the hash of a line: `path,hash,size`, a path with commas or quotes in quotes.
fn fields(line: &str) -> Option<(String, String)> {
    let (path, rest) = match line.strip_prefix('"') {
        None => line.split_once(',').map(|(path, rest)| (path.to_owned(), rest))?,
        Some(quoted) => {
            let mut path = String::new();
            let mut rest = quoted;
            loop {
                let (part, after) = rest.split_once('"')?;
                path += part;
                match after.strip_prefix('"') {
                    Some(after) => {
                        path.push('"');
                        rest = after;
                    }
                    None => break (path, after.strip_prefix(',')?),
                }
            }
        }
    };
    let (hash, _size) = rest.split_once(',')?;
    Some((path, hash.to_owned()))
}

/// The record of what was unpacked.
pub(super) fn write(unpacked: &Unpacked) -> String {
    let mut text = String::new();
    for (path, content) in &unpacked.files {
        let quoted = if path.contains([',', '"']) {
            format!("\"{}\"", path.replace('"', "\"\""))
        } else {
            path.clone()
        };
        // Cannot fail: the target is a string.
        let _ = writeln!(text, "{quoted},sha256={},{}", content.sha256, content.bytes);
    }
    text + &format!("{}/RECORD,,\n", unpacked.info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_quotes() {
        for (line, expected) in [
            ("a.py,sha256=x,1", Some(("a.py", "sha256=x"))),
            ("RECORD,,", Some(("RECORD", ""))),
            ("\"a,b \"\"c\"\".py\",sha256=x,1", Some(("a,b \"c\".py", "sha256=x"))),
            ("a.py", None),
            ("a.py,sha256=x", None),
            ("\"a.py,sha256=x,1", None),
            ("\"a\"b,sha256=x,1", None),
        ] {
            let expected = expected.map(|(path, hash)| (path.to_owned(), hash.to_owned()));
            assert_eq!(fields(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() -> Result<(), Bad> {
        let path = "a,\"b\"/c.py".to_owned();
        let mut hasher = Hasher::sha256();
        hasher.update(b"abc");
        let content = super::super::Content { bytes: 3, sha256: hasher.finish() };
        assert_eq!(content.sha256, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        let unpacked = Unpacked {
            name: "x".to_owned(),
            version: "1".to_owned(),
            info: "x-1.dist-info".to_owned(),
            files: [(path.clone(), content.clone())].into(),
        };
        let record = Record::parse(&write(&unpacked))?;
        assert_eq!(record.expected(&path)?.1, content.sha256);
        Ok(())
    }

    #[test]
    fn weak_hashes_repetitions_and_floods_are_refused() -> Result<(), Bad> {
        let record = Record::parse("a,md5=x,1\nb,sha1=x,1\nc,,\n")?;
        for path in ["a", "b", "c", "d"] {
            assert!(record.expected(path).is_err(), "{path}");
        }
        assert!(Record::parse("a,sha256=x,1\na,sha256=y,1\n").is_err());
        assert!(Record::parse(&"a,,\n".repeat(MAX_LINES + 1)).is_err());
        Ok(())
    }
}
