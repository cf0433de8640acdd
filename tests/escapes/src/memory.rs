//! The memory of this process, as Linux counts it. Elsewhere nothing is compared.

use std::fs;

/// What a case may leave behind where nothing else is said: places for sessions keep some memory,
/// allocators keep more.
pub(crate) const SLACK: u64 = 96 << 20;

/// The memory before an attack.
#[derive(Debug)]
pub(crate) struct Before {
    anonymous: Option<u64>,
    /// None where the peak cannot be set back.
    resident: Option<u64>,
}

impl Before {
    pub(crate) fn now() -> Self {
        // 5 means: let the peak be what is resident now. See proc(5).
        let set_back = fs::write("/proc/self/clear_refs", "5").is_ok();
        let resident = status("VmRSS:").filter(|_| set_back);
        Self { anonymous: status("RssAnon:"), resident }
    }

    /// What is wrong with the memory afterwards: `most` is what the attack may have used meanwhile,
    /// `left` is what may be left of it.
    pub(crate) fn faults(&self, most: u64, left: u64) -> Vec<String> {
        let grown = |name, before: Option<u64>, most| {
            let growth = status(name)?.saturating_sub(before?);
            (growth > most).then(|| {
                let (growth, most) = (growth >> 20, most >> 20);
                format!("{name} grew by {growth} MiB, at most {most} MiB are expected")
            })
        };
        let peak = grown("VmHWM:", self.resident, most.saturating_add(SLACK));
        let left = grown("RssAnon:", self.anonymous, left);
        [peak, left].into_iter().flatten().collect()
    }
}

/// A size in `/proc/self/status`, in bytes.
fn status(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_kept_is_noticed_and_memory_that_was_used_as_well() {
        if status("RssAnon:").is_none() {
            return;
        }
        let before = Before::now();
        assert!(before.faults(0, SLACK).is_empty());
        let kept = vec![1_u8; 128 << 20];
        assert!(before.faults(u64::MAX, SLACK)[0].starts_with("RssAnon: grew by"));
        drop(kept);
        assert!(before.faults(u64::MAX, SLACK).is_empty());
        if before.resident.is_some() {
            assert!(before.faults(0, SLACK)[0].starts_with("VmHWM: grew by"));
        }
    }
}
