//! The pages of a guest's memory that differ from the image.
//!
//! The memory of a fresh session is a private mapping of the image: what it has not written to is
//! the image's own page. So the system knows what a session may have changed, and the rest need not
//! be looked at. It may: in a place that was used before, pages of the image are copies of it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::pagemap::{Which, of_this_process, scan};

/// What is kept of memory at a time, whatever the system's own pages are.
pub(crate) const PAGE: usize = 4096;

/// Pages by their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages(Vec<(u32, Arc<[u8; PAGE]>)>);

impl Pages {
    /// The pages of `memory` that differ from the image. Those that are as in `last` are shared with
    /// it.
    pub(crate) fn of(memory: &[u8], image: &Image<'_>, last: Option<&Self>) -> io::Result<Self> {
        let mut last = last.map_or(&[][..], |last| &last.0).iter().peekable();
        let mut pages = Vec::new();
        for (number, page) in pages_in(memory, written(memory)?) {
            if image.has(number, page) {
                continue;
            }
            while last.next_if(|(before, _)| *before < number).is_some() {}
            let same = last.next_if(|(before, content)| *before == number && **content == *page);
            let content = same.map_or_else(|| Arc::new(*page), |(_, content)| Arc::clone(content));
            pages.push((number, content));
        }
        Ok(Self(pages))
    }

    /// These pages, but for those in `changed`, which are as `memory` has them now.
    pub(crate) fn with(
        &self,
        memory: &[u8],
        image: &Image<'_>,
        changed: Vec<Range<usize>>,
    ) -> Self {
        let mut merged = Vec::with_capacity(self.0.len());
        let mut old = self.0.iter().peekable();
        for (number, page) in pages_in(memory, changed) {
            while let Some(kept) = old.next_if(|(before, _)| *before < number) {
                merged.push(kept.clone());
            }
            old.next_if(|(before, _)| *before == number);
            if !image.has(number, page) {
                merged.push((number, Arc::new(*page)));
            }
        }
        merged.extend(old.cloned());
        Self(merged)
    }

    /// Pages from where they were saved; None if they are not in order.
    pub(crate) fn from_saved(pages: Vec<(u32, Arc<[u8; PAGE]>)>) -> Option<Self> {
        pages.is_sorted_by(|(a, _), (b, _)| a < b).then_some(Self(pages))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
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

/// What a fresh session's memory holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image<'a>(&'a [[u8; PAGE]]);

impl<'a> Image<'a> {
    /// The image, of which `memory` is an untouched copy. What lies beyond it is zero.
    pub(crate) fn new(memory: &'a [u8]) -> Self {
        Self(memory.as_chunks().0)
    }

    fn has(&self, number: u32, page: &[u8; PAGE]) -> bool {
        *page == *self.0.get(number as usize).unwrap_or(&[0; PAGE])
    }
}

/// The pages of `memory` in these ranges.
fn pages_in(memory: &[u8], ranges: Vec<Range<usize>>) -> impl Iterator<Item = (u32, &[u8; PAGE])> {
    ranges.into_iter().flat_map(|range| {
        let pages = memory.get(range.clone()).unwrap_or_default().as_chunks().0;
        let first = u32::try_from(range.start / PAGE).unwrap_or(u32::MAX); // of a 32-bit memory
        (first..).zip(pages)
    })
}

/// Copies what differs from the image into the memory of a fresh session, which is as large.
pub(crate) fn copy(from: &[u8], image: &Image<'_>, to: &mut [u8]) -> io::Result<()> {
    let to = to.as_chunks_mut().0;
    for (number, page) in pages_in(from, written(from)?) {
        if !image.has(number, page)
            && let Some(to) = to.get_mut(number as usize)
        {
            *to = *page;
        }
    }
    Ok(())
}

/// Touches pages between the ranges that were [`written`] to, the narrowest gaps first, until at most
/// `most` ranges are left. Does nothing if it would touch more than `pages` pages.
pub(crate) fn gather(memory: &mut [u8], ranges: &[Range<usize>], most: usize, pages: usize) {
    let mut gaps: Vec<Range<usize>> =
        ranges.windows(2).map(|pair| pair[0].end..pair[1].start).collect();
    let surplus = ranges.len().saturating_sub(most);
    gaps.sort_by_key(Range::len);
    gaps.truncate(surplus);
    let touched = gaps.iter().map(|gap| gap.len() / PAGE).sum::<usize>();
    if touched > pages {
        return;
    }
    for page in gaps.into_iter().flat_map(|gap| gap.step_by(PAGE)) {
        memory[page] = std::hint::black_box(memory[page]);
    }
}

/// The ranges of `memory` that were written to, in order.
pub(crate) fn written(memory: &[u8]) -> io::Result<Vec<Range<usize>>> {
    let pagemap = of_this_process()?;
    // The ioctl is of Linux 6.7; reading the entries is older than anything that runs this.
    scan(pagemap, memory, Which::Written).or_else(|_| read_entries(pagemap, memory))
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
    fn gathering_leaves_few_ranges_and_all_content() -> io::Result<()> {
        let mut memory = vec![0_u8; 301 * PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        let memory = &mut memory[start..start + 300 * PAGE];
        for number in (0..100).step_by(2).chain([150, 200, 250]) {
            memory[number * PAGE] = 1;
        }
        let before = memory.to_vec();
        let ranges = written(memory)?;
        gather(memory, &ranges, 5, 3);
        assert_eq!(written(memory)?.len(), 53, "too many pages to touch");
        gather(memory, &ranges, 5, 300);
        assert_eq!(written(memory)?.len(), 5);
        assert_eq!(memory, before);
        Ok(())
    }

    #[test]
    fn what_is_as_before_is_shared() -> io::Result<()> {
        let mut memory = vec![0_u8; 64 * PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        let memory = &mut memory[start..start + 32 * PAGE];
        (memory[0], memory[5 * PAGE]) = (1, 1);
        let image = Image::new(&[]);
        let first = Pages::of(memory, &image, None)?;
        (memory[5 * PAGE], memory[9 * PAGE]) = (2, 2);
        let second = Pages::of(memory, &image, Some(&first))?;
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
