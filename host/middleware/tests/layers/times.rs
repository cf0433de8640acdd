//! Timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pcm_middleware::{Layer, TimeoutLayer, layer_fn};
use pcm_runtime_api::HostPort;
use serde_json::json;

use crate::support::{TestResult, chain, kind, message, tool};

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_dropped() -> TestResult {
    let dropped = Arc::new(AtomicBool::new(false));
    let noting = Arc::clone(&dropped);
    let slow = layer_fn(move |_, _| {
        let guard = OnDrop(Arc::clone(&noting));
        Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        })
    });
    let timeout = Arc::new(TimeoutLayer::new(Some(Duration::from_secs(30))));
    let (chain, _) = chain(vec![timeout, slow]);
    let answer = chain.call(tool("echo.say", json!({}))).await;
    assert_eq!(kind(&answer), "TimeoutError");
    assert_eq!(message(answer), "tools.echo.say took longer than 30 s");
    assert!(dropped.load(Ordering::Relaxed));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_context_counts_before_the_name_before_the_default() -> TestResult {
    let timeout: Arc<dyn Layer> = Arc::new(
        TimeoutLayer::new(Some(Duration::from_secs(30)))
            .name("tools.quick.**".parse()?, Duration::from_secs(2)),
    );
    let own = layer_fn(|context, next| {
        Box::pin(async move {
            if context.tool_name() == Some("own") {
                context.timeout = Some(Duration::from_secs(1));
            }
            next.run(context).await
        })
    });
    let slow = layer_fn(|_, _| Box::pin(std::future::pending()));
    let (chain, _) = chain(vec![own, timeout, slow]);
    for (name, seconds) in [("own.x", 1), ("quick.x", 2), ("other.x", 30)] {
        let text = message(chain.call(tool(name, json!({}))).await);
        assert!(text.ends_with(&format!("than {seconds} s")), "{text}");
    }
    Ok(())
}
