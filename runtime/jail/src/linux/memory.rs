//! The third step: what a session may use.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Resource;

use super::limits;

/// `/proc/self/statm`, opened while there was a `/proc`.
static USED: OnceLock<File> = OnceLock::new();

/// Seven numbers.
const MAX_STATM: usize = 256;

/// Opens what [`bound_memory`] will read.
pub(super) fn remember() {
    // Read from /proc when it is first asked for, and then kept.
    let _ = rustix::param::page_size();
    if let Ok(file) = File::open("/proc/self/statm") {
        // A second jail of the same process finds the first one's, which says the same.
        let _ = USED.set(file);
    }
}

/// Bounds the private memory of this process (`RLIMIT_DATA`) to what it has now and `bytes` more. An
/// allocation beyond that fails. It can be called from any thread, in the jail too, and it cannot be
/// taken back: later calls can only lower the bound.
///
/// What counts is memory that the process may write, whether it has touched it or not; address space that
/// is only reserved does not, nor does memory shared with other processes or that of files in memory,
/// which a [`Cgroup`](crate::Cgroup) bounds.
pub fn bound_memory(bytes: u64) -> io::Result<()> {
    limits::set(Resource::Data, used()?.saturating_add(bytes))
}

fn used() -> io::Result<u64> {
    let mut text = [0; MAX_STATM];
    let length = match USED.get() {
        Some(file) => file.read_at(&mut text, 0)?,
        None => File::open("/proc/self/statm")?.read_at(&mut text, 0)?,
    };
    let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
    // The sixth is data and stack, in pages.
    let pages = text.and_then(|text| text.split_ascii_whitespace().nth(5)?.parse::<u64>().ok());
    let pages = pages.ok_or(io::ErrorKind::InvalidData)?;
    Ok(pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX)))
}

/// Bounds the processor time of this process (`RLIMIT_CPU`), to what it has used now and `time` more,
/// rounded up to whole seconds. Then the system kills it. Later calls can only lower the bound.
pub fn bound_processor_time(time: Duration) -> io::Result<()> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = Duration::try_from(used).map_err(|_| io::ErrorKind::InvalidData)?;
    let most = used.saturating_add(time);
    let seconds = most.as_secs().saturating_add(u64::from(most.subsec_nanos() > 0));
    limits::set(Resource::Cpu, seconds)
}
