//! Layers around the port of a sandbox: audit, policy, approvals, redaction, timeouts, tracing.
