//! Calls as spans of a trace.

use async_trait::async_trait;
use pcm_runtime_api::{HostError, Payload};
use tracing::field::Empty;
use tracing::{Instrument, Level, Span, span};

use crate::{CallContext, Layer, Next, Redactor};

/// Longer arguments are left out.
const MAX_ARGS: usize = 8 << 10;

/// Opens a span around every call, with the attributes that OpenTelemetry has for tools of language
/// models: `gen_ai.operation.name`, `gen_ai.tool.name`, `gen_ai.tool.call.id`, `error.type`.
///
/// The span's `otel.name` is the qualified name of the call. Arguments are left out unless asked for.
#[derive(Debug, Default)]
pub struct TracingLayer {
    args: Option<Redactor>,
}

impl TracingLayer {
    /// Spans without arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `gen_ai.tool.call.arguments`, up to 8 KiB, redacted as in an audit log.
    #[must_use]
    pub fn with_args(mut self, redactor: Redactor) -> Self {
        self.args = Some(redactor);
        self
    }

    fn span(&self, context: &CallContext) -> Span {
        let span = span!(
            Level::INFO,
            "host_call",
            otel.name = Empty,
            gen_ai.operation.name = Empty,
            gen_ai.tool.name = Empty,
            gen_ai.tool.call.id = Empty,
            gen_ai.tool.call.arguments = Empty,
            session.id = Empty,
            error.type = Empty,
        );
        if span.is_disabled() {
            return span;
        }
        span.record("otel.name", context.name());
        span.record("session.id", context.caller().session_id.as_str());
        span.record("gen_ai.tool.call.id", context.call_id());
        if context.is_tool_call() {
            span.record("gen_ai.operation.name", "execute_tool");
            span.record("gen_ai.tool.name", context.full_name());
        }
        if let Some(redactor) = &self.args {
            let args = redactor.args(&context.args).value.to_string();
            if args.len() <= MAX_ARGS {
                span.record("gen_ai.tool.call.arguments", args);
            }
        }
        span
    }
}

#[async_trait]
impl Layer for TracingLayer {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        let span = self.span(context);
        let answer = next.run(context).instrument(span.clone()).await;
        if let Err(error) = &answer {
            span.record("error.type", error.error_type.as_str());
        }
        answer
    }
}
