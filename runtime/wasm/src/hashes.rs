//! The inner function of MD5, SHA-1 and SHA-2 for the guest, whose hash objects are otherwise its
//! own; see `glue/hashes.c`. In wasm it takes several times as long.

use wasmtime::{Result, Trap, bail};

use crate::imports::{Guest, address, memory};

/// The most blocks of one call: about a tenth of a millisecond, so that the clock is looked at.
const MOST_BLOCKS: i32 = 1024;
/// The fuel of one block, near what the guest's own code would use.
const FUEL_OF_A_BLOCK: u64 = 2_000;

/// Feeds `blocks` blocks at `data` to the state at `state`.
pub(crate) fn hash(
    mut guest: Guest<'_>,
    algorithm: i32,
    state: i32,
    data: i32,
    blocks: i32,
) -> Result<()> {
    if !(0..=MOST_BLOCKS).contains(&blocks) {
        bail!("the guest wants {blocks} blocks hashed at once, {MOST_BLOCKS} are taken");
    }
    let blocks = blocks.unsigned_abs();
    use_fuel(&mut guest, u64::from(blocks) * FUEL_OF_A_BLOCK)?;
    let (state, data, blocks) = (address(state), address(data), blocks as usize);
    let memory = memory(&guest)?.data_mut(&mut guest);
    match algorithm {
        0 => small::<4>(memory, state, data, blocks, md5::block_api::compress),
        1 => small::<5>(memory, state, data, blocks, sha1::block_api::compress),
        2 => small::<8>(memory, state, data, blocks, sha2::block_api::compress256),
        3 => large(memory, state, data, blocks),
        _ => None,
    }
    .ok_or_else(|| wasmtime::format_err!("the guest wants hashed what is not in its memory"))
}

/// Of states of 32-bit words.
fn small<const WORDS: usize>(
    memory: &mut [u8],
    at: usize,
    data: usize,
    blocks: usize,
    compress: fn(&mut [u32; WORDS], &[[u8; 64]]),
) -> Option<()> {
    let mut state = [0; WORDS];
    for (word, bytes) in state.iter_mut().zip(slice(memory, at, 4 * WORDS)?.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    compress(&mut state, slice(memory, data, 64 * blocks)?.as_chunks().0);
    let target = memory.get_mut(at..)?.get_mut(..4 * WORDS)?;
    for (bytes, word) in target.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    Some(())
}

/// Of states of 64-bit words: SHA-512.
fn large(memory: &mut [u8], at: usize, data: usize, blocks: usize) -> Option<()> {
    let mut state = [0; 8];
    for (word, bytes) in state.iter_mut().zip(slice(memory, at, 64)?.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    sha2::block_api::compress512(&mut state, slice(memory, data, 128 * blocks)?.as_chunks().0);
    let target = memory.get_mut(at..)?.get_mut(..64)?;
    for (bytes, word) in target.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    Some(())
}

fn slice(memory: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    memory.get(at..)?.get(..length)
}

/// Takes fuel for work that the host does, where fuel is counted.
fn use_fuel(guest: &mut Guest<'_>, fuel: u64) -> Result<()> {
    let Ok(left) = guest.get_fuel() else { return Ok(()) };
    match left.checked_sub(fuel) {
        Some(left) => guest.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}
