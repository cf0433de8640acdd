//! What stands between a sandbox and its host.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pcm_middleware::{
    Action, ApprovalOptions, Approvals, AuditLayer, AuditLog, CallContext, Layer, Next, Policy,
    PolicyLayer, Rule, layer_fn,
};
use pcm_runtime_api::{HostError, Namespace, Payload, ValueType};
use pcm_session::{Host, SessionError};
use serde_json::json;

use super::support::{TestResult, World, Written, call, gather, kind, object, tools};

/// Writes its name, the call and who makes it on the way in, and its name on the way out.
#[derive(Debug, Clone)]
struct Watcher {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Watcher {
    fn new(name: &'static str) -> Self {
        Self { name, seen: Arc::default() }
    }

    fn named(&self, name: &'static str) -> Self {
        Self { name, seen: Arc::clone(&self.seen) }
    }

    fn layer(&self) -> Arc<dyn Layer> {
        Arc::new(self.clone())
    }

    fn note(&self, line: String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Layer for Watcher {
    async fn call(&self, context: &mut CallContext, next: Next<'_>) -> Result<Payload, HostError> {
        self.note(format!("{} < {} {}", self.name, context.full_name(), context.caller().origin));
        let answer = next.run(context).await;
        self.note(format!("{} > {}", self.name, kind(&answer)));
        answer
    }
}

fn deny(tool: &'static str) -> Arc<dyn Layer> {
    layer_fn(move |context, next| {
        Box::pin(async move {
            if context.full_name() == tool {
                return Err(HostError::new("PermissionError", format!("{tool} is not for you")));
            }
            next.run(context).await
        })
    })
}

fn shout() -> Arc<dyn Layer> {
    layer_fn(|context, next| {
        Box::pin(async move {
            if let Some(text) = context.args.value.get_mut("text") {
                *text = text.as_str().unwrap_or_default().to_uppercase().into();
            }
            next.run(context).await
        })
    })
}

#[tokio::test]
async fn a_layer_sees_echo_say_on_the_way_in_and_out() -> TestResult {
    let (tools, heard) = tools()?;
    let watcher = Watcher::new("one");
    let world = World::start(Host::new().own_tools(tools).layers([watcher.layer()])).await?;
    assert_eq!(world.tool("echo.say", json!({"text": "hi"})).await?, json!("hi"));
    assert_eq!(watcher.seen(), ["one < echo.say sandbox", "one > ok"]);
    assert_eq!(heard.all(), [json!({"text": "hi"})]);
    Ok(())
}

#[tokio::test]
async fn a_layer_rewrites_what_the_tool_gets() -> TestResult {
    let (tools, heard) = tools()?;
    let world = World::start(Host::new().own_tools(tools).layers([shout()])).await?;
    assert_eq!(world.tool("echo.say", json!({"text": "hi"})).await?, json!("HI"));
    assert_eq!(heard.all(), [json!({"text": "HI"})]);
    Ok(())
}

#[tokio::test]
async fn a_layer_that_denies_keeps_the_tool_from_running() -> TestResult {
    let (tools, heard) = tools()?;
    let world = World::start(Host::new().own_tools(tools).layers([deny("echo.say")])).await?;
    let answer = world.tool("echo.say", json!({"text": "hi"})).await;
    assert_eq!(answer, Err(HostError::new("PermissionError", "echo.say is not for you")));
    assert_eq!(heard.all(), Vec::<serde_json::Value>::new());
    assert_eq!(world.tool("anything", json!({})).await?, json!({}));
    Ok(())
}

#[tokio::test]
async fn the_first_layer_is_the_outermost_and_replacing_replaces_all() -> TestResult {
    let (tools, _) = tools()?;
    let one = Watcher::new("one");
    let (two, three) = (one.named("two"), one.named("three"));
    let host = Host::new().own_tools(tools).layers([one.layer(), two.layer()]);
    let world = World::start(host).await?;
    world.tool("anything", json!({})).await?;
    assert_eq!(
        one.seen(),
        ["one < anything sandbox", "two < anything sandbox", "two > ok", "one > ok"]
    );
    world.session.replace_layers([three.layer()]);
    world.tool("anything", json!({})).await?;
    assert_eq!(one.seen(), ["three < anything sandbox", "three > ok"]);
    world.session.replace_layers([]);
    world.tool("anything", json!({})).await?;
    assert_eq!(one.seen(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn every_namespace_passes_the_layers() -> TestResult {
    let (tools, _) = tools()?;
    let watcher = Watcher::new("one");
    let world = World::start(Host::new().own_tools(tools).layers([watcher.layer()])).await?;
    for namespace in [
        Namespace::Tools,
        Namespace::Workflows,
        Namespace::Artifacts,
        Namespace::Deps,
        Namespace::Network,
    ] {
        for op in ["list", "no_such_operation"] {
            let answer = world.ask(namespace, op, json!({})).await;
            let ended = format!("one > {}", kind(&answer));
            assert_eq!(watcher.seen(), [format!("one < {namespace}.{op} sandbox"), ended]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_host_s_own_calls_of_tools_pass_the_layers_too_and_say_so() -> TestResult {
    let (tools, _) = tools()?;
    let watcher = Watcher::new("one");
    let layers = [watcher.layer(), deny("anything"), shout()];
    let world = World::start(Host::new().own_tools(tools).layers(layers)).await?;
    let args = object(&json!({"text": "hi"}));
    assert_eq!(world.session.call_tool("echo.say", args).await?.value, json!("HI"));
    assert_eq!(watcher.seen(), ["one < echo.say host", "one > ok"]);
    let refused = world.session.call_tool("anything", object(&json!({}))).await.err();
    assert!(matches!(refused, Some(SessionError::Host(_))), "{refused:?}");
    let unknown = world.session.call_tool("no.such", object(&json!({}))).await.err();
    let unknown = unknown.map(|error| error.to_string()).unwrap_or_default();
    assert!(unknown.contains("no.such"), "{unknown}");
    Ok(())
}

/// Everything about tools is refused, except `echo.say` to a friend.
fn policy() -> Result<Arc<dyn Layer>, Box<dyn std::error::Error>> {
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["tools.echo.say"])?.when("text == \"friend\"")?);
    Ok(Arc::new(PolicyLayer::new(Arc::new(policy))))
}

#[tokio::test]
async fn no_other_shape_of_a_call_gets_past_a_policy() -> TestResult {
    let (tools, heard) = tools()?;
    let world = World::start(Host::new().own_tools(tools).layers([policy()?])).await?;
    let friend = json!({"text": "friend"});
    assert_eq!(world.tool("echo.say", friend.clone()).await?, json!("friend"));
    let typed = |pointer: &str, kind| {
        Payload::from(json!({"name": "echo.say", "args": friend})).with_type(pointer, kind)
    };
    for args in [
        // Names that only look like the one that is allowed.
        json!({"name": "anything", "args": friend}).into(),
        json!({"name": "Echo.say", "args": friend}).into(),
        json!({"name": "echo.say ", "args": friend}).into(),
        json!({"name": "echo.say\0", "args": friend}).into(),
        json!({"name": "echo\u{200b}.say", "args": friend}).into(),
        json!({"name": "echo.say.twice", "args": friend}).into(),
        json!({"name": "echo..say", "args": friend}).into(),
        json!({"name": "ＥＣＨＯ.say", "args": friend}).into(),
        // Frames of another shape.
        json!({"name": "echo.say", "args": friend, "timeout": 5}).into(),
        json!({"name": ["echo.say"], "args": friend}).into(),
        json!({"name": "echo.say"}).into(),
        json!([["name", "echo.say"]]).into(),
        // Types that would make something else of what the rule compared.
        typed("/args/text", ValueType::Bytes),
        typed("/args/text", ValueType::Decimal),
        typed("/name", ValueType::Path),
        typed("", ValueType::Path),
        // Arguments that only come close.
        json!({"name": "echo.say", "args": {"text": "FRIEND"}}).into(),
        json!({"name": "echo.say", "args": {"text": ["friend"]}}).into(),
        json!({"name": "echo.say", "args": {"text": null}}).into(),
        json!({"name": "echo.say", "args": {}}).into(),
    ] {
        let answer = world.call(call(Namespace::Tools, "call", Payload::clone(&args))).await;
        assert_eq!(kind(&answer), "PolicyDenied", "{args:?} {answer:?}");
    }
    for op in ["list", "stubs", "search", "list_recipes", "echo.say", "call.echo.say"] {
        let answer = world.ask(Namespace::Tools, op, json!({"name": "echo", "query": ""})).await;
        assert_eq!(kind(&answer), "PolicyDenied", "{op}");
    }
    assert_eq!(heard.all(), [friend]);
    Ok(())
}

#[tokio::test]
async fn a_tool_that_is_denied_has_no_other_name() -> TestResult {
    let (tools, heard) = tools()?;
    let policy = Policy::new(Action::Allow)
        .rule(Rule::new(Action::Deny, ["tools.echo.say", "tools.anything"])?);
    let layer: Arc<dyn Layer> = Arc::new(PolicyLayer::new(Arc::new(policy)));
    let world = World::start(Host::new().own_tools(tools).layers([layer])).await?;
    for name in ["echo.say", "echo.say.say", "anything", "anything.anything"] {
        let answer = world.tool(name, json!({"text": "hi"})).await;
        assert_eq!(kind(&answer), "PolicyDenied", "{name}");
        let answer = world.session.call_tool(name, object(&json!({"text": "hi"}))).await;
        assert!(answer.is_err(), "{name}");
    }
    assert_eq!(heard.all(), Vec::<serde_json::Value>::new());
    // Without a rule both names work.
    world.session.replace_layers([]);
    assert_eq!(world.tool("echo.say.say", json!({"text": "hi"})).await?, json!("hi"));
    assert_eq!(kind(&world.tool("echo.say.say.say", json!({"text": "hi"})).await), "ToolCallError");
    Ok(())
}

#[tokio::test]
async fn a_policy_is_about_storage_and_packages_as_well() -> TestResult {
    let policy = Policy::new(Action::Deny)
        .rule(Rule::new(Action::Allow, ["artifacts.save"])?.when("name == \"mine\"")?)
        .rule(Rule::new(Action::Allow, ["deps.add"])?.when("package == \"jinja2\"")?);
    let layer: Arc<dyn Layer> = Arc::new(PolicyLayer::new(Arc::new(policy)));
    let world = World::start(Host::new().layers([layer])).await?;
    let save = |name: &str| json!({"name": name, "data": 1});
    world.ask(Namespace::Artifacts, "save", save("mine")).await?;
    world.ask(Namespace::Deps, "add", json!({"package": "jinja2"})).await?;
    for (namespace, op, args) in [
        (Namespace::Artifacts, "save", save("other")),
        (Namespace::Artifacts, "load", save("mine")),
        (Namespace::Deps, "add", json!({"package": "jinja2 "})),
        (Namespace::Deps, "add", json!({"package": "Jinja2"})),
        (Namespace::Deps, "sync", json!({})),
        (Namespace::Workflows, "create", json!({"name": "a", "source": "async def run(): pass"})),
    ] {
        let answer = world.ask(namespace, op, args.clone()).await;
        assert_eq!(kind(&answer), "PolicyDenied", "{namespace}.{op}({args})");
    }
    Ok(())
}

#[tokio::test]
async fn an_approval_is_for_the_one_call_that_was_shown() -> TestResult {
    let (tools, heard) = tools()?;
    let options = ApprovalOptions::default().mode(pcm_middleware::ApprovalMode::Defer);
    let approvals = Approvals::new(options);
    let policy = Policy::new(Action::Ask);
    let layer = PolicyLayer::new(Arc::new(policy)).approvals(approvals.clone());
    let layer: Arc<dyn Layer> = Arc::new(layer);
    let host = Host::new().tools(Arc::new(tools)).layers([layer]);
    let world = World::start(host.clone()).await?;
    let asked = world.tool("echo.say", json!({"text": "hi"})).await;
    assert_eq!(kind(&asked), "ApprovalRequired");
    let request = approvals.pending().pop().ok_or("nobody was asked")?;
    // What code in the sandbox reads must not be what approves.
    assert!(!asked.is_err_and(|error| error.message.contains(&request.id)));
    approvals.approve(&request.id)?;
    let other = World::start(host).await?;
    assert_eq!(kind(&other.tool("echo.say", json!({"text": "hi"})).await), "ApprovalRequired");
    assert_eq!(kind(&world.tool("echo.say", json!({"text": "ho"})).await), "ApprovalRequired");
    assert_eq!(kind(&world.tool("anything", json!({"text": "hi"})).await), "ApprovalRequired");
    let typed = Payload::from(json!({"name": "echo.say", "args": {"text": "hi"}}))
        .with_type("/args/text", ValueType::Path);
    let typed = world.call(call(Namespace::Tools, "call", typed)).await;
    assert_eq!(kind(&typed), "ApprovalRequired");
    assert_eq!(heard.all(), Vec::<serde_json::Value>::new());
    assert_eq!(world.tool("echo.say", json!({"text": "hi"})).await?, json!("hi"));
    assert_eq!(kind(&world.tool("echo.say", json!({"text": "hi"})).await), "ApprovalRequired");
    assert_eq!(heard.all().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_fork_has_the_layers_that_hold_now() -> TestResult {
    let (tools, heard) = tools()?;
    let world = World::start(Host::new().own_tools(tools)).await?;
    world.tool("echo.say", json!({"text": "hi"})).await?;
    world.session.replace_layers([deny("echo.say")]);
    let fork = world.session.fork().await?;
    let args = json!({"name": "echo.say", "args": {"text": "ho"}});
    let replies = gather(&fork, &[call(Namespace::Tools, "call", args)]).await;
    assert_eq!(kind(&replies[0]), "PermissionError");
    assert_eq!(heard.all().len(), 1, "what was forbidden since is forbidden to a fork");
    Ok(())
}

#[tokio::test]
async fn a_hundred_gathered_calls_are_two_hundred_lines_of_the_log() -> TestResult {
    let (tools, heard) = tools()?;
    let written = Written::default();
    let log = AuditLog::writer(written.clone());
    let layer: Arc<dyn Layer> = Arc::new(AuditLayer::new(log.clone()));
    let host = Host::new().own_tools(tools).layers([layer]).audit(log);
    let world = World::start(host).await?;
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let args = json!({"name": "anything", "args": {"number": number}});
            call(Namespace::Tools, "call", args)
        })
        .collect();
    for (number, answer) in world.gather(&calls).await.into_iter().enumerate() {
        assert_eq!(answer?.value, json!({"number": number}), "replies are in the order of calls");
    }
    assert_eq!(heard.all().len(), 100);
    let lines = written.lines()?;
    assert_eq!(lines.len(), 201);
    let of = |event: &str| -> Vec<u64> {
        let lines = lines.iter().filter(|line| line["event"] == event);
        let mut ids: Vec<_> = lines.filter_map(|line| line["call_id"].as_u64()).collect();
        ids.sort_unstable();
        ids
    };
    let all: Vec<u64> = (1..=100).collect();
    assert_eq!((of("tool.call"), of("tool.result")), (all.clone(), all));
    assert!(lines.iter().all(|line| line["session_id"] == world.session.id()));
    Ok(())
}
