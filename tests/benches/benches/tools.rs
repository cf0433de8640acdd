//! A tool call from the sandbox through the whole host: layers, registry, adapter and back. Measured
//! where the code that calls can see it, by its own clock.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;
use std::time::Instant;

use pcm_benches::machine;
use pcm_sandbox::middleware::{Action, AuditLayer, AuditLog, Layer, Policy, PolicyLayer, Rule};
use pcm_sandbox::{Limits, Session, SessionBuilder, Value, json};

const CALLS: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}\n", machine());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let plain = builder();
    let policed = builder().layer(policy());
    let log = || AuditLog::file(&file).expect("the log opens");
    let audited = builder().layer(Arc::new(AuditLayer::new(log())));
    let both = builder().layer(Arc::new(AuditLayer::new(log()))).layer(policy());
    println!("{:<28} {:>9} {:>9} {:>9}   of {CALLS} calls", "", "p50", "p95", "p99");
    for (name, builder) in
        [("no layers", plain), ("policy", policed), ("audit", audited), ("audit and policy", both)]
    {
        let session = builder.start().await.expect("a session starts");
        for (how, call) in
            [("", "tools.noop(a=i, text='hi')"), (", awaited", "await tools.noop(a=i, text='hi')")]
        {
            let [p50, p95, p99] = measure(&session, call).await;
            println!("{:<28} {p50:>6.1} µs {p95:>6.1} µs {p99:>6.1} µs", format!("{name}{how}"));
        }
        session.close().await;
    }
    fresh_sessions().await;
}

/// With a registry, a storage, a chain of two layers and a place for packages of its own.
async fn fresh_sessions() {
    const SESSIONS: usize = 300;
    let mut times = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let begin = Instant::now();
        let session = builder().layer(policy()).start().await.expect("a session starts");
        let result = session.run("1 + 1").await;
        times.push(begin.elapsed());
        assert!(result.is_ok(), "{:?}", result.error);
        session.close().await;
    }
    times.sort();
    let [p50, p95] = [50, 95].map(|part| times[SESSIONS * part / 100]);
    println!("\nfrom the builder to the first result: p50 {p50:.1?}, p95 {p95:.1?}");
}

fn builder() -> SessionBuilder {
    let limits = Limits { tool_calls: u64::MAX, timeout: None, ..Limits::default() };
    Session::builder().limits(limits).tool("noop", "Does nothing", |_| async { Ok(json!(null)) })
}

/// Five rules, of which the last two look at the call.
fn policy() -> Arc<dyn Layer> {
    let deny = |name: &str| Rule::new(Action::Deny, [name]).expect("a rule");
    let policy = Policy::new(Action::Deny)
        .rule(deny("network.**"))
        .rule(deny("tools.shell.*"))
        .rule(deny("workflows.delete"))
        .rule(deny("tools.noop").when("a > 1000000").expect("a condition"))
        .rule(Rule::new(Action::Allow, ["tools.*"]).expect("a rule"));
    Arc::new(PolicyLayer::new(Arc::new(policy)))
}

/// Percentiles in microseconds. What reading the clock costs is in them.
async fn measure(session: &Session, call: &str) -> [f64; 3] {
    let code = format!(
        "
from time import perf_counter_ns as now
times = []
for i in range({CALLS}):
    begin = now()
    {call}
    times.append(now() - begin)
times.sort()
[times[int(len(times) * part)] / 1000 for part in (.5, .95, .99)]"
    );
    let result = session.run(code).await;
    assert!(result.is_ok(), "{:?}", result.error);
    let percentile = |index: usize| result.value.get(index).and_then(Value::as_f64);
    [0, 1, 2].map(|index| percentile(index).expect("a number"))
}
