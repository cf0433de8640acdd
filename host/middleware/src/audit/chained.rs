//! Lines that are tied to each other.
//!
//! A chained line ends in `,"prev":"…","hash":"…"}`: the hash of the line before it, 64 zeros for the
//! first, and its own. The hash is the SHA-256 of the line's bytes up to the `,` before `"hash"`.

use sha2::{Digest, Sha256};

use crate::canonical::hex;

/// The hash that the first line names as the one before it.
pub(super) const GENESIS: [u8; 32] = [0; 32];

const PREV: &str = ",\"prev\":\"";
const HASH: &str = "\",\"hash\":\"";
const END: &str = "\"}";
const HEX: usize = 64;

/// A hash of a chain.
pub(super) type Link = [u8; 32];

/// Completes a line that lacks its last brace. Gives its hash.
pub(super) fn close(line: &mut Vec<u8>, prev: &Link) -> Link {
    line.extend_from_slice(PREV.as_bytes());
    line.extend_from_slice(hex(prev).as_bytes());
    // The closing quote belongs to what is hashed.
    line.push(b'"');
    let hash: Link = Sha256::digest(&line).into();
    line.extend_from_slice(&HASH.as_bytes()[1..]);
    line.extend_from_slice(hex(&hash).as_bytes());
    line.extend_from_slice(END.as_bytes());
    hash
}

/// What a whole line says of its place.
pub(super) struct Place {
    pub(super) prev: Link,
    pub(super) hash: Link,
}

/// The place of a line without its line break. None where it has none, or where its hash is not its
/// own.
pub(super) fn place(line: &[u8]) -> Option<Place> {
    let line = line.strip_suffix(END.as_bytes())?;
    let (line, hash) = line.split_at_checked(line.len().checked_sub(HEX)?)?;
    let line = line.strip_suffix(HASH.as_bytes())?;
    let (body, prev) = line.split_at_checked(line.len().checked_sub(HEX)?)?;
    if !body.ends_with(PREV.as_bytes()) {
        return None;
    }
    let (prev, hash) = (unhex(prev)?, unhex(hash)?);
    let own: Link = Sha256::new().chain_update(line).chain_update(b"\"").finalize().into();
    (own == hash).then_some(Place { prev, hash })
}

/// Lower case only: a hash has one spelling.
pub(super) fn unhex(text: &[u8]) -> Option<Link> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut link = Link::default();
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != link.len() || !rest.is_empty() {
        return None;
    }
    for (place, [high, low]) in link.iter_mut().zip(pairs) {
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_knows_its_place() {
        let mut line = br#"{"ts":"now""#.to_vec();
        let hash = close(&mut line, &GENESIS);
        let place = place(&line);
        assert!(place.is_some_and(|place| place.prev == GENESIS && place.hash == hash));
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn what_is_no_line_has_no_place() {
        for line in [&b""[..], b"{}", b"\"}", &[b'a'; 300]] {
            assert!(place(line).is_none());
        }
    }
}
