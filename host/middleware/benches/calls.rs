//! What the layers around a port cost a call: none, a policy, an audit log, both; and a decision by itself.
//!
//! `./x bench micro policy`

#![expect(clippy::expect_used, reason = "a program for people")]

use std::hint::black_box;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use divan::Bencher;
use pcm_middleware::{
    Action, AuditLayer, AuditLog, Caller, Chain, Layer, Policy, PolicyLayer, Rule,
};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload};
use serde_json::json;
use tokio::runtime::Builder;

fn main() {
    divan::main();
}

/// Answers with the arguments.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}

fn call() -> HostCall {
    let args =
        json!({"name": "web.fetch", "args": {"url": "https://example.org/page", "limit": 10}});
    HostCall { namespace: Namespace::Tools, op: "call".to_owned(), args: args.into() }
}

/// Twenty rules of which the last one allows the call, and some look at its arguments.
fn policy() -> Policy {
    let rule = |action, name: String| Rule::new(action, [name.as_str()]).expect("a rule");
    let denied = (0..18).map(|number| rule(Action::Deny, format!("tools.program{number}.*")));
    let guarded = rule(Action::Deny, "tools.web.*".to_owned());
    let guarded = guarded.when("limit > 1000").expect("a condition");
    let allowed = rule(Action::Allow, "tools.*".to_owned());
    denied.chain([guarded, allowed]).fold(Policy::new(Action::Deny), Policy::rule)
}

fn through(bencher: Bencher<'_, '_>, layers: Vec<Arc<dyn Layer>>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let chain = Chain::new(Arc::new(Echo), Caller::sandbox("session", "wasm"), layers);
    bencher
        .with_inputs(call)
        .bench_local_values(|call| runtime.block_on(chain.call(black_box(call))).is_ok());
}

fn audit() -> Arc<dyn Layer> {
    Arc::new(AuditLayer::new(AuditLog::writer(io::sink())))
}

fn policed() -> Arc<dyn Layer> {
    Arc::new(PolicyLayer::new(Arc::new(policy())))
}

#[divan::bench]
fn call_without_layers(bencher: Bencher<'_, '_>) {
    through(bencher, vec![]);
}

#[divan::bench]
fn call_through_policy(bencher: Bencher<'_, '_>) {
    through(bencher, vec![policed()]);
}

#[divan::bench]
fn call_through_audit(bencher: Bencher<'_, '_>) {
    through(bencher, vec![audit()]);
}

#[divan::bench]
fn call_through_audit_and_policy(bencher: Bencher<'_, '_>) {
    through(bencher, vec![audit(), policed()]);
}

/// The last of twenty rules decides.
#[divan::bench]
fn policy_decision(bencher: Bencher<'_, '_>) {
    let policy = policy();
    let args = Payload::from(json!({"url": "https://example.org/page", "limit": 10}));
    bencher.bench_local(|| {
        black_box(policy.decide(black_box("tools.web.fetch"), black_box(&args)));
    });
}
