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

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode};

/// What is kept of memory at a time, whatever the system's own pages are.
pub(crate) const PAGE: usize = 4096;

/// Pages by their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages(Vec<(u32, Arc<[u8; PAGE]>)>);

impl Pages {
    /// The pages of `memory` that were written to. Those that are as in `last` are shared with it.
    pub(crate) fn of(memory: &[u8], last: Option<&Self>) -> io::Result<Self> {
        let mut last = last.map_or(&[][..], |last| &last.0).iter().peekable();
        let mut pages = Vec::new();
        for range in written(memory)? {
            let chunks = memory.get(range.clone()).unwrap_or_default().as_chunks().0;
            for (number, page) in (range.start / PAGE..).zip(chunks) {
                let number = u32::try_from(number).map_err(io::Error::other)?;
                while last.next_if(|(before, _)| *before < number).is_some() {}
                let same =
                    last.next_if(|(before, content)| *before == number && **content == *page);
                let content =
                    same.map_or_else(|| Arc::new(*page), |(_, content)| Arc::clone(content));
                pages.push((number, content));
            }
        }
        Ok(Self(pages))
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
    scan(&pagemap, memory).or_else(|_| read_entries(&pagemap, memory))
}

/// What `PAGEMAP_SCAN` takes; see the system's `linux/fs.h`.
#[repr(C)]
#[derive(Debug, Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

const OF_A_FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZERO_PAGE: u64 = 1 << 5;
const REGIONS: usize = 256;

/// The system call `ioctl(pagemap, PAGEMAP_SCAN, arguments)`; gives the number of regions.
struct Scan<'a> {
    arguments: &'a mut ScanArguments,
    /// What `arguments.vec` points to.
    _regions: &'a mut [Region; REGIONS],
}

impl<'a> Scan<'a> {
    fn new(arguments: &'a mut ScanArguments, regions: &'a mut [Region; REGIONS]) -> Self {
        (arguments.vec, arguments.vec_len) = (regions.as_mut_ptr().addr() as u64, REGIONS as u64);
        Self { arguments, _regions: regions }
    }
}

// SAFETY: the opcode is that of PAGEMAP_SCAN, whose argument is a `struct pm_scan_arg`; `as_ptr`
// points to one for as long as `self` lives. The kernel reads it, writes its `walk_end`, and writes
// up to `vec_len` regions to `vec`, both of which `Scan::new` took from the array that `_regions`
// keeps borrowed.
unsafe impl Ioctl for Scan<'_> {
    type Output = usize;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        rustix::ioctl::opcode::read_write::<ScanArguments>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut rustix::ffi::c_void {
        std::ptr::from_mut(self.arguments).cast()
    }

    unsafe fn output_from_ptr(
        found: IoctlOutput,
        _: *mut rustix::ffi::c_void,
    ) -> rustix::io::Result<usize> {
        Ok(usize::try_from(found).unwrap_or(0))
    }
}

fn scan(pagemap: &File, memory: &[u8]) -> io::Result<Vec<Range<usize>>> {
    let base = memory.as_ptr().addr() as u64;
    let end = base + memory.len() as u64;
    let mut regions = [Region::default(); REGIONS];
    let mut arguments = ScanArguments {
        size: size_of::<ScanArguments>() as u64,
        start: base,
        end,
        category_inverted: OF_A_FILE | ZERO_PAGE,
        category_mask: OF_A_FILE | ZERO_PAGE,
        category_anyof_mask: PRESENT | SWAPPED,
        ..ScanArguments::default()
    };
    let mut ranges = Vec::new();
    while arguments.start < end {
        let scan = Scan::new(&mut arguments, &mut regions);
        // SAFETY: see `impl Ioctl for Scan`; the kernel only looks at the pages between `start` and
        // `end`, which are those of `memory`.
        let found = unsafe { rustix::ioctl::ioctl(pagemap, scan) }?;
        for region in regions.iter().take(found) {
            let (start, end) = (region.start - base, region.end - base);
            ranges.push(usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0));
        }
        if arguments.walk_end <= arguments.start {
            break;
        }
        arguments.start = arguments.walk_end;
    }
    Ok(ranges)
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
