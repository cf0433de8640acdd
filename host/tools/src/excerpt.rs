//! What a program says beside its result.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// What is kept of the beginning and of the end.
const KEPT: usize = 32 << 10;

/// The beginning and the end of a long text.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: usize,
}

impl Excerpt {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(KEPT - self.head.len());
        let (head, rest) = bytes.split_at(fits);
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..over);
        self.left_out += over;
    }

    /// The text, with a mark where some was left out.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.left_out > 0 {
            let _ = write!(text, "\n[{} bytes left out]\n", self.left_out);
        }
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        text.push_str(&String::from_utf8_lossy(&tail));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_keeps_both_ends() {
        let mut excerpt = Excerpt::default();
        excerpt.push(b"first ");
        excerpt.push(&vec![b'x'; 3 * KEPT]);
        excerpt.push(b" last");
        let text = excerpt.text();
        assert!(text.starts_with("first x") && text.ends_with("x last"));
        assert!(text.contains(&format!("[{} bytes left out]", KEPT + 11)), "{}", text.len());

        let mut short = Excerpt::default();
        short.push(b"all");
        assert_eq!(short.text(), "all");
    }
}
