//! Who may call what: a policy with conditions, a person who approves, a log of all calls, and a
//! layer of one's own.
//!
//! `cargo run --example middleware`

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;

use pcm_sandbox::middleware::{
    Action, ApprovalOptions, ApprovalRequest, Approvals, Approver, AuditLayer, AuditLog,
    CallContext, Layer, Next, Outcome, Policy, PolicyLayer, Rule,
};
use pcm_sandbox::{HostError, Payload, Session, json};

/// Says yes to small sums. A real one asks somebody.
#[derive(Debug)]
struct Clerk;

#[async_trait::async_trait]
impl Approver for Clerk {
    async fn decide(&self, request: &ApprovalRequest) -> Outcome {
        match request.args.value["amount"].as_i64() {
            Some(amount) if amount <= 5000 => Outcome::Approve,
            _ => Outcome::Reject("that is too much".to_owned()),
        }
    }
}

/// Ten lines are a layer: this one rewrites what is sent.
#[derive(Debug)]
struct InCents;

#[async_trait::async_trait]
impl Layer for InCents {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        if let Some(amount) = context.args.value.get_mut("amount") {
            *amount = json!(amount.as_i64().unwrap_or(0) * 100);
        }
        next.run(context).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("audit.jsonl");

    let approvals = Approvals::new(ApprovalOptions::default().approver(Arc::new(Clerk)));
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["tools.pay"])?.when("amount <= 1000")?)
        .rule(Rule::new(Action::Ask, ["tools.pay"])?.reason("it is a large sum"));

    // The first layer is the outermost: what is refused is in the log too.
    let session =
        Session::builder()
            .tool("pay", "Pays a sum", |args| async move {
                Ok(json!(format!("paid {}", args["amount"])))
            })
            .layer(Arc::new(AuditLayer::new(AuditLog::file(&log)?)))
            .layer(Arc::new(PolicyLayer::new(Arc::new(policy)).approvals(approvals)))
            .layer(Arc::new(InCents))
            .start()
            .await?;

    let code = "
def pay(amount):
    try:
        return tools.pay(amount=amount)
    except ToolError as error:
        return error.message
[pay(10), pay(2000), pay(9000)]";
    let result = session.run(code).await;
    for outcome in result.value.as_array().into_iter().flatten() {
        println!("{outcome}");
    }
    assert_eq!(result.value[0], json!("paid 1000"));
    assert_eq!(result.value[1], json!("paid 200000"));

    // No rule allows artifacts.
    let refused = session.run("artifacts.save('x', 1)").await.error;
    println!("{}", refused.as_ref().map_or("it was saved", |error| &error.message));
    assert!(refused.is_some());
    println!("{} lines in the log", std::fs::read_to_string(&log)?.lines().count());
    Ok(())
}
