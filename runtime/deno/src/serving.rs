//! What the host keeps on the thread of an isolate: the run that goes on, and how it came to its end.

use std::fmt;

use deno_core::v8::IsolateHandle;
use pcm_fences::{Fence, holds};
use pcm_runtime_guest::{Active, Stop};
use tokio::runtime::Handle;

/// The host's side of an isolate, for the ops.
pub(crate) struct Serving {
    isolate: IsolateHandle,
    current: Option<Current>,
    /// The number of the reply that waits.
    pub(crate) number: i32,
    verdict: Option<Verdict>,
}

/// One run.
pub(crate) struct Current {
    pub(crate) active: Active,
    /// The runtime of whoever runs it, whose tasks its calls are.
    pub(crate) runtime: Handle,
    /// Options and source, until the guest asks for them.
    pub(crate) assignment: Option<Vec<u8>>,
    pub(crate) outcome: Option<Vec<u8>>,
}

/// Why the isolate was ended by one of its ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The run has to stop.
    Stop(Stop),
    /// The guest did what no guest does that is as it was.
    Broken,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(stop) => stop.fmt(formatter),
            Self::Broken => formatter.write_str("the code damaged the interpreter it ran in"),
        }
    }
}

impl Serving {
    pub(crate) fn new(isolate: IsolateHandle) -> Self {
        Self { isolate, current: None, number: 0, verdict: None }
    }

    pub(crate) fn start(&mut self, current: Current) {
        self.current = Some(current);
    }

    /// The outcome that the guest left, and why the host ended it, where it did.
    pub(crate) fn finish(&mut self) -> (Option<Vec<u8>>, Option<Verdict>) {
        let current = self.current.take();
        (current.and_then(|current| current.outcome), self.verdict.take())
    }

    /// Ends the isolate where something failed.
    pub(crate) fn checked<T: Default>(&mut self, done: Result<T, Verdict>) -> T {
        done.unwrap_or_else(|verdict| {
            self.condemn(verdict);
            T::default()
        })
    }

    pub(crate) fn condemn(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
        self.isolate.terminate_execution();
    }

    /// Makes options and source what `take` gives next.
    pub(crate) fn begin(&mut self) -> Result<u32, Verdict> {
        let current = self.current.as_mut().ok_or(Verdict::Broken)?;
        let frame = current.assignment.take().ok_or(Verdict::Broken)?;
        let length = u32::try_from(frame.len()).map_err(|_| Verdict::Broken)?;
        current.active.held = frame;
        Ok(length)
    }

    pub(crate) fn end(&mut self, outcome: &[u8]) -> Result<(), Verdict> {
        let current = self.current.as_mut().ok_or(Verdict::Broken)?;
        if outcome.len() > current.active.run.longest_outcome() || current.outcome.is_some() {
            return Err(Verdict::Broken);
        }
        current.outcome = Some(outcome.to_vec());
        Ok(())
    }

    /// The bytes that Python may hold.
    pub(crate) fn most_memory(&self) -> u64 {
        let current = self.current.as_ref().filter(|_| holds(Fence::DenoMemory));
        current.map_or(u64::MAX, |it| it.active.run.limits().memory_bytes)
    }

    pub(crate) fn active(&mut self) -> Result<&mut Active, Verdict> {
        self.current.as_mut().map(|current| &mut current.active).ok_or(Verdict::Broken)
    }

    pub(crate) fn runtime(&self) -> Result<Handle, Verdict> {
        self.current.as_ref().map(|current| current.runtime.clone()).ok_or(Verdict::Broken)
    }
}
