//! Approvals that hold for one call and nothing else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pcm_middleware::{
    Action, ApprovalEvent, ApprovalLayer, ApprovalMode, ApprovalOptions, ApprovalRequest,
    Approvals, Approver, AuditLog, Caller, Chain, MiddlewareError, Outcome, Policy, PolicyLayer,
    Rule,
};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload, ValueType};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Echo, TestResult, Written, call, chain, kind, message, tool};

const VALID: Duration = Duration::from_mins(5);

fn waiting() -> (Approvals, Arc<Chain>, Arc<Echo>) {
    with(ApprovalOptions::default())
}

fn deferred() -> (Approvals, Arc<Chain>, Arc<Echo>) {
    with(ApprovalOptions::default().mode(ApprovalMode::Defer))
}

fn with(options: ApprovalOptions) -> (Approvals, Arc<Chain>, Arc<Echo>) {
    let approvals = Approvals::new(options.valid(VALID));
    let layer = PolicyLayer::new(Arc::new(Policy::new(Action::Ask))).approvals(approvals.clone());
    let (chain, port) = chain(vec![Arc::new(layer)]);
    (approvals, chain, port)
}

type Running = JoinHandle<Result<Payload, HostError>>;

async fn start(chain: &Arc<Chain>, call: HostCall) -> Running {
    let chain = Arc::clone(chain);
    let running = tokio::spawn(async move { chain.call(call).await });
    tokio::task::yield_now().await;
    running
}

fn pay(amount: i64) -> HostCall {
    tool("pay", json!({"amount": amount, "to": "x"}))
}

fn only(approvals: &Approvals) -> Result<ApprovalRequest, String> {
    let mut pending = approvals.pending();
    let count = pending.len();
    pending.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} pending"))
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_approval() -> TestResult {
    let (approvals, chain, port) = waiting();
    let running = start(&chain, pay(5)).await;
    let request = only(&approvals)?;
    assert_eq!(
        (request.name.as_str(), &request.args.value),
        ("tools.pay", &json!({"amount": 5, "to": "x"}))
    );
    assert_eq!((request.session_id.as_str(), request.id.len()), ("s-1", 32));
    assert_eq!(port.count(), 0);
    approvals.approve(&request.id)?;
    running.await??;
    assert_eq!(port.calls(), [pay(5)]);
    assert!(approvals.pending().is_empty());
    let again = approvals.approve(&request.id);
    assert!(matches!(again, Err(MiddlewareError::NoSuchApproval { .. })));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_has_a_reason() -> TestResult {
    let (approvals, chain, port) = waiting();
    let running = start(&chain, pay(5)).await;
    approvals.reject(&only(&approvals)?.id, "too much")?;
    let answer = running.await?;
    assert_eq!(kind(&answer), "ApprovalRejected");
    assert_eq!(message(answer), "tools.pay was not approved: too much");
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() -> TestResult {
    let (approvals, chain, port) = waiting();
    let running = start(&chain, pay(5)).await;
    let request = only(&approvals)?;
    tokio::time::sleep(VALID + Duration::from_secs(1)).await;
    assert_eq!(kind(&running.await?), "ApprovalExpired");
    assert!(approvals.approve(&request.id).is_err());
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_leaves_nothing_open() -> TestResult {
    let (approvals, chain, port) = waiting();
    let mut events = approvals.subscribe();
    let running = start(&chain, pay(5)).await;
    let request = only(&approvals)?;
    running.abort();
    assert!(running.await.is_err());
    assert!(approvals.pending().is_empty());
    assert!(approvals.approve(&request.id).is_err());
    assert!(matches!(events.recv().await?, ApprovalEvent::Requested(_)));
    assert!(matches!(events.recv().await?, ApprovalEvent::Expired(_)));
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn edited_arguments_are_judged_again() -> TestResult {
    let approvals = Approvals::new(ApprovalOptions::default());
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Deny, ["tools.pay"])?.when("amount > 1000")?)
        .rule(Rule::new(Action::Ask, ["tools.pay"])?);
    let layer = PolicyLayer::new(Arc::new(policy)).approvals(approvals.clone());
    let (chain, port) = chain(vec![Arc::new(layer)]);

    let running = start(&chain, pay(500)).await;
    approvals.approve_with_args(&only(&approvals)?.id, json!({"amount": 5}).into())?;
    running.await??;
    assert_eq!(port.calls(), [tool("pay", json!({"amount": 5}))]);

    let running = start(&chain, pay(500)).await;
    approvals.approve_with_args(&only(&approvals)?.id, json!({"amount": 5000}).into())?;
    assert_eq!(kind(&running.await?), "PolicyDenied");
    assert_eq!(port.count(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deferred_approval_is_for_one_call() -> TestResult {
    let (approvals, chain, port) = deferred();
    let refused = chain.call(pay(5)).await;
    assert_eq!(kind(&refused), "ApprovalRequired");
    let request = only(&approvals)?;
    let text = message(refused);
    assert!(text.contains(request.reference()) && !text.contains(&request.id), "{text}");
    // The same call does not ask twice.
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    assert_eq!(only(&approvals)?.id, request.id);

    approvals.approve(&request.id)?;
    // With the keys in another order: it is the same call.
    let same = tool("pay", json!({"to": "x", "amount": 5}));
    assert_eq!(kind(&chain.call(same).await), "ok");
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired", "it was used");
    assert_eq!(port.count(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_for_these_arguments_of_this_session() -> TestResult {
    let (approvals, chain, port) = deferred();
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    approvals.approve(&only(&approvals)?.id)?;
    let mut typed = tool("pay", json!({"amount": "5", "to": "x"}));
    typed.args.types.insert("/args/amount".to_owned(), ValueType::Int);
    for other in [
        pay(6),
        tool("pay", json!({"amount": 5.0, "to": "x"})),
        tool("pay", json!({"amount": "5", "to": "x"})),
        tool("pay", json!({"amount": 5, "to": "y"})),
        tool("pay", json!({"amount": 5, "to": "x", "more": null})),
        tool("pay.now", json!({"amount": 5, "to": "x"})),
        tool("Pay", json!({"amount": 5, "to": "x"})),
        // An operation of the same name as the tool.
        call(Namespace::Tools, "pay", json!({"amount": 5, "to": "x"})),
        typed,
    ] {
        assert_eq!(kind(&chain.call(other.clone()).await), "ApprovalRequired", "{other:?}");
    }
    let stranger = Arc::new(Caller::sandbox("s-2", "test"));
    assert_eq!(kind(&chain.call_as(stranger, pay(5)).await), "ApprovalRequired");
    assert_eq!(port.count(), 0);
    assert_eq!(kind(&chain.call(pay(5)).await), "ok");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn deferred_requests_and_approvals_expire() -> TestResult {
    let (approvals, chain, port) = deferred();
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    let request = only(&approvals)?;
    tokio::time::advance(VALID).await;
    assert!(approvals.approve(&request.id).is_err());
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    approvals.approve(&only(&approvals)?.id)?;
    tokio::time::advance(VALID).await;
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn deferred_answers_may_edit_and_refuse() -> TestResult {
    let (approvals, chain, port) = deferred();
    chain.call(pay(5)).await.err().ok_or("not deferred")?;
    approvals.approve_with_args(&only(&approvals)?.id, json!({"amount": 1}).into())?;
    chain.call(pay(5)).await?;
    assert_eq!(port.calls(), [tool("pay", json!({"amount": 1}))]);
    chain.call(pay(5)).await.err().ok_or("not deferred")?;
    approvals.reject(&only(&approvals)?.id, "no")?;
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRejected");
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deferred_call_counts_once() -> TestResult {
    let approvals = Approvals::new(ApprovalOptions::default().mode(ApprovalMode::Defer));
    let rule = Rule::new(Action::Ask, ["tools.pay"])?.max_calls(1);
    let policy = Arc::new(Policy::new(Action::Deny).rule(rule));
    let layer = PolicyLayer::new(policy).approvals(approvals.clone());
    let (chain, _) = chain(vec![Arc::new(layer)]);
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    approvals.approve(&only(&approvals)?.id)?;
    assert_eq!(kind(&chain.call(pay(5)).await), "ok");
    assert_eq!(kind(&chain.call(pay(5)).await), "LimitExceeded");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn there_are_not_too_many_at_a_time() -> TestResult {
    let options = ApprovalOptions::default().mode(ApprovalMode::Defer).max_open(3, 2);
    let (approvals, chain, _) = with(options.max_args_bytes(1000));
    for amount in 0..2 {
        assert_eq!(kind(&chain.call(pay(amount)).await), "ApprovalRequired");
    }
    assert_eq!(kind(&chain.call(pay(2)).await), "LimitExceeded");
    // Approvals that nobody used count too.
    for request in approvals.pending() {
        approvals.approve(&request.id)?;
    }
    assert_eq!(kind(&chain.call(pay(2)).await), "LimitExceeded");
    let other = Arc::new(Caller::sandbox("s-2", "test"));
    assert_eq!(kind(&chain.call_as(Arc::clone(&other), pay(1)).await), "ApprovalRequired");
    assert_eq!(kind(&chain.call_as(other, pay(2)).await), "LimitExceeded");
    approvals.close_session("s-1");
    assert_eq!(kind(&chain.call(pay(0)).await), "ApprovalRequired", "its approval is gone");
    let long = tool("pay", json!({"text": "x".repeat(1000)}));
    assert_eq!(kind(&chain.call(long).await), "LimitExceeded");
    Ok(())
}

/// Approves what costs little.
#[derive(Debug)]
struct Frugal;

#[async_trait]
impl Approver for Frugal {
    async fn decide(&self, request: &ApprovalRequest) -> Outcome {
        match request.args.value["amount"].as_i64() {
            Some(..10) => Outcome::Approve,
            Some(..100) => Outcome::ApproveWith(json!({"amount": 9}).into()),
            Some(..1000) => Outcome::Reject("too much".to_owned()),
            _ => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_approver_decides_on_its_own() -> TestResult {
    let (approvals, chain, port) = with(ApprovalOptions::default().approver(Arc::new(Frugal)));
    chain.call(pay(5)).await?;
    chain.call(pay(50)).await?;
    assert_eq!(port.calls(), [pay(5), tool("pay", json!({"amount": 9}))]);
    assert_eq!(kind(&chain.call(pay(500)).await), "ApprovalRejected");
    // It thinks for too long.
    assert_eq!(kind(&chain.call(pay(5000)).await), "ApprovalExpired");
    // Somebody else is faster.
    let running = start(&chain, pay(5000)).await;
    approvals.approve(&only(&approvals)?.id)?;
    assert_eq!(kind(&running.await?), "ok");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn everything_is_recorded() -> TestResult {
    let written = Written::default();
    let options = ApprovalOptions::default().audit(AuditLog::writer(written.clone()));
    let (approvals, chain, _) = with(options.mode(ApprovalMode::Defer));
    for settle in [Approvals::approve, |approvals: &Approvals, id: &str| approvals.reject(id, "no")]
    {
        chain.call(pay(5)).await.err().ok_or("not deferred")?;
        settle(&approvals, &only(&approvals)?.id)?;
        let _ = chain.call(pay(5)).await;
    }
    chain.call(pay(5)).await.err().ok_or("not deferred")?;
    let id = only(&approvals)?.id;
    tokio::time::advance(VALID).await;
    assert!(approvals.pending().is_empty());
    assert_eq!(
        written.events()?,
        [
            "approval.requested",
            "approval.approved",
            "approval.requested",
            "approval.rejected",
            "approval.requested",
            "approval.expired",
        ]
    );
    let lines = written.lines()?;
    assert_eq!(lines[0]["args_sha256"], lines[1]["args_sha256"]);
    assert_eq!(lines[3]["reason"], "no");
    assert!(!String::from_utf8(written.bytes())?.contains(&id));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_is_not_approved() -> TestResult {
    let broken = AuditLog::callback(|line| {
        let is_fine = line.contains("approval.requested");
        if is_fine { Ok(()) } else { Err(std::io::ErrorKind::StorageFull.into()) }
    });
    let options = ApprovalOptions::default().mode(ApprovalMode::Defer).audit(broken);
    let (approvals, chain, port) = with(options);
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    let id = only(&approvals)?.id;
    assert!(matches!(approvals.approve(&id), Err(MiddlewareError::AuditWrite(_))));
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalRequired");
    assert_eq!(port.count(), 0);

    let broken = AuditLog::callback(|_| Err(std::io::ErrorKind::StorageFull.into()));
    let (approvals, chain, _) = with(ApprovalOptions::default().audit(broken));
    assert_eq!(kind(&chain.call(pay(5)).await), "ApprovalUnavailable");
    assert!(approvals.pending().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_layer_asks_by_name() -> TestResult {
    let approvals = Approvals::new(ApprovalOptions::default().mode(ApprovalMode::Defer));
    let layer = ApprovalLayer::new(approvals.clone(), vec!["tools.pay.**".parse()?]);
    let (chain, _) = chain(vec![Arc::new(layer)]);
    assert_eq!(kind(&chain.call(tool("echo", json!({}))).await), "ok");
    assert_eq!(kind(&chain.call(tool("pay.now", json!({}))).await), "ApprovalRequired");
    let odd = call(Namespace::Tools, "call", json!({"name": "pay.now"}));
    assert_eq!(kind(&chain.call(odd).await), "ApprovalRequired");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn requests_show_nothing_in_their_debug_form() -> TestResult {
    let (approvals, chain, _) = deferred();
    chain.call(tool("pay", json!({"note": "hunter22"}))).await.err().ok_or("not deferred")?;
    let request = only(&approvals)?;
    let text = format!("{request:?} {approvals:?}");
    assert!(!text.contains("hunter22") && !text.contains(&request.id), "{text}");
    let json = serde_json::to_value(&request)?;
    assert_eq!(json["args"]["value"]["note"], "hunter22");
    assert!(json["expires"].as_str().is_some_and(|at| at.ends_with('Z')));
    Ok(())
}
