//! The bound on Python's memory, which is written in its WebAssembly: nobody inside can raise it.

use pcm_fences::{Fence, holds};

/// Of one step of memory.
pub(crate) const WASM_PAGE: u64 = 64 << 10;
const MEMORY_SECTION: u8 = 5;
/// Most that 32 bits address.
const MOST_PAGES: u64 = 65_536;

/// The module, with this bound in place of its own. None for what is no such module.
pub(crate) fn with_most_memory(module: &[u8], bytes: u64) -> Option<Vec<u8>> {
    let mut at = 8; // behind the magic number and the version
    loop {
        let section = *module.get(at)?;
        let (length, start) = number(module, at + 1)?;
        if section != MEMORY_SECTION {
            at = start.checked_add(usize::try_from(length).ok()?)?;
            continue;
        }
        let (count, flags) = number(module, start)?;
        let has_most = *module.get(flags)? == 1;
        let (_, most) = number(module, flags + 1)?;
        let (_, end) = number(module, most)?;
        if count != 1 || !has_most {
            return None;
        }
        let mut bounded = module.to_vec();
        let bytes = if holds(Fence::DenoMemory) { bytes } else { u64::MAX };
        let pages = (bytes / WASM_PAGE).min(MOST_PAGES);
        write(bounded.get_mut(most..end)?, pages)?;
        return Some(bounded);
    }
}

/// A number in LEB128, and where it ends.
fn number(module: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, &byte) in module.get(at..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, at + place + 1));
        }
    }
    None
}

/// Writes a number over another one, in as many bytes.
fn write(place: &mut [u8], mut value: u64) -> Option<()> {
    let last = place.len().checked_sub(1)?;
    for (at, byte) in place.iter_mut().enumerate() {
        let more = if at < last { 0x80 } else { 0 };
        *byte = u8::try_from(value & 0x7f).ok()? | more;
        value >>= 7;
    }
    (value == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type section, then a memory of 480 to 65536 pages.
    const MODULE: &[u8] =
        &[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 5, 7, 1, 1, 0xe0, 3, 0x80, 0x80, 4];

    #[test]
    fn the_bound_is_written_in_place() {
        let bounded = with_most_memory(MODULE, 256 << 20).unwrap_or_default();
        assert_eq!(bounded.len(), MODULE.len());
        assert_eq!(bounded.get(20..), Some(&[0x80, 0xa0, 0][..]));
        assert_eq!(bounded.get(..20), MODULE.get(..20));
    }

    #[test]
    fn what_has_no_such_memory_is_refused() {
        assert_eq!(with_most_memory(b"", 1 << 20), None);
        assert_eq!(with_most_memory(&MODULE[..14], 1 << 20), None);
        for end in 8..MODULE.len() {
            assert_eq!(with_most_memory(&MODULE[..end], 1 << 20), None, "{end}");
        }
        let unbounded = [&MODULE[..17], &[0, 0xe0, 3]].concat();
        assert_eq!(with_most_memory(&unbounded, 1 << 20), None);
    }
}
