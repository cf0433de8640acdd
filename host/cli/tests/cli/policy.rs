//! `run --policy`, `--audit`, `--approve`, and the commands about policies and logs.

use std::fs;

use serde_json::{Value, json};

use crate::TestResult;
use crate::world::World;

const POLICY: &str = "
version: 1
default: deny
rules:
  - {name: small sums, match: tools.pay, action: allow, when: amount <= 1000}
  - {name: large sums, match: tools.pay, action: ask, reason: it is much}
  - {match: 'artifacts.*', action: allow}
";

/// A tool that says what it would pay.
pub(crate) const PAY: &str = "
name: pay
command: echo
schema:
  positional: [{name: amount, type: integer, required: true}]
recipes:
  now: {description: Pays}
";

fn with_policy() -> Result<World, Box<dyn std::error::Error>> {
    let world = World::new()?;
    fs::create_dir_all(world.path("base/tools"))?;
    fs::write(world.path("base/tools/pay.yaml"), PAY)?;
    fs::write(world.path("policy.yaml"), POLICY)?;
    Ok(world)
}

#[test]
fn a_policy_holds_for_every_namespace() -> TestResult {
    let world = with_policy()?;
    let code = "
def outcome(call):
    try:
        return call()
    except NamespaceError as error:
        return error.original_type
artifacts.save('a', 'x')
[outcome(lambda: tools.pay(amount=10)), outcome(lambda: tools.pay(amount=2000)),
 outcome(lambda: tools.pay(amount='10')), outcome(lambda: workflows.list()), outcome(lambda: deps.list())]";
    let run =
        world.pcm(&["run", "--json", "--base", "base", "--policy", "policy.yaml", "-c", code])?;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let expected =
        json!(["10\n", "ApprovalRejected", "ApprovalRejected", "PolicyDenied", "PolicyDenied"]);
    assert_eq!(run.json()?["value"], expected);
    Ok(())
}

#[test]
fn calls_are_written_down_and_the_log_can_be_verified() -> TestResult {
    let world = with_policy()?;
    let arguments = ["run", "--base", "base", "--policy", "policy.yaml", "--audit", "log.jsonl"];
    let code = ["--audit-chain", "-c", "tools.pay(amount=10)", "-c", "artifacts.list()"];
    let run = world.pcm(&[&arguments[..], &code].concat())?;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let log = fs::read_to_string(world.path("log.jsonl"))?;
    let lines: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    let expected = ["session.start", "tool.call", "tool.result", "call", "result", "session.close"];
    assert_eq!(events, expected);
    assert_eq!(lines[1]["tool"], "tools.pay");
    assert_eq!(lines[1]["session_id"], lines[0]["session_id"]);
    let verified = world.pcm(&["audit", "verify", "log.jsonl", "--json"])?;
    assert_eq!(verified.json()?["entries"], 6, "{}", verified.stderr);
    fs::write(world.path("log.jsonl"), log.replacen("tools.pay", "tools.say", 1))?;
    let verified = world.pcm(&["audit", "verify", "log.jsonl"])?;
    assert_eq!(verified.code, Some(1));
    assert!(verified.stderr.contains("line 2"), "{}", verified.stderr);
    Ok(())
}

#[test]
fn a_policy_is_checked_and_explained() -> TestResult {
    let world = with_policy()?;
    assert_eq!(world.pcm(&["policy", "check", "policy.yaml"])?.code, Some(0));
    let explain =
        |words: &[&str]| world.pcm(&[&["policy", "explain", "policy.yaml"], words].concat());
    let allowed = explain(&["tools.pay", "amount=10"])?;
    assert!(allowed.code == Some(0) && allowed.stdout.contains("small sums"), "{allowed:?}");
    let asked = explain(&["tools.pay", "amount=1001", "--json"])?;
    assert_eq!(asked.code, Some(1));
    assert_eq!(asked.json()?["action"], "ask");
    fs::write(world.path("bad.yaml"), "version: 1\nruls: []\n")?;
    let bad = world.pcm(&["policy", "check", "bad.yaml"])?;
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.contains("bad.yaml") && bad.stderr.contains("ruls"), "{}", bad.stderr);
    let run = world.pcm(&["run", "--policy", "bad.yaml", "-c", "1"])?;
    assert_eq!(run.code, Some(2));
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_stops_everything() -> TestResult {
    let world = with_policy()?;
    let run = world.pcm(&["run", "--audit", "no-such-folder/log", "-c", "1"])?;
    assert!(run.code != Some(0) && run.stderr.contains("no-such-folder/log"), "{}", run.stderr);
    let code = "tools.pay(amount=1)";
    let run = world.pcm(&["run", "--base", "base", "--audit", "/dev/full", "-c", code])?;
    assert_eq!(run.code, Some(3), "{}{}", run.stdout, run.stderr);
    Ok(())
}
