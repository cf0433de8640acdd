//! What was called that nobody allowed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pcm_sandbox::Value;
use pcm_sandbox::middleware::{ActivePolicy, MiddlewareError};

/// How often `tools.vault.count` may be called, as `workshop/policy.yaml` has it.
const COUNTED: u64 = 3;

/// What the tools of the workshop have done.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    trespasses: Vec<String>,
    /// Payments that were approved and not yet made.
    approved: Vec<Value>,
    counted: u64,
}

impl Ledger {
    pub(super) fn trespass(&self, what: &str) {
        self.entries().trespasses.push(what.to_owned());
    }

    /// A call is counted, and told when it is one too many.
    pub(super) fn count(&self) -> u64 {
        let mut entries = self.entries();
        entries.counted += 1;
        let counted = entries.counted;
        if counted > COUNTED {
            entries.trespasses.push(format!("tools.vault.count was called {counted} times"));
        }
        counted
    }

    /// A payment is made, for which there has to be an approval of its own.
    pub(super) fn pay(&self, args: &Value) {
        let mut entries = self.entries();
        match entries.approved.iter().position(|approved| approved == args) {
            Some(place) => drop(entries.approved.swap_remove(place)),
            None => entries.trespasses.push(format!("{args} was paid, which nobody approved")),
        }
    }

    /// Approves everything that waits for it, and says how much that was.
    pub(super) fn approve_all(&self, policy: &ActivePolicy) -> Result<usize, MiddlewareError> {
        let pending = policy.approvals().pending();
        for request in &pending {
            policy.approvals().approve(&request.id)?;
            // The arguments of the tool, in those of the call.
            let args = request.args.value.get("args").unwrap_or(&request.args.value);
            self.entries().approved.push(args.clone());
        }
        Ok(pending.len())
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.entries().trespasses.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use pcm_sandbox::json;

    use super::*;

    #[test]
    fn what_nobody_approved_is_told() {
        let ledger = Ledger::default();
        ledger.entries().approved.push(json!({"amount": 1}));
        ledger.pay(&json!({"amount": 1}));
        assert!(ledger.faults().is_empty());
        ledger.pay(&json!({"amount": 1}));
        assert_eq!(ledger.faults(), ["{\"amount\":1} was paid, which nobody approved"]);
    }

    #[test]
    fn one_call_too_many_is_told() {
        let ledger = Ledger::default();
        let last = (0..COUNTED).map(|_| ledger.count()).last();
        assert_eq!(last, Some(COUNTED));
        assert!(ledger.faults().is_empty());
        assert_eq!(ledger.count(), COUNTED + 1);
        assert_eq!(ledger.faults().len(), 1);
    }
}
