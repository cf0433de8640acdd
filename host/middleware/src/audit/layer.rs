//! Lines about calls.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};
use serde_json::Value;

use super::{AuditEntry, AuditEvent, AuditLog};
use crate::{Action, ArgsDigest, CallContext, Caller, Layer, Next, Verdict};

/// Longer arguments are not written, only their hash is.
const MAX_ARGS: u64 = 16 << 10;

/// What happens to a call that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditFailure {
    /// It is refused; where it was made already, its result is withheld.
    #[default]
    Refuse,
    /// It goes on.
    Continue,
}

/// The trace that a call is part of. A layer that knows it leaves it in the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(pub String);

/// Writes two lines about every call: before it, and when it has ended, however it did.
///
/// The first has the event `tool.call`, or `call` where it is no tool. The second has `tool.result` or
/// `result`, or in their place `policy.deny` or `limit.hit` where the call was refused further in. A
/// call that is dropped has a result of the `error_type` `Cancelled`.
#[derive(Debug)]
pub struct AuditLayer {
    log: AuditLog,
    on_failure: AuditFailure,
    with_args: bool,
}

impl AuditLayer {
    /// Writes to `log`. Calls that cannot be recorded are refused.
    pub fn new(log: AuditLog) -> Self {
        Self { log, on_failure: AuditFailure::Refuse, with_args: false }
    }

    /// What happens to calls that cannot be recorded.
    #[must_use]
    pub fn on_failure(mut self, failure: AuditFailure) -> Self {
        self.on_failure = failure;
        self
    }

    /// Writes the arguments too, up to 16 KiB, with secrets replaced as the log's
    /// [`Redactor`](crate::Redactor) says and as the names of arguments suggest.
    #[must_use]
    pub fn with_args(mut self) -> Self {
        self.with_args = true;
        self
    }

    fn args(&self, context: &CallContext, digest: &ArgsDigest) -> Option<Value> {
        if !self.with_args || digest.canonical_bytes() > MAX_ARGS {
            return None;
        }
        let args = match self.log.redactor() {
            Some(redactor) => redactor.args(&context.args),
            None => crate::Redactor::default().args(&context.args),
        };
        Some(args.value)
    }

    fn append(&self, entry: &AuditEntry<'_>, what: &str) -> Result<(), HostError> {
        match (self.log.append(entry), self.on_failure) {
            (Ok(()), _) | (Err(_), AuditFailure::Continue) => Ok(()),
            // Why is the host's to know: it may name a file.
            (Err(_), AuditFailure::Refuse) => Err(HostError::new("AuditFailed", what)),
        }
    }
}

#[async_trait]
impl Layer for AuditLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        let name = context.name();
        let digest = context.args_digest();
        let is_tool = context.is_tool_call();
        let caller = Arc::clone(context.caller());
        let mut entry =
            AuditEntry::new(if is_tool { AuditEvent::ToolCall } else { AuditEvent::Call });
        entry.session_id = Some(&caller.session_id);
        entry.call_id = Some(context.call_id());
        entry.tool = Some(&name);
        entry.origin = Some(&caller.origin);
        entry.args_sha256 = Some(digest);
        entry.args = self.args(context, &digest);
        entry.trace_id = context.extension::<TraceId>().map(|trace| trace.0.as_str());
        self.append(&entry, "the call was not made, because it cannot be recorded")?;
        drop(entry);

        let mut end = End {
            layer: self,
            caller: &caller,
            call_id: context.call_id(),
            name: &name,
            is_tool,
            begun: Instant::now(),
            is_written: false,
        };
        let answer = next.run(context).await;
        let verdict = context.extension::<Verdict>();
        let trace = context.extension::<TraceId>();
        end.write(&answer, verdict, trace)?;
        answer
    }
}

/// Writes the second line, also where the call is dropped.
struct End<'a> {
    layer: &'a AuditLayer,
    caller: &'a Caller,
    call_id: u64,
    name: &'a str,
    is_tool: bool,
    begun: Instant,
    is_written: bool,
}

impl End<'_> {
    fn entry(&self, event: AuditEvent) -> AuditEntry<'_> {
        let mut entry = AuditEntry::new(event);
        entry.session_id = Some(&self.caller.session_id);
        entry.call_id = Some(self.call_id);
        entry.tool = Some(self.name);
        let microseconds = self.begun.elapsed().as_micros();
        entry.duration_ms = Some(microseconds as f64 / 1000.0);
        entry
    }

    fn result_event(&self) -> AuditEvent {
        if self.is_tool { AuditEvent::ToolResult } else { AuditEvent::Result }
    }

    fn write(
        &mut self,
        answer: &Result<Payload, HostError>,
        verdict: Option<&Verdict>,
        trace: Option<&TraceId>,
    ) -> Result<(), HostError> {
        self.is_written = true;
        let event = match (verdict, answer) {
            (Some(Verdict { limit: true, .. }), Err(_)) => AuditEvent::LimitHit,
            (Some(Verdict { action: Action::Deny, .. }), Err(_)) => AuditEvent::PolicyDeny,
            _ => self.result_event(),
        };
        let mut entry = self.entry(event);
        entry.decision = verdict.map(|verdict| match verdict.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Ask => "ask",
        });
        entry.rule = verdict.and_then(|verdict| verdict.rule.as_deref());
        entry.trace_id = trace.map(|trace| trace.0.as_str());
        match answer {
            Ok(payload) => entry.bytes_out = Some(json_bytes(payload)),
            Err(error) => entry.error_type = Some(&error.error_type),
        }
        self.layer.append(&entry, "what came of the call cannot be recorded, so it stays here")
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            let mut entry = self.entry(self.result_event());
            entry.error_type = Some("Cancelled");
            // There is nobody left to tell.
            self.layer.log.append(&entry).ok();
        }
    }
}

/// The length of a payload as it crosses the wall.
fn json_bytes(payload: &Payload) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting takes everything.
    serde_json::to_writer(&mut count, payload).ok();
    count.0
}
