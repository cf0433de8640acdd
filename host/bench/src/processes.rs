//! What the system knows of processes: which belong together, their time on a processor, their memory.

use std::collections::HashMap;
use std::fs;

/// The ticks of `/proc/PID/stat` a second. The kernel shows it as 100 to every program, whatever its own is.
const TICKS: f64 = 100.0;

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(process) = process else { continue };
        let parent = stat(process).and_then(|fields| fields.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(process) = found.get(at) {
        found.extend(children.remove(process).unwrap_or_default());
        at += 1;
    }
    found
}

/// The seconds that these processes were on a processor, with those of their children that have ended.
pub(crate) fn cpu_seconds(processes: &[u32]) -> f64 {
    let ticks = |process: &u32| {
        let fields = stat(*process)?;
        // utime, stime, cutime and cstime, of which the names are in proc(5).
        let times = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok());
        Some(times.sum::<f64>())
    };
    processes.iter().filter_map(ticks).sum::<f64>() / TICKS
}

/// The seconds that children of this process were on a processor which have ended.
pub(crate) fn ended_children_seconds() -> f64 {
    let fields = stat(std::process::id()).unwrap_or_default();
    let times = fields.get(13..15).unwrap_or_default();
    times.iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// The memory of these processes in bytes, where shared pages count by their share. None where the system
/// does not tell of one of them.
pub(crate) fn memory_bytes(processes: &[u32]) -> Option<u64> {
    let of_one = |process: &u32| {
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else {
            // It may have ended meanwhile; then it takes nothing.
            return (!fs::exists(format!("/proc/{process}")).unwrap_or(true)).then_some(0);
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        let kilobytes: u64 = line.trim().split(' ').next()?.parse().ok()?;
        Some(kilobytes << 10)
    };
    processes.iter().map(of_one).sum()
}

/// The fields of `/proc/PID/stat` after the name, which may have blanks and brackets in it.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_child_is_in_the_tree_of_its_parent() -> std::io::Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let found = tree(id());
        let below = tree(child.id());
        child.kill()?;
        child.wait()?;
        assert!(found.starts_with(&[id()]) && found.contains(&child.id()), "{found:?}");
        assert_eq!(below, [child.id()]);
        Ok(())
    }

    #[test]
    fn this_process_has_memory_and_takes_time() {
        assert!(memory_bytes(&[id()]).is_some_and(|bytes| bytes > 1 << 16));
        let (before, begin) = (cpu_seconds(&[id()]), Instant::now());
        while cpu_seconds(&[id()]) <= before {
            assert!(begin.elapsed().as_secs() < 60, "no time passes");
        }
    }
}
