//! What the layers cost: calls of a port that does nothing, with layers around it.
//!
//! `cargo run --release -p pcm-middleware --example cost`

#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_middleware::{
    AuditLayer, AuditLog, Caller, Chain, Layer, PolicyFile, PolicySetup, RedactionLayer, Redactor,
    Secret, TimeoutLayer, TracingLayer,
};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload};
use serde_json::json;

const CALLS: usize = 50_000;

const POLICY: &str = r#"
version: 1
rules:
  - {match: tools.shell.**, action: deny}
  - {match: tools.mail.*, action: ask}
  - {match: "artifacts.**", action: allow}
  - {match: tools.bank.*, action: allow, when: 'amount <= 1000 and currency in ["EUR", "USD"]'}
  - {match: tools.list, action: allow}
"#;

#[derive(Debug)]
struct Nothing;

#[async_trait]
impl HostPort for Nothing {
    async fn call(&self, _: HostCall) -> Result<Payload, HostError> {
        Ok(json!({"ok": true}).into())
    }
}

fn layer(layer: impl Layer + 'static) -> Arc<dyn Layer> {
    Arc::new(layer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let folder = tempfile::tempdir()?;
    let policy = || -> Result<_, Box<dyn Error>> {
        let file: PolicyFile = POLICY.parse()?;
        Ok(file.activate(PolicySetup::default())?.layers())
    };
    let log = |name: &str| AuditLog::file(folder.path().join(name));
    let redactor =
        Redactor::builder().secret("KEY", Secret::new("a-secret-of-some-length")).build()?;
    let everything = vec![
        layer(TracingLayer::new()),
        layer(RedactionLayer::new(redactor.clone())),
        layer(AuditLayer::new(log("everything")?.redacted(redactor.clone())).with_args()),
    ];
    let chained = AuditLog::chained_file(folder.path().join("chained"))?;
    let chains = [
        ("no layers", vec![]),
        ("timeout", vec![layer(TimeoutLayer::new(Some(Duration::from_secs(30))))]),
        ("tracing, nobody listens", vec![layer(TracingLayer::new())]),
        ("redaction", vec![layer(RedactionLayer::new(redactor))]),
        ("policy of 5 rules, timeout", policy()?),
        ("audit to a file", vec![layer(AuditLayer::new(log("audit")?))]),
        ("audit to a chained file", vec![layer(AuditLayer::new(chained))]),
        (
            "audit, policy, timeout",
            [vec![layer(AuditLayer::new(log("both")?))], policy()?].concat(),
        ),
        ("everything", [everything, policy()?].concat()),
    ];
    println!("{CALLS} calls of a port that does nothing, in microseconds");
    println!("{:28} {:>8} {:>8} {:>8}", "layers", "p50", "p95", "p99");
    for (name, layers) in chains {
        let chain = Chain::new(Arc::new(Nothing), Caller::sandbox("s-0123456789", "wasm"), layers);
        let [p50, p95, p99] = runtime.block_on(measure(&chain))?;
        println!("{name:28} {p50:8.2} {p95:8.2} {p99:8.2}");
    }
    let written = fs::read_dir(folder.path())?.count();
    println!("{written} logs of {} lines each were written", 2 * CALLS);
    Ok(())
}

async fn measure(chain: &Chain) -> Result<[f64; 3], HostError> {
    let mut times = Vec::with_capacity(CALLS);
    for amount in 0..CALLS {
        let args = json!({"name": "bank.transfer", "args": {
            "amount": amount % 1000, "currency": "EUR", "to": "somebody", "note": "for the tea",
        }});
        let call =
            HostCall { namespace: Namespace::Tools, op: "call".to_owned(), args: args.into() };
        let begun = Instant::now();
        chain.call(call).await?;
        times.push(begun.elapsed().as_nanos() as f64 / 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get(CALLS * percent / 100).copied().unwrap_or_default();
    Ok([at(50), at(95), at(99)])
}
