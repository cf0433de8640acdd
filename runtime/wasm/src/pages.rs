//! The pages of a guest's memory that differ from the image.
//!
//! The memory of a fresh session is a private mapping of the image: what it has not written to is
//! the image's own page. So the system knows what a session has changed, and the memory itself need
//! not be read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::pagemap::{Which, scan};

/// What is kept of memory at a time, whatever the system's own pages are.
pub(crate) const PAGE: usize = 4096;

/// Pages by their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages(Vec<(u32, Arc<[u8; PAGE]>)>);

impl Pages {
    /// The pages of `memory` that were written to. Those that are as in `last` are shared with it.
    pub(crate) fn of(memory: &[u8], last: Option<&Self>) -> io::Result<Self> {
        Ok(Self(pages_in(memory, written(memory)?, last)?))
    }

    /// These pages, but for those in `changed`, which are as `memory` has them now.
    pub(crate) fn with(&self, memory: &[u8], changed: Vec<Range<usize>>) -> io::Result<Self> {
        let changed = pages_in(memory, changed, None)?;
        let mut merged = Vec::with_capacity(self.0.len() + changed.len());
        let mut old = self.0.iter().peekable();
        for page in changed {
            while let Some(kept) = old.next_if(|(number, _)| *number < page.0) {
                merged.push(kept.clone());
            }
            old.next_if(|(number, _)| *number == page.0);
            merged.push(page);
        }
        merged.extend(old.cloned());
        Ok(Self(merged))
    }

    /// Pages from where they were saved; None if they are not in order.
    pub(crate) fn from_saved(pages: Vec<(u32, Arc<[u8; PAGE]>)>) -> Option<Self> {
        pages.is_sorted_by(|(a, _), (b, _)| a < b).then_some(Self(pages))
    }

    /// The pages in the order of their numbers.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &[u8; PAGE])> {
        self.0.iter().map(|(number, content)| (*number, &**content))
    }

    /// Puts the pages into the memory of a fresh session; false if it is too small for them.
    #[must_use]
    pub(crate) fn put_into(&self, memory: &mut [u8]) -> bool {
        let memory = memory.as_chunks_mut().0;
        self.iter().all(|(number, content)| match memory.get_mut(number as usize) {
            Some(page) => {
                *page = *content;
                true
            }
            None => false,
        })
    }
}

fn pages_in(
    memory: &[u8],
    ranges: Vec<Range<usize>>,
    last: Option<&Pages>,
) -> io::Result<Vec<(u32, Arc<[u8; PAGE]>)>> {
    let mut last = last.map_or(&[][..], |last| &last.0).iter().peekable();
    let mut pages = Vec::new();
    for range in ranges {
        let chunks = memory.get(range.clone()).unwrap_or_default().as_chunks().0;
        for (number, page) in (range.start / PAGE..).zip(chunks) {
            let number = u32::try_from(number).map_err(io::Error::other)?;
            while last.next_if(|(before, _)| *before < number).is_some() {}
            let same = last.next_if(|(before, content)| *before == number && **content == *page);
            let content = same.map_or_else(|| Arc::new(*page), |(_, content)| Arc::clone(content));
            pages.push((number, content));
        }
    }
    Ok(pages)
}

/// Copies what was written to in one memory into that of a fresh session, which is as large.
pub(crate) fn copy_written(from: &[u8], to: &mut [u8]) -> io::Result<()> {
    for range in written(from)? {
        if let (Some(from), Some(to)) = (from.get(range.clone()), to.get_mut(range)) {
            to.copy_from_slice(from);
        }
    }
    Ok(())
}

/// The ranges of `memory` that were written to, in order.
fn written(memory: &[u8]) -> io::Result<Vec<Range<usize>>> {
    let pagemap = File::open("/proc/self/pagemap")?;
    // The ioctl is of Linux 6.7; reading the entries is older than anything that runs this.
    scan(&pagemap, memory, Which::Written).or_else(|_| read_entries(&pagemap, memory))
}

/// The same by the table of entries, one of eight bytes for each of the system's pages.
fn read_entries(pagemap: &File, memory: &[u8]) -> io::Result<Vec<Range<usize>>> {
    const IN_MEMORY_OR_SWAP: u64 = 0b11 << 62;
    const OF_A_FILE_OR_SHARED: u64 = 1 << 61;
    let page = rustix::param::page_size();
    let mut entries = vec![0; memory.len() / page * 8];
    pagemap.read_exact_at(&mut entries, (memory.as_ptr().addr() / page * 8) as u64)?;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (number, entry) in entries.as_chunks().0.iter().enumerate() {
        let entry = u64::from_le_bytes(*entry);
        if entry & IN_MEMORY_OR_SWAP == 0 || entry & OF_A_FILE_OR_SHARED != 0 {
            continue;
        }
        let start = number * page;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end += page,
            _ => ranges.push(start..start + page),
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: usize = 3000;

    /// Memory of the system's own, of which the named pages were written to. It is cut so that it
    /// begins and ends with a page.
    fn with_written(
        numbers: &[usize],
        test: impl Fn(&File, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut memory = vec![0_u8; (PAGES + 1) * PAGE]; // from the system, not yet there
        let start = memory.as_ptr().align_offset(PAGE);
        let memory = &mut memory[start..start + PAGES * PAGE];
        for number in numbers {
            memory[number * PAGE + 7] = 1;
        }
        test(&File::open("/proc/self/pagemap")?, memory)
    }

    fn pages(ranges: &[Range<usize>]) -> Vec<usize> {
        ranges.iter().flat_map(|range| range.start / PAGE..range.end / PAGE).collect()
    }

    #[test]
    fn both_ways_find_what_was_written() -> io::Result<()> {
        let numbers: Vec<usize> = (10..20).chain((100..2900).step_by(2)).collect();
        with_written(&numbers, |pagemap, memory| {
            let read = read_entries(pagemap, memory)?;
            assert_eq!(pages(&read), numbers);
            if let Ok(scanned) = scan(pagemap, memory, Which::Written) {
                assert_eq!(pages(&scanned), numbers);
            }
            Ok(())
        })
    }

    #[test]
    fn what_is_as_before_is_shared() -> io::Result<()> {
        let mut memory = vec![0_u8; 64 * PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        let memory = &mut memory[start..start + 32 * PAGE];
        (memory[0], memory[5 * PAGE]) = (1, 1);
        let first = Pages::of(memory, None)?;
        (memory[5 * PAGE], memory[9 * PAGE]) = (2, 2);
        let second = Pages::of(memory, Some(&first))?;
        let shared = second.0.iter().filter(|(number, content)| {
            first.0.iter().any(|(before, old)| before == number && Arc::ptr_eq(old, content))
        });
        let numbers = shared.map(|(number, _)| *number);
        assert!(numbers.clone().any(|number| number == 0));
        assert!(numbers.clone().all(|number| number != 5 && number != 9));
        let mut copy = vec![0; 32 * PAGE];
        assert!(second.put_into(&mut copy));
        assert_eq!(copy, memory);
        assert!(!second.put_into(&mut copy[..PAGE]));
        Ok(())
    }
}
