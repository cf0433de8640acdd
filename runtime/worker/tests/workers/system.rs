//! What the system says of this process and of those that it has started.

use std::collections::BTreeSet;
use std::fs;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: u32,
    parent: u32,
    pub(crate) state: char,
}

/// All that descend from `ancestor`, zombies too.
pub(crate) fn descendants(ancestor: u32) -> Vec<Found> {
    let all: Vec<Found> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| read(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .collect();
    let mut ours = BTreeSet::from([ancestor]);
    let mut found = Vec::new();
    // Parents come before their children, except where numbers begin again.
    loop {
        let more: Vec<&Found> = all
            .iter()
            .filter(|process| ours.contains(&process.parent) && !ours.contains(&process.id))
            .collect();
        if more.is_empty() {
            return found;
        }
        ours.extend(more.iter().map(|process| process.id));
        found.extend(more.into_iter().cloned());
    }
}

fn read(id: u32) -> Option<Found> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses, and may have some itself.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Found { id, parent: fields.next()?.parse().ok()?, state })
}

/// Whether there is such a process, other than as a zombie.
pub(crate) fn lives(id: u32) -> bool {
    read(id).is_some_and(|process| process.state != 'Z')
}

/// Whether there is such a process, be it a zombie.
pub(crate) fn is_known(id: u32) -> bool {
    read(id).is_some()
}

/// How many descriptors this process has open.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// The memory of this process in KiB: `VmRSS` now, `VmHWM` at most.
pub(crate) fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.unwrap_or(0)
}

/// From here on `VmHWM` counts anew.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5"); // without it the peak is larger, not smaller
}
