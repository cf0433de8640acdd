//! The system call that says which pages of a memory were written to.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::OnceLock;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode};

/// The file of this process that is asked. It is opened once, with the engine: later there may be no
/// way to open anything.
pub(crate) fn of_this_process() -> io::Result<&'static File> {
    static OPENED: OnceLock<File> = OnceLock::new();
    if let Some(file) = OPENED.get() {
        return Ok(file);
    }
    let file = File::open("/proc/self/pagemap")?;
    Ok(OPENED.get_or_init(|| file))
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

const PROTECT_MATCHING: u64 = 1;
const CHECK_TRACKED: u64 = 1 << 1;

const WRITTEN: u64 = 1 << 1;
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

/// Which pages are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that were written to since the memory was mapped.
    Written,
    /// Those that were written to since they were last looked for in this way; see `tracking.rs`.
    Changed,
}

/// The ranges of `memory` with such pages, in order.
pub(crate) fn scan(pagemap: &File, memory: &[u8], which: Which) -> io::Result<Vec<Range<usize>>> {
    let base = memory.as_ptr().addr() as u64;
    let end = base + memory.len() as u64;
    let mut regions = [Region::default(); REGIONS];
    let (flags, since_then) = match which {
        Which::Written => (0, 0),
        Which::Changed => (PROTECT_MATCHING | CHECK_TRACKED, WRITTEN),
    };
    let mut arguments = ScanArguments {
        size: size_of::<ScanArguments>() as u64,
        flags,
        start: base,
        end,
        category_inverted: OF_A_FILE | ZERO_PAGE,
        category_mask: OF_A_FILE | ZERO_PAGE | since_then,
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
