//! Frames: a header of sixteen bytes, a head of JSON, and bytes that are none.
//!
//! ```text
//! "PCM" version  length of the head  length of the bytes  head  bytes
//!   3      1       4, little-endian    8, little-endian
//! ```

use crate::ProtocolError;

/// The version of the protocol. Host and worker are the same program, so there is one.
pub const PROTOCOL: u8 = 1;

const MAGIC: [u8; 4] = [b'P', b'C', b'M', PROTOCOL];
const HEADER: usize = 16;
/// A buffer that grew beyond this for a long frame is given back after it.
const KEPT: usize = 256 << 10;

/// The longest frame that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the head.
    pub head: u64,
    /// Bytes after it.
    pub bytes: u64,
    /// What the values of the head may take in memory.
    pub cost: u64,
}

/// One message as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// JSON.
    pub head: Vec<u8>,
    /// What is not: source, files, saved states.
    pub bytes: Vec<u8>,
}

/// The frame of a message, ready to be written.
pub fn encode(head: &impl serde::Serialize, bytes: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut frame = Vec::with_capacity(256 + bytes.len());
    frame.extend([0; HEADER]);
    serde_json::to_writer(&mut frame, head)?;
    let length = u32::try_from(frame.len() - HEADER)
        .map_err(|_| serde::ser::Error::custom("a message of more than 4 GiB"))?;
    frame.extend_from_slice(bytes);
    let (magic, lengths) = frame.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    let (head, rest) = lengths.split_at_mut(4);
    head.copy_from_slice(&length.to_le_bytes());
    rest[..8].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    Ok(frame)
}

/// Makes frames of bytes as they arrive.
#[derive(Debug, Default)]
pub struct Inbox {
    /// What has arrived and was not taken; what was taken before `start` is done with.
    buffer: Vec<u8>,
    start: usize,
}

impl Inbox {
    /// Takes bytes from the other side.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 && (self.start == self.buffer.len() || self.start >= KEPT) {
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if all of it has arrived. A length beyond `bounds` is refused as soon as its
    /// header is there; memory is taken as bytes arrive, never because a header asks for it.
    pub fn next(&mut self, bounds: &Bounds) -> Result<Option<Frame>, ProtocolError> {
        let arrived = self.buffer.get(self.start..).unwrap_or_default();
        let Some((header, rest)) = arrived.split_first_chunk::<HEADER>() else {
            let begun = arrived.len().min(MAGIC.len());
            let known = arrived[..begun] == MAGIC[..begun];
            return if known { Ok(None) } else { Err(ProtocolError::Version) };
        };
        let [m0, m1, m2, m3, h0, h1, h2, h3, bytes @ ..] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(ProtocolError::Version);
        }
        let head = length(u64::from(u32::from_le_bytes([h0, h1, h2, h3])), bounds.head)?;
        let bytes = length(u64::from_le_bytes(bytes), bounds.bytes)?;
        let Some(whole) = head.checked_add(bytes).filter(|&whole| whole <= rest.len()) else {
            return Ok(None);
        };
        let (head, bytes) = rest[..whole].split_at(head);
        let frame = Frame { head: head.to_vec(), bytes: bytes.to_vec() };
        self.start += HEADER + whole;
        Ok(Some(frame))
    }

    /// The memory that it holds, in bytes: never more than twice of what has arrived.
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether nothing has arrived that was not taken.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }
}

fn length(length: u64, longest: u64) -> Result<usize, ProtocolError> {
    let too_long = ProtocolError::TooLong { length, longest };
    if length > longest {
        return Err(too_long);
    }
    usize::try_from(length).map_err(|_| too_long)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { head: 100, bytes: 100, cost: 1000 };

    fn header(head: u32, bytes: u64) -> Vec<u8> {
        [&MAGIC[..], &head.to_le_bytes(), &bytes.to_le_bytes()].concat()
    }

    #[test]
    fn a_frame_arrives_in_pieces() {
        let frame = encode(&"head", b"\0bytes\xff").unwrap();
        let mut inbox = Inbox::default();
        for byte in &frame[..frame.len() - 1] {
            inbox.feed(&[*byte]);
            assert_eq!(inbox.next(&BOUNDS).unwrap(), None);
        }
        inbox.feed(&frame[frame.len() - 1..]);
        let frame = inbox.next(&BOUNDS).unwrap().unwrap();
        assert_eq!((&frame.head[..], &frame.bytes[..]), (&b"\"head\""[..], &b"\0bytes\xff"[..]));
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_arrive() {
        for (head, bytes) in [(101, 0), (u32::MAX, 0), (0, 101), (0, u64::MAX)] {
            let mut inbox = Inbox::default();
            inbox.feed(&header(head, bytes));
            assert!(matches!(inbox.next(&BOUNDS), Err(ProtocolError::TooLong { .. })));
        }
        let mut inbox = Inbox::default();
        inbox.feed(&header(100, 100));
        assert_eq!(inbox.next(&BOUNDS), Ok(None));
    }

    #[test]
    fn another_language_is_noticed_at_its_first_byte() {
        let mut inbox = Inbox::default();
        inbox.feed(b"H");
        assert_eq!(inbox.next(&BOUNDS), Err(ProtocolError::Version));
        let mut inbox = Inbox::default();
        inbox.feed(&[b'P', b'C', b'M', PROTOCOL + 1]);
        assert_eq!(inbox.next(&BOUNDS), Err(ProtocolError::Version));
    }

    #[test]
    fn a_long_frame_leaves_no_long_buffer() {
        let mut inbox = Inbox::default();
        let bounds = Bounds { bytes: 1 << 30, ..BOUNDS };
        inbox.feed(&encode(&0, &vec![1; 4 << 20]).unwrap());
        assert!(inbox.next(&bounds).unwrap().is_some());
        inbox.feed(&encode(&0, b"").unwrap());
        assert!(inbox.buffer.capacity() <= KEPT);
        assert!(inbox.next(&bounds).unwrap().is_some());
    }
}
