//! The guest's memory, where every address and every length is the guest's.

use std::ops::Range;

use super::errno::{Answer, Errno, Failure};
use crate::imports::{self, Guest, GuestState};

/// The most parts that one read or write may be in.
const MOST_PARTS: u32 = 1024;
/// The bytes of a part's description: an address and a length.
const PART: u32 = 8;

pub(super) struct GuestMemory<'a>(&'a mut [u8]);

/// The memory of a guest, and its state.
pub(super) fn of<'a>(guest: &'a mut Guest<'_>) -> Answer<(GuestMemory<'a>, &'a mut GuestState)> {
    let memory = imports::memory(guest).map_err(Failure::Trap)?;
    let (bytes, state) = memory.data_and_store_mut(guest);
    Ok((GuestMemory(bytes), state))
}

impl GuestMemory<'_> {
    pub(super) fn bytes(&self, at: u32, length: u32) -> Answer<&[u8]> {
        Ok(self.0.get(range(at, length)).ok_or(Errno::FAULT)?)
    }

    pub(super) fn bytes_mut(&mut self, at: u32, length: u32) -> Answer<&mut [u8]> {
        Ok(self.0.get_mut(range(at, length)).ok_or(Errno::FAULT)?)
    }

    pub(super) fn array<const LENGTH: usize>(&self, at: u32) -> Answer<[u8; LENGTH]> {
        let bytes = self.0.get(at as usize..).and_then(|rest| rest.first_chunk());
        Ok(*bytes.ok_or(Errno::FAULT)?)
    }

    pub(super) fn put<const LENGTH: usize>(&mut self, at: u32, bytes: [u8; LENGTH]) -> Answer {
        let place = self.0.get_mut(at as usize..).and_then(|rest| rest.first_chunk_mut());
        *place.ok_or(Errno::FAULT)? = bytes;
        Ok(())
    }

    /// A path; how long it may be is for those to say who know what it is.
    pub(super) fn path(&self, (at, length): (u32, u32)) -> Answer<&str> {
        Ok(str::from_utf8(self.bytes(at, length)?).map_err(|_| Errno::ILSEQ)?)
    }

    /// The parts of a read or a write, cut off where they are more than `most` bytes together.
    pub(super) fn parts(
        &self,
        (at, count): (u32, u32),
        most: u32,
    ) -> Answer<impl Iterator<Item = (u32, u32)> + use<>> {
        if count > MOST_PARTS {
            return Err(Errno::INVAL.into());
        }
        let (list, rest) = self.bytes(at, count * PART)?.as_chunks::<{ PART as usize }>();
        debug_assert!(rest.is_empty(), "whole parts were asked for");
        let mut left = most;
        let mut parts = Vec::new();
        for part in list {
            let [a, b, c, d, length @ ..] = *part;
            let length = u32::from_le_bytes(length);
            let at = u32::from_le_bytes([a, b, c, d]);
            self.bytes(at, length)?;
            let length = length.min(left);
            left -= length;
            if length > 0 {
                parts.push((at, length));
            }
        }
        Ok(parts.into_iter())
    }
}

fn range(at: u32, length: u32) -> Range<usize> {
    // On a machine that runs this, two numbers of 32 bits and their sum fit.
    at as usize..(at as usize).saturating_add(length as usize)
}
