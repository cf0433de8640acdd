//! What a token is known by.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// What a token is known by.
#[derive(Clone)]
pub struct Secret {
    kind: HashKind,
    hash: [u8; 32],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HashKind {
    Sha256,
    Blake3,
}

impl Secret {
    /// What this token is known by.
    pub(crate) fn of(token: &str) -> Self {
        // As that of a request is read: without blanks around it.
        Self { kind: HashKind::Sha256, hash: Sha256::digest(token.trim()).into() }
    }

    /// What a token is known by whose hash is written as `sha256:` or `blake3:` and 64 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = match text.split_once(':')? {
            ("sha256", digits) => (HashKind::Sha256, digits),
            ("blake3", digits) => (HashKind::Blake3, digits),
            _ => return None,
        };
        // The parser of BLAKE3 reads any 32 bytes in hexadecimal.
        let hash = *blake3::Hash::from_hex(digits).ok()?.as_bytes();
        Some(Self { kind, hash })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a token")
    }
}

/// The hashes of the token that came.
pub(super) struct Presented {
    sha256: [u8; 32],
    blake3: [u8; 32],
}

impl Presented {
    pub(super) fn of(token: &str) -> Self {
        let sha256 = Sha256::digest(token).into();
        Self { sha256, blake3: *blake3::hash(token.as_bytes()).as_bytes() }
    }

    pub(super) fn is(&self, secret: &Secret) -> Choice {
        match secret.kind {
            HashKind::Sha256 => self.sha256.ct_eq(&secret.hash),
            HashKind::Blake3 => self.blake3.ct_eq(&secret.hash),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_its_token_and_of_no_other() {
        let sha256 = "sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
        let blake3 = format!("blake3:{}", blake3::hash(b"12345").to_hex());
        for text in [sha256, &blake3] {
            let secret = Secret::parse(text).unwrap();
            assert!(bool::from(Presented::of("12345").is(&secret)), "{text}");
            assert!(!bool::from(Presented::of("12346").is(&secret)), "{text}");
            assert!(!format!("{secret:?}").contains("5994"));
        }
        for text in ["", "sha256:", "md5:00", "sha256:zz", &sha256[..70], "12345"] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }
}
