//! New bytes from known ones, without chance: the same number gives the same bytes.

/// Pieces that readers know: what turns up in no mutation of bytes by itself.
const WORDS: [&[u8]; 40] = [
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x7f",
    b"\n",
    b"\r\n",
    b"---\n",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!binary ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"..",
    b"../",
    b"/",
    b"//",
    b"--",
    b"-",
    b"$(x)",
    b"${HOME}",
    b"; ",
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b" not ",
    b" and ",
    b"(",
    b")",
];

/// The longest input that is made.
const MOST_BYTES: usize = 4096;

/// Makes inputs of seeds.
#[derive(Debug)]
pub struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Begins with a number.
    pub fn new(seeds: &'a [Vec<u8>], number: u64) -> Self {
        // xorshift stands still at zero.
        Self { seeds, state: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn below(&mut self, most: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let high = usize::try_from(self.state >> 32).unwrap_or_default();
        high % most.max(1)
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds.get(at).cloned().unwrap_or_default()
    }

    /// The next input.
    pub fn make(&mut self) -> Vec<u8> {
        let mut bytes = self.seed();
        for _ in 0..=self.below(5) {
            self.change(&mut bytes);
        }
        bytes.truncate(MOST_BYTES);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = bytes.len().min(at + 1 + self.below(16));
        match self.below(8) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let value = u8::try_from(self.below(256)).unwrap_or_default();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let word = WORDS.get(self.below(WORDS.len())).copied().unwrap_or_default();
                bytes.splice(at..at, word.iter().copied());
            }
            4 => {
                let word = WORDS.get(self.below(WORDS.len())).copied().unwrap_or_default();
                bytes.splice(at..end, word.iter().copied());
            }
            5 => {
                let piece = bytes.get(at..end).unwrap_or_default().repeat(1 + self.below(40));
                bytes.splice(at..at, piece);
            }
            6 => {
                let other = self.seed();
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            _ => bytes.truncate(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_makes_the_same_inputs_and_another_makes_others() {
        let seeds = [b"name: one".to_vec(), b"{\"a\": [1, 2]}".to_vec()];
        let made = |number| {
            let mut mutator = Mutator::new(&seeds, number);
            (0..100).map(|_| mutator.make()).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(3).iter().all(|bytes| bytes.len() <= MOST_BYTES));
    }
}
