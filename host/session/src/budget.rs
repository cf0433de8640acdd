//! How much the code of a session may have stored.

use std::sync::atomic::{AtomicU64, Ordering};

use pcm_fences::{Fence, holds};
use pcm_runtime_api::HostError;

/// More than agents need, and less than fills a disk.
pub(crate) const USUAL_BYTES: u64 = 1 << 30;

/// Counts the bytes that code has stored in artifacts and workflows. What is replaced or deleted is
/// not given back: to know what that was would cost a look at the store for every call.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { bytes, used: AtomicU64::new(0) }
    }

    /// Counts what is to be stored, unless it is too much.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), HostError> {
        let add = |used: u64| {
            used.checked_add(bytes as u64)
                .filter(|used| *used <= self.bytes || !holds(Fence::StoredBytes))
        };
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(()),
            Err(used) => {
                let message = format!(
                    "these {bytes} bytes are too much: code of one session may store {} bytes, and \
                     has stored {used}; the host raises it with Host::stored_bytes",
                    self.bytes
                );
                Err(HostError::new("LimitExceeded", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_does_not_count() {
        let budget = Budget::new(10);
        assert!(budget.take(6).is_ok());
        assert!(budget.take(5).is_err());
        assert!(budget.take(usize::MAX).is_err());
        assert!(budget.take(4).is_ok());
        assert!(budget.take(1).is_err());
        assert!(budget.take(0).is_ok());
    }
}
