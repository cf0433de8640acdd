//! What a trace says of a call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pcm_middleware::{Layer, Redactor, Secret, TracingLayer, layer_fn};
use pcm_runtime_api::{HostError, HostPort, Namespace};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{TestResult, call, chain, tool};

type Fields = BTreeMap<String, String>;

/// Keeps the fields of every span.
#[derive(Clone, Default)]
struct Spans(Arc<Inner>);

#[derive(Default)]
struct Inner {
    count: AtomicU64,
    spans: Mutex<BTreeMap<u64, Fields>>,
}

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Spans {
    fn fields(&self) -> Vec<Fields> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("pcm_middleware")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.0.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        attributes.record(&mut Into(spans.entry(id).or_default()));
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        values.record(&mut Into(spans.entry(id.into_u64()).or_default()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_span_has_the_attributes_of_a_tool_and_no_arguments() -> TestResult {
    let spans = Spans::default();
    let _listening = tracing::subscriber::set_default(spans.clone());
    let failing = layer_fn(|_, _| Box::pin(async { Err(HostError::new("Bad", "it is")) }));
    let (chain, _) = chain(vec![Arc::new(TracingLayer::new()), failing]);
    let _ = chain.call(tool("echo.say", json!({"text": "hunter22"}))).await;
    let _ = chain.call(call(Namespace::Artifacts, "save", json!({"name": "x"}))).await;
    let [first, second] = spans.fields().try_into().map_err(|_| "two spans")?;
    let expected = [
        ("error.type", "Bad"),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.call.id", "1"),
        ("gen_ai.tool.name", "echo.say"),
        ("otel.name", "tools.echo.say"),
        ("session.id", "s-1"),
    ];
    let expected: Fields =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(first, expected);
    assert_eq!(second.get("otel.name").map(String::as_str), Some("artifacts.save"));
    assert!(!second.contains_key("gen_ai.tool.name"));
    Ok(())
}

#[tokio::test]
async fn arguments_are_redacted_where_they_are_asked_for() -> TestResult {
    let spans = Spans::default();
    let _listening = tracing::subscriber::set_default(spans.clone());
    let redactor = Redactor::builder().secret("KEY", Secret::new("hunter22")).build()?;
    let layer: Arc<dyn Layer> = Arc::new(TracingLayer::new().with_args(redactor));
    let (chain, _) = chain(vec![layer]);
    chain.call(tool("echo", json!({"text": "hunter22", "token": "x"}))).await?;
    chain.call(tool("echo", json!({"text": "y".repeat(10_000)}))).await?;
    let [first, second] = spans.fields().try_into().map_err(|_| "two spans")?;
    assert_eq!(
        first.get("gen_ai.tool.call.arguments").map(String::as_str),
        Some(r#"{"text":"[redacted: KEY]","token":"[redacted]"}"#)
    );
    assert!(!second.contains_key("gen_ai.tool.call.arguments"));
    Ok(())
}
