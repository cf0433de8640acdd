//! The bytes of a file in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Copies of a file share their chunks; a write copies those that it touches.
pub(crate) const CHUNK: usize = 64 << 10;

/// A file's content: chunks by number, where something was written. What is missing, and what is
/// behind the end of a short chunk, is zero.
#[derive(Clone, Default)]
pub(crate) struct Content {
    size: u64,
    chunks: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `into` from `offset` on, and gives how much there was.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(into.len());
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..length).filter(|rest| !rest.is_empty()) {
            let (number, start) = place(offset + done as u64);
            let part = rest.len().min(CHUNK - start);
            let rest = &mut rest[..part];
            let written = self.chunks.get(&number).and_then(|chunk| chunk.get(start..));
            let written = written.unwrap_or_default();
            let known = written.len().min(part);
            rest[..known].copy_from_slice(&written[..known]);
            rest[known..].fill(0);
            done += part;
        }
        length
    }

    /// Writes `data` at `offset`. Whether it may have that size is the tree's business.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let (number, start) = place(offset + done as u64);
            let part = &rest[..rest.len().min(CHUNK - start)];
            let end = start + part.len();
            let chunk = Arc::make_mut(self.chunks.entry(number).or_default());
            if chunk.len() < end {
                // Twice as much as before, so that many small writes are few copies, and never
                // more than a chunk, so that what is kept stays close to what is counted.
                let wanted = end.max(chunk.len() * 2).min(CHUNK);
                chunk.reserve_exact(wanted - chunk.len());
                chunk.resize(end, 0);
            }
            chunk[start..end].copy_from_slice(part);
            done += part.len();
        }
        if !data.is_empty() {
            self.size = self.size.max(offset + data.len() as u64);
        }
    }

    /// Cuts the content off or adds zeros, which take no room.
    pub(crate) fn set_size(&mut self, size: u64) {
        if size < self.size {
            let (last, end) = place(size);
            self.chunks.split_off(&(if end == 0 { last } else { last + 1 }));
            if let Some(chunk) = self.chunks.get_mut(&last)
                && chunk.len() > end
            {
                Arc::make_mut(chunk).truncate(end);
            }
        }
        self.size = size;
    }

    /// The chunks that were written, by number.
    pub(crate) fn chunks(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        self.chunks.iter().map(|(number, chunk)| (*number, chunk.as_slice()))
    }

    /// Whether the two say the same. Shared chunks are not compared.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        if self.size != other.size {
            return false;
        }
        let numbers = self.chunks.keys().chain(other.chunks.keys());
        numbers.into_iter().all(|number| {
            match (self.chunks.get(number), other.chunks.get(number)) {
                (Some(one), Some(two)) => Arc::ptr_eq(one, two) || is_padded(one, two),
                (Some(one), None) | (None, Some(one)) => is_padded(one, &[]),
                (None, None) => true,
            }
        })
    }
}

/// Whether the two are the same but for zeros at the end.
fn is_padded(one: &[u8], two: &[u8]) -> bool {
    let (short, long) = if one.len() < two.len() { (one, two) } else { (two, one) };
    let (start, rest) = long.split_at(short.len());
    start == short && rest.iter().all(|byte| *byte == 0)
}

/// The number of the chunk that holds a byte, and where in it.
fn place(offset: u64) -> (u64, usize) {
    const SIZE: u64 = CHUNK as u64;
    (offset / SIZE, (offset % SIZE) as usize)
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Content")
            .field("size", &self.size)
            .field("chunks", &self.chunks.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &Content) -> Vec<u8> {
        let mut text = vec![1; usize::try_from(content.size()).unwrap_or(0)];
        assert_eq!(content.read(0, &mut text), text.len());
        text
    }

    #[test]
    fn content_is_what_a_plain_vector_would_hold() {
        let (mut content, mut model) = (Content::default(), Vec::new());
        let chunk = CHUNK as u64;
        let steps = [(0, 10), (5, 70_000), (chunk - 1, 2), (3 * chunk, 1), (chunk * 2 - 3, 6)];
        for (step, (offset, length)) in (1..).zip(steps) {
            content.write(offset, &vec![step; length]);
            let offset = usize::try_from(offset).unwrap_or(0);
            model.resize(model.len().max(offset + length), 0);
            model[offset..offset + length].fill(step);
            assert_eq!(text(&content), model, "step {step}");
        }
        for size in [3 * CHUNK, 3 * CHUNK - 1, 2 * CHUNK, 70_000, 1, 90_000, 0, 5] {
            content.set_size(size as u64);
            model.resize(size, 0);
            assert_eq!(text(&content), model, "{size}");
        }
    }

    #[test]
    fn holes_take_no_room_and_a_chunk_is_no_longer_than_what_was_written() {
        let mut content = Content::default();
        content.set_size(1 << 50);
        assert_eq!(content.chunks().len(), 0);
        content.write(1 << 49, b"x");
        assert_eq!(content.chunks().map(|(_, chunk)| chunk.len()).sum::<usize>(), 1);
        let mut byte = [7];
        assert_eq!(content.read((1 << 50) - 1, &mut byte), 1);
        assert_eq!(byte, [0]);
        assert_eq!(content.read(1 << 50, &mut byte), 0);
    }

    #[test]
    fn a_copy_shares_what_was_not_written() {
        let mut one = Content::default();
        one.write(0, &vec![1; 3 * CHUNK]);
        let mut two = one.clone();
        two.write(CHUNK as u64, b"2");
        let shared = |number| Arc::ptr_eq(&one.chunks[&number], &two.chunks[&number]);
        assert_eq!([0, 1, 2].map(shared), [true, false, true]);
        assert!(!one.is_same(&two));
        two.write(CHUNK as u64, &[1]);
        assert!(one.is_same(&two));
    }

    #[test]
    fn written_zeros_and_holes_are_the_same() {
        let (mut one, mut two) = (Content::default(), Content::default());
        one.write(0, &[0; 100]);
        two.set_size(100);
        assert!(one.is_same(&two) && two.is_same(&one));
        two.write(99, b"x");
        assert!(!one.is_same(&two) && !two.is_same(&one));
    }
}
