//! Rules, limits, and ways around them that there must not be.

use std::sync::Arc;
use std::time::Duration;

use pcm_middleware::{Action, Policy, PolicyLayer, Rule, TimeoutLayer, layer_fn};
use pcm_runtime_api::{HostPort, Namespace, Payload, ValueType};
use serde_json::{Value, json};

use crate::support::{TestResult, call, chain, kind, message, tool};

fn layer(policy: Policy) -> Arc<PolicyLayer> {
    Arc::new(PolicyLayer::new(Arc::new(policy)))
}

#[tokio::test]
async fn the_first_rule_that_applies_decides() -> TestResult {
    let policy = Policy::new(Action::Deny)
        .rule(
            Rule::new(Action::Deny, ["tools.mail.*"])?
                .when("to contains \"@evil\"")?
                .named("no evil"),
        )
        .rule(Rule::new(Action::Allow, ["tools.mail.*", "artifacts.**"])?)
        .rule(Rule::new(Action::Deny, ["**"])?.reason("nothing else is needed"));
    let (chain, port) = chain(vec![layer(policy)]);
    let send = |to: &str| tool("mail.send", json!({"to": to}));
    assert_eq!(kind(&chain.call(send("a@example.org")).await), "ok");
    let refused = chain.call(send("a@evil.example")).await;
    assert_eq!(kind(&refused), "PolicyDenied");
    assert_eq!(message(refused), "tools.mail.send is refused: rule \"no evil\" denies it");
    let saved =
        chain.call(call(Namespace::Artifacts, "save", json!({"name": "x", "data": 1}))).await;
    assert_eq!(kind(&saved), "ok");
    let text = message(chain.call(tool("mail", json!({}))).await);
    assert_eq!(text, "tools.mail is refused: rule 3 denies it: nothing else is needed");
    assert_eq!(port.count(), 2);
    Ok(())
}

#[tokio::test]
async fn leaving_something_out_lets_nothing_through() -> TestResult {
    let allowing = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["tools.pay"])?.when("amount <= 1000")?.named("small"));
    let (allow, port) = chain(vec![layer(allowing)]);
    let denying = Policy::new(Action::Allow)
        .rule(Rule::new(Action::Deny, ["tools.pay"])?.when("amount > 1000")?);
    let (deny, other_port) = chain(vec![layer(denying)]);
    let typed = |text: &str, kind| {
        let mut call = tool("pay", json!({"amount": text}));
        call.args.types.insert("/args/amount".to_owned(), kind);
        call
    };
    let attempts = [
        tool("pay", json!({})),
        tool("pay", json!({"Amount": 1})),
        tool("pay", json!({"amount": null})),
        tool("pay", json!({"amount": "1"})),
        tool("pay", json!({"amount": [1]})),
        tool("pay", json!({"amount": {"amount": 1}})),
        tool("pay", json!({"amount": true})),
        tool("pay", json!({"amount": 1001})),
        tool("pay", json!({"amount": 1000.5})),
        tool("pay", json!({"amount": u64::MAX})),
        typed("NaN", ValueType::Float),
        typed("Infinity", ValueType::Float),
        typed("9".repeat(5000).as_str(), ValueType::Int),
        typed(&format!("0x{}", "f".repeat(100_000)), ValueType::Int),
        typed("1_0", ValueType::Int),
        typed("1", ValueType::Decimal),
        typed("MQ==", ValueType::Bytes),
    ];
    for call in attempts {
        assert_eq!(kind(&allow.call(call.clone()).await), "PolicyDenied", "allowed {call:?}");
        assert_eq!(kind(&deny.call(call.clone()).await), "PolicyDenied", "not denied {call:?}");
    }
    assert_eq!((port.count(), other_port.count()), (0, 0));
    let fine = tool("pay", json!({"amount": 1000}));
    assert_eq!(kind(&allow.call(fine.clone()).await), "ok");
    assert_eq!(kind(&deny.call(fine).await), "ok");
    let text = message(allow.call(tool("pay", json!({}))).await);
    assert!(text.ends_with("rule \"small\" does not apply: amount is missing"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_frame_that_two_could_read_differently_is_refused() -> TestResult {
    let policy = Policy::new(Action::Allow).rule(Rule::new(Action::Deny, ["tools.shell**"])?);
    let (chain, port) = chain(vec![layer(policy)]);
    let with_type = |pointer: &str, args: Value| {
        let mut call = tool("echo", args);
        call.args.types.insert(pointer.to_owned(), ValueType::Int);
        call
    };
    for call in [
        call(Namespace::Tools, "call", json!({"name": "shell.run"})),
        call(Namespace::Tools, "call", json!({"name": "shell.run", "args": null})),
        call(Namespace::Tools, "call", json!({"name": "shell.run", "args": {}, "x": 1})),
        call(Namespace::Tools, "call", json!({"name": ["shell.run"], "args": {}})),
        call(Namespace::Tools, "call", json!(["shell.run"])),
        call(Namespace::Tools, "call", json!({"name": "x".repeat(100_000), "args": {}})),
        // An operation that could be taken for a tool.
        call(Namespace::Tools, "shell.run", json!({})),
        call(Namespace::Artifacts, "", json!({})),
        // Tools that could be taken for operations.
        tool("list", json!({})),
        tool("call", json!({})),
        tool("search", json!({})),
        // Types that the port could see at another place than the policy.
        with_type("/args/a/00", json!({"a": ["1"]})),
        with_type("/args/a~b", json!({"a~b": "1"})),
        with_type("/args/a", json!({"a": 1})),
        with_type("/args/b", json!({"a": "1"})),
        with_type("/name", json!({"a": "1"})),
    ] {
        assert_eq!(kind(&chain.call(call.clone()).await), "PolicyDenied", "{call:?}");
    }
    assert_eq!(port.count(), 0);
    assert_eq!(kind(&chain.call(call(Namespace::Tools, "list", json!({}))).await), "ok");
    assert_eq!(kind(&chain.call(with_type("/args/a", json!({"a": "1"}))).await), "ok");
    Ok(())
}

#[tokio::test]
async fn names_are_matched_as_they_are() -> TestResult {
    let policy = Policy::new(Action::Deny).rule(Rule::new(Action::Allow, ["tools.echo.*"])?);
    let (chain, _) = chain(vec![layer(policy)]);
    for name in
        ["Echo.say", "echo", "echo .say", "echo.a.b", "eсho.say", "echo\u{200b}.say", ".echo.x"]
    {
        assert_eq!(kind(&chain.call(tool(name, json!({}))).await), "PolicyDenied", "{name:?}");
    }
    assert_eq!(kind(&chain.call(tool("echo.say", json!({}))).await), "ok");
    Ok(())
}

#[tokio::test]
async fn calls_are_counted_by_rule_and_in_all() -> TestResult {
    let policy = Policy::new(Action::Allow)
        .max_calls(6)
        .rule(Rule::new(Action::Allow, ["tools.a"])?.max_calls(2).named("two of a"))
        .rule(Rule::new(Action::Deny, ["tools.never"])?.max_calls(1));
    let (chain, port) = chain(vec![layer(policy)]);
    let go = async |name: &str| kind(&chain.call(tool(name, json!({}))).await).to_owned();
    assert_eq!([go("a").await, go("a").await], ["ok", "ok"]);
    let third = message(chain.call(tool("a", json!({}))).await);
    assert_eq!(third, "tools.a is refused: rule \"two of a\" allows 2 calls in a session");
    assert_eq!(go("never").await, "PolicyDenied");
    assert_eq!([go("b").await, go("b").await, go("b").await], ["ok", "ok", "LimitExceeded"]);
    assert_eq!(port.count(), 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_do_not_get_more() -> TestResult {
    let rule = Rule::new(Action::Allow, ["tools.a"])?.max_calls(10);
    let (chain, port) = chain(vec![layer(Policy::new(Action::Deny).rule(rule))]);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let chain = Arc::clone(&chain);
            tokio::spawn(async move { chain.call(tool("a", json!({}))).await.is_ok() })
        })
        .collect();
    let mut passed = 0;
    for call in calls {
        passed += usize::from(call.await?);
    }
    assert_eq!((passed, port.count()), (10, 10));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_rate_comes_back_with_time() -> TestResult {
    let rule = Rule::new(Action::Allow, ["tools.a"])?.rate("2/min".parse()?);
    let (chain, _) = chain(vec![layer(Policy::new(Action::Deny).rule(rule))]);
    let go = async || kind(&chain.call(tool("a", json!({}))).await).to_owned();
    assert_eq!([go().await, go().await, go().await], ["ok", "ok", "LimitExceeded"]);
    let text = message(chain.call(tool("a", json!({}))).await);
    assert_eq!(text, "tools.a is refused: rule 1 allows 2/min; try again in 30.0 s");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!([go().await, go().await], ["ok", "LimitExceeded"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_rule_bounds_the_time_of_its_calls() -> TestResult {
    let rule = Rule::new(Action::Allow, ["tools.a"])?.timeout(Duration::from_secs(3));
    let slow = layer_fn(|_, _| Box::pin(std::future::pending()));
    let timeout = Arc::new(TimeoutLayer::new(Some(Duration::from_mins(1))));
    let (chain, _) = chain(vec![layer(Policy::new(Action::Deny).rule(rule)), timeout, slow]);
    let text = message(chain.call(tool("a", json!({}))).await);
    assert_eq!(text, "tools.a took longer than 3 s");
    Ok(())
}

#[tokio::test]
async fn without_anybody_to_ask_the_answer_is_no() -> TestResult {
    let (chain, port) = chain(vec![layer(Policy::new(Action::Ask))]);
    let answer = chain.call(tool("a", json!({}))).await;
    assert_eq!(kind(&answer), "PolicyDenied");
    assert!(message(answer).ends_with("this session has nobody to ask"));
    assert_eq!(port.count(), 0);
    Ok(())
}

#[tokio::test]
async fn what_was_judged_is_what_the_port_gets() -> TestResult {
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["tools.read"])?.when("path within \"data\"")?);
    let (chain, port) = chain(vec![layer(policy)]);
    let mut frame = tool("read", json!({"path": "./data/../data/x", "n": 1}));
    frame.args.types.insert("/args/path".to_owned(), ValueType::Path);
    chain.call(frame.clone()).await?;
    assert_eq!(port.calls(), [frame]);
    Ok(())
}

#[test]
fn a_decision_explains_itself() -> TestResult {
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["tools.pay"])?.when("amount <= 10")?.named("pocket money"))
        .rule(Rule::new(Action::Ask, ["tools.pay"])?.when("amount <= 1000")?);
    let explain = |args: Value| policy.decide("tools.pay", &Payload::from(args)).to_string();
    assert_eq!(explain(json!({"amount": 5})), "rule \"pocket money\" allows it");
    assert_eq!(
        explain(json!({"amount": 50})),
        "rule 2 asks for approval of it; rule \"pocket money\" does not apply: its condition is not met"
    );
    assert_eq!(
        explain(json!({})),
        "rule 2 asks for approval of it, because `amount is missing`; rule \"pocket money\" does not \
         apply: amount is missing"
    );
    assert_eq!(
        explain(json!({"amount": 5000})),
        "no rule applies, and the default denies it; rule \"pocket money\" does not apply: its \
         condition is not met; rule 2 does not apply: its condition is not met"
    );
    Ok(())
}
