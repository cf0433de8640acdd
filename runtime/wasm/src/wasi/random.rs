//! Random numbers.

use std::fmt;

use blake3::{Hasher, OutputReader};

use super::errno::{Answer, Errno};
use super::memory;
use crate::imports::Guest;

/// The most that one call gives. The C library asks for 256 bytes at a time.
const MOST: u32 = 64 << 10;
/// What the stream of deterministic sessions is made from.
const CONTEXT: &str = "pcm-sandbox 2026-11-21 random numbers of deterministic sessions";

/// Where a session's random numbers come from.
#[derive(Clone)]
pub(super) enum Random {
    System,
    /// The same in every session.
    Stream(Box<OutputReader>),
}

impl Random {
    pub(super) fn new(deterministic: bool) -> Self {
        Self::after(deterministic, 0)
    }

    /// A stream of which so many bytes were taken.
    pub(super) fn after(deterministic: bool, taken: u64) -> Self {
        if !deterministic {
            return Self::System;
        }
        let mut stream = Hasher::new_derive_key(CONTEXT).finalize_xof();
        stream.set_position(taken);
        Self::Stream(Box::new(stream))
    }

    /// The bytes that were taken from a stream.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::System => 0,
            Self::Stream(stream) => stream.position(),
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> Answer {
        match self {
            Self::Stream(stream) => stream.fill(into),
            Self::System => getrandom::fill(into).map_err(|_| Errno::IO)?,
        }
        Ok(())
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::System => "System",
            Self::Stream(_) => "Stream",
        })
    }
}

/// `random_get`.
pub(super) fn get(guest: &mut Guest<'_>, into: u32, length: u32) -> Answer {
    if length > MOST {
        return Err(Errno::INVAL.into());
    }
    let (mut memory, state) = memory::of(guest)?;
    state.wasi.random.fill(memory.bytes_mut(into, length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        assert!(random.fill(&mut bytes).is_ok());
        bytes
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_taken_and_wherever_it_goes_on() {
        let mut one = Random::new(true);
        let first = bytes(&mut one, 100);
        let mut two = Random::new(true);
        let pieces = [bytes(&mut two, 1), bytes(&mut two, 64), bytes(&mut two, 35)].concat();
        assert_eq!(first, pieces);
        let mut three = Random::after(true, two.taken());
        let rest = bytes(&mut one.clone(), 50);
        assert_eq!(bytes(&mut three, 50), rest);
        assert_ne!(rest, first[..50]);
    }

    #[test]
    fn the_systems_are_different_each_time() {
        let mut random = Random::new(false);
        assert_ne!(bytes(&mut random, 32), bytes(&mut random.clone(), 32));
    }
}
