//! Names that nobody guesses.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::ServerError;

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], ServerError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ServerError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// A random UUID, of version 4.
pub(crate) fn uuid4() -> Result<String, ServerError> {
    let bits = u128::from_be_bytes(random()?);
    // The four bits of the version and the two of the variant.
    let bits = (bits & !(0xF << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let text = format!("{bits:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// Sixteen random digits.
pub(crate) fn short() -> Result<String, ServerError> {
    Ok(format!("{:016x}", u64::from_be_bytes(random()?)))
}

/// What may be logged of an id: its beginning, which is good for nothing.
pub(crate) fn reference(id: &str) -> &str {
    id.get(..8).unwrap_or_default()
}

/// A hash over some texts, each apart from the next.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut digits = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_uuid_of_version_four() {
        for _ in 0..100 {
            let id = uuid4().unwrap();
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
        assert_ne!(uuid4().unwrap(), uuid4().unwrap());
    }

    #[test]
    fn a_digest_knows_where_one_text_ends() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_eq!(digest(&[b"a"]).len(), 64);
    }
}
