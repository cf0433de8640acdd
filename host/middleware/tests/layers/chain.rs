//! Order, rewriting, short cuts, replacement.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pcm_middleware::{CallContext, Caller, Layer, Next, layer_fn};
use pcm_runtime_api::{HostError, HostPort, Namespace, Payload};
use serde_json::json;

use crate::support::{TestResult, call, chain, kind, tool};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes when a call passes it, both ways.
#[derive(Debug)]
struct Passing {
    name: &'static str,
    log: Log,
}

impl Passing {
    fn note(&self, when: &str, what: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(format!("{} {when} {what}", self.name));
    }
}

#[async_trait]
impl Layer for Passing {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        self.note("before", &context.full_name());
        let answer = next.run(context).await;
        self.note("after", &context.full_name());
        answer
    }
}

fn passing(name: &'static str, log: &Log) -> Arc<dyn Layer> {
    Arc::new(Passing { name, log: Arc::clone(log) })
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner))
}

#[tokio::test]
async fn the_first_layer_is_the_outermost() -> TestResult {
    let log = Log::default();
    let (chain, _) = chain(vec![passing("outer", &log), passing("inner", &log)]);
    chain.call(tool("echo.say", json!({}))).await?;
    assert_eq!(
        taken(&log),
        [
            "outer before echo.say",
            "inner before echo.say",
            "inner after echo.say",
            "outer after echo.say"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn replacing_does_not_stack() -> TestResult {
    let log = Log::default();
    let (chain, port) = chain(vec![passing("first", &log)]);
    chain.replace(vec![passing("second", &log)]);
    chain.call(tool("echo.say", json!({}))).await?;
    assert_eq!(taken(&log), ["second before echo.say", "second after echo.say"]);
    chain.replace(Vec::new());
    chain.call(tool("echo.say", json!({}))).await?;
    assert_eq!(taken(&log), [""; 0]);
    assert_eq!(port.count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_call_keeps_the_layers_that_it_began_with() -> TestResult {
    let log = Log::default();
    let (wait, go) = tokio::sync::oneshot::channel::<()>();
    let go = Arc::new(Mutex::new(Some(go)));
    let waiting = layer_fn(move |context, next| {
        let go = go.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(go) = go {
                go.await.ok();
            }
            next.run(context).await
        })
    });
    let (chain, _) = chain(vec![waiting, passing("old", &log)]);
    let running = {
        let chain = Arc::clone(&chain);
        tokio::spawn(async move { chain.call(tool("slow", json!({}))).await })
    };
    tokio::task::yield_now().await;
    chain.replace(vec![passing("new", &log)]);
    chain.call(tool("quick", json!({}))).await?;
    wait.send(()).map_err(|()| "nobody waits")?;
    running.await??;
    assert_eq!(
        taken(&log),
        ["new before quick", "new after quick", "old before slow", "old after slow"]
    );
    Ok(())
}

#[tokio::test]
async fn what_a_layer_makes_of_a_call_reaches_the_port() -> TestResult {
    let rewriting = layer_fn(|context, next| {
        Box::pin(async move {
            context.set_target("shout.loud");
            context.args = json!({"text": "HELLO"}).into();
            next.run(context).await
        })
    });
    let (chain, port) = chain(vec![rewriting]);
    chain.call(tool("echo.say", json!({"text": "hello"}))).await?;
    assert_eq!(port.calls(), [tool("shout.loud", json!({"text": "HELLO"}))]);
    Ok(())
}

#[tokio::test]
async fn a_layer_can_answer_and_refuse_without_the_port() -> TestResult {
    let answering = layer_fn(|context, next| {
        Box::pin(async move {
            match context.tool_name() {
                Some("cached") => Ok(json!("from the cache").into()),
                Some("denied") => Err(HostError::new("Whatever", "the layer's own words")),
                _ => next.run(context).await,
            }
        })
    });
    let (chain, port) = chain(vec![answering]);
    assert_eq!(chain.call(tool("cached.x", json!({}))).await?.value, json!("from the cache"));
    let denied = chain.call(tool("denied", json!({}))).await;
    assert_eq!(denied, Err(HostError::new("Whatever", "the layer's own words")));
    assert_eq!(port.count(), 0);
    chain.call(tool("other", json!({}))).await?;
    assert_eq!(port.count(), 1);
    Ok(())
}

#[tokio::test]
async fn every_namespace_passes_the_layers() -> TestResult {
    let refusing = layer_fn(|context, _| {
        let name = context.name();
        Box::pin(async move { Err(HostError::new("No", name)) })
    });
    let (chain, port) = chain(vec![refusing]);
    for (namespace, op, expected) in [
        (Namespace::Tools, "list", "tools.list"),
        (Namespace::Workflows, "create", "workflows.create"),
        (Namespace::Artifacts, "save", "artifacts.save"),
        (Namespace::Deps, "add", "deps.add"),
        (Namespace::Network, "request", "network.request"),
    ] {
        let answer = chain.call(call(namespace, op, json!({}))).await;
        assert_eq!(answer, Err(HostError::new("No", expected)));
    }
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test]
async fn the_host_calls_under_its_own_name() -> TestResult {
    let telling = layer_fn(|context, _| {
        let origin = context.caller().origin.clone();
        Box::pin(async move { Ok(json!(origin).into()) })
    });
    let (chain, _) = chain(vec![telling]);
    let host = Caller { origin: "host".to_owned(), ..Caller::sandbox("s-1", "test") };
    let answer = chain.call_as(Arc::new(host), tool("echo", json!({}))).await?;
    assert_eq!(answer.value, json!("host"));
    assert_eq!(chain.call(tool("echo", json!({}))).await?.value, json!("sandbox"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_have_numbers_of_their_own() -> TestResult {
    let numbering = layer_fn(|context, next| {
        Box::pin(async move {
            let id = context.call_id();
            context.insert_extension(id);
            tokio::task::yield_now().await;
            next.run(context).await?;
            Ok(json!(context.extension::<u64>()).into())
        })
    });
    let (chain, port) = chain(vec![numbering]);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let chain = Arc::clone(&chain);
            tokio::spawn(async move { chain.call(tool("echo", json!({}))).await })
        })
        .collect();
    let mut ids = Vec::new();
    for call in calls {
        ids.extend(call.await??.value.as_u64());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=200).collect::<Vec<_>>());
    assert_eq!(port.count(), 200);
    Ok(())
}

#[tokio::test]
async fn a_malformed_frame_reaches_the_port_as_it_is() -> TestResult {
    let (chain, port) = chain(vec![layer_fn(|context, next| next_of(context, next))]);
    let odd = call(Namespace::Tools, "call", json!({"name": "echo", "args": {}, "more": [1]}));
    assert_eq!(kind(&chain.call(odd.clone()).await), "ok");
    assert_eq!(port.calls(), [odd]);
    Ok(())
}

fn next_of<'a>(context: &'a mut CallContext, next: Next<'a>) -> pcm_middleware::Answer<'a> {
    Box::pin(next.run(context))
}
