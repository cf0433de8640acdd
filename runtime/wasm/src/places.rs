//! What ended sessions leave in their places for the next ones.
//!
//! The engine cleans the dirty pages of an ended session in place and keeps them, so that the next
//! session there starts without page faults; but only if they lie in few ranges, and however much
//! they are. So here a session that ends makes its ranges few, or gives all its pages back, if others
//! keep enough already.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rustix::mm::{Advice, madvise};

use crate::pages;

/// The engine keeps pages in at most so many ranges.
const RANGES: usize = 32;
/// What a session may touch to make its ranges few, in pages.
const TOUCHED_PAGES: usize = 1024;
/// What a place may keep. Whatever it keeps is looked at when a session is forked or kept, and made the
/// image's again when one ends: without a bound it would be all that its sessions ever wrote to.
const MOST_OF_A_PLACE: usize = 3 << 20;
/// What all places of the process may keep together: some forty of usual sessions.
const MOST_BYTES: usize = 64 << 20;

/// What is kept, by the address of the place.
static KEPT: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// Leaves a memory to the session that will have it next. Its session has ended.
pub(crate) fn leave(memory: &mut [u8]) -> io::Result<()> {
    let ranges = pages::written(memory)?; // asked once: the system looks at every page
    let wanted = ranges.iter().map(Range::len).sum();
    let place = memory.as_ptr().addr();
    {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let by_others: usize =
            kept.iter().filter(|(at, _)| **at != place).map(|(_, bytes)| bytes).sum();
        if wanted > MOST_OF_A_PLACE || by_others + wanted > MOST_BYTES {
            kept.remove(&place);
            drop(kept);
            return give_back(memory);
        }
        kept.insert(place, wanted);
    }
    pages::gather(memory, &ranges, RANGES, TOUCHED_PAGES);
    Ok(())
}

fn give_back(memory: &mut [u8]) -> io::Result<()> {
    // SAFETY: the range is a whole mapping of linear memory, and nobody else can look at it: the
    // caller has the only reference and its session has ended. The content becomes that of a fresh
    // session, which is what the engine will make of it in any case; all bytes stay valid.
    unsafe { madvise(memory.as_mut_ptr().cast(), memory.len(), Advice::LinuxDontNeed) }?;
    Ok(())
}
