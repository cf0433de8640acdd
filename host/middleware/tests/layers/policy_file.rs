//! Everything from one file.

use std::fs;
use std::sync::Arc;

use pcm_middleware::{
    Action, Caller, Chain, MiddlewareError, PolicyFile, PolicySetup, Secret, layer_fn, verify,
};
use pcm_runtime_api::{HostError, HostPort};
use serde_json::json;
use tempfile::tempdir;

use crate::support::{Echo, TestResult, kind, tool};

const WHOLE: &str = r#"
version: 1
default: deny
limits:
  max_calls: 100
  rate: 50/s
rules:
  - name: small transfers
    match: tools.bank.transfer
    action: allow
    when: amount <= 1000 and currency in ["EUR", "USD"]
    max_calls: 2
    rate: 10/min
    timeout: 5s
    reason: pocket money
  - match: [tools.bank.*, "artifacts.**"]
    action: ask
approvals:
  mode: defer
  valid: 10m
  max_open: 10
  max_open_per_session: 5
redact:
  env: [PCM_TEST_VARIABLE_THAT_IS_NOT_SET]
  patterns:
    - name: card
      regex: '\b[0-9]{16}\b'
  keys: [iban]
audit:
  file: logs/audit.jsonl
  chain: true
  args: true
  on_failure: refuse
timeouts:
  default: 30s
  calls:
    - match: tools.slow.**
      timeout: 2m
tracing:
  args: false
"#;

#[tokio::test]
async fn one_file_sets_everything_up() -> TestResult {
    let folder = tempdir()?;
    fs::create_dir(folder.path().join("logs"))?;
    let path = folder.path().join("policy.yaml");
    fs::write(&path, WHOLE)?;
    let file = PolicyFile::load(&path)?;
    assert_eq!(file.check(), []);
    let setup = PolicySetup {
        secrets: vec![("KEY".to_owned(), Secret::new("hunter22"))],
        ..PolicySetup::default()
    };
    let active = file.activate(setup)?;
    let failing = layer_fn(|context, next| {
        Box::pin(async move {
            next.run(context).await?;
            Err(HostError::new("Bad", "hunter22 and 1234567812345678"))
        })
    });
    let port = Arc::new(Echo::default());
    let chain = |session: &str| {
        let caller = Caller::sandbox(session, "test");
        let layers = active.layers_with(vec![Arc::clone(&failing)]);
        Chain::new(Arc::<Echo>::clone(&port), caller, layers)
    };
    let one = chain("s-1");
    let small = tool(
        "bank.transfer",
        json!({"amount": 10, "currency": "EUR", "iban": "XX", "note": "hunter22"}),
    );
    for _ in 0..2 {
        let answer = one.call(small.clone()).await;
        assert_eq!(answer, Err(HostError::new("Bad", "[redacted: KEY] and [redacted: card]")));
    }
    assert_eq!(port.count(), 2);
    assert_eq!(kind(&one.call(small.clone()).await), "LimitExceeded");
    assert_eq!(kind(&chain("s-2").call(small).await), "Bad", "counts are the session's own");
    let large = tool("bank.transfer", json!({"amount": 9999, "currency": "EUR"}));
    assert_eq!(kind(&one.call(large).await), "ApprovalRequired");
    assert_eq!(active.approvals().pending().len(), 1);
    assert_eq!(kind(&one.call(tool("shell", json!({}))).await), "PolicyDenied");

    let log = fs::read_to_string(folder.path().join("logs/audit.jsonl"))?;
    assert!(!log.contains("hunter22"), "{log}");
    let events: Vec<_> = log
        .lines()
        .map(serde_json::from_str::<serde_json::Value>)
        .map(|line| line.map(|line| line["event"].as_str().unwrap_or_default().to_owned()))
        .collect::<Result<_, _>>()?;
    assert_eq!(
        events,
        [
            "tool.call",
            "tool.result",
            "tool.call",
            "tool.result",
            "tool.call",
            "limit.hit",
            "tool.call",
            "tool.result",
            "tool.call",
            "approval.requested",
            "tool.result",
            "tool.call",
            "policy.deny",
        ]
    );
    let first: serde_json::Value = serde_json::from_str(log.lines().next().unwrap_or_default())?;
    assert_eq!(first["args"]["iban"], "[redacted]");
    assert_eq!(first["args"]["note"], "[redacted: KEY]");
    assert_eq!(verify(log.as_bytes())?.entries, 13);
    Ok(())
}

#[test]
fn mistakes_have_a_place() -> TestResult {
    for (text, line, part) in [
        ("version: 2\n", 1, "version 2 is unknown"),
        ("rules: []\n", 1, "version"),
        ("version: 1\nrulez: []\n", 2, "rulez"),
        ("version: 1\nversion: 1\n", 2, "duplicate"),
        ("version: 1\ndefault: maybe\n", 2, "maybe"),
        ("version: 1\nrules:\n  - action: allow\n", 3, "match"),
        ("version: 1\nrules:\n  - match: tools.*\n    action: allow\n    whan: x\n", 5, "whan"),
        ("version: 1\nrules:\n  - match: tools.[a]\n    action: deny\n", 3, "wildcards"),
        ("version: 1\nrules:\n  - match: []\n    action: deny\n", 3, "empty list"),
        (
            "version: 1\nrules:\n  - match: tools.a\n    action: allow\n    when: a <= \n",
            5,
            "column 5",
        ),
        (
            "version: 1\nrules:\n  - match: tools.a\n    action: allow\n    rate: often\n",
            5,
            "no rate",
        ),
        (
            "version: 1\nrules:\n  - match: tools.a\n    action: allow\n    timeout: 30\n",
            5,
            "no duration",
        ),
        (
            "version: 1\nrules:\n  - match: tools.a\n    action: allow\n    timeout: 0s\n",
            5,
            "nothing",
        ),
        ("version: 1\nrules:\n  - match: tools.a\n    action: allow\n    max_calls: -1\n", 5, ""),
        (
            "version: 1\nrules:\n  - match: tools.a\n    action: allow\n    name: ''\n",
            5,
            "name of a rule",
        ),
        ("version: 1\nredact:\n  patterns:\n    - name: x\n      regex: '('\n", 4, "pattern"),
        ("version: 1\nredact:\n  patterns:\n    - name: x\n      regex: 'a*'\n", 4, "everywhere"),
        ("version: 1\naudit:\n  chain: true\n", 3, "file"),
        ("version: 1\naudit: {file: a, chain: yes}\n", 2, ""),
        ("version: 1\napprovals: {valid: soon}\n", 2, "no duration"),
        ("version: 1\nlimits: {rate: x}\n", 2, "no rate"),
        ("version: 1\nrules: &a [*a]\n", 2, ""),
        ("version: 1\nrules:\n  - match: *\n    action: deny\n", 3, ""),
        ("version: 1\n---\nversion: 1\n", 2, ""),
        ("[", 1, ""),
        ("", 1, ""),
    ] {
        let parsed = text.parse::<PolicyFile>();
        let Err(MiddlewareError::PolicyFile { line: found, message, .. }) = parsed else {
            return Err(format!("{text:?} gave {parsed:?}").into());
        };
        assert!(message.to_lowercase().contains(part), "{text:?} gave {message}");
        assert_eq!(found, line, "{text:?} gave {message}");
        assert!(!message.contains(" at line "), "{message}");
    }
    Ok(())
}

#[test]
fn what_grows_without_end_is_refused() {
    let deep = format!("version: 1\nrules: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(deep.parse::<PolicyFile>().is_err());
    let rules = "  - {match: tools.a, action: deny}\n".repeat(1001);
    assert!(format!("version: 1\nrules:\n{rules}").parse::<PolicyFile>().is_err());
    let long = format!("version: 1\n# {}\n", "x".repeat(2 << 20));
    assert!(long.parse::<PolicyFile>().is_err());
}

#[test]
fn what_is_likely_not_meant_is_said() -> TestResult {
    let warnings = |rules: &str| -> Result<Vec<String>, MiddlewareError> {
        let file: PolicyFile = format!("version: 1\ndefault: allow\nrules:\n{rules}").parse()?;
        Ok(file.check().iter().map(ToString::to_string).collect())
    };
    for (rules, part) in [
        ("  - {match: tool.echo, action: allow}", "matches no call"),
        ("  - {match: tools.shell.*, action: deny}", "`tools.shell` itself"),
        ("  - {match: '**', action: deny}\n  - {match: tools.a, action: allow}", "never applies"),
        ("  - {match: tools.a, action: allow, when: 'path starts_with \"data/\"'}", "within"),
    ] {
        let found = warnings(rules)?;
        assert!(
            found.len() == 1 && found.iter().all(|one| one.contains(part)),
            "{rules}: {found:?}"
        );
    }
    for rules in [
        "  - {match: [tools.shell, tools.shell.**], action: deny}",
        "  - {match: tools.shell.**, action: deny}\n  - {match: tools.shell, action: deny}",
        "  - {match: tools.a, action: allow, when: 'x == 1'}\n  - {match: tools.a, action: ask}",
    ] {
        assert_eq!(warnings(rules)?, [""; 0], "{rules}");
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = PolicyFile::load("no/such/policy.yaml");
    assert!(missing.is_err_and(|error| error.to_string().starts_with("no/such/policy.yaml: ")));
}

/// Every block of the manual is a policy file, without a warning.
#[test]
fn the_manual_is_right() -> TestResult {
    let manual = include_str!("../../../../docs/policy.md");
    let blocks: Vec<&str> =
        manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 5, "{} blocks", blocks.len());
    for block in &blocks {
        let file: PolicyFile = block.parse().map_err(|error| format!("{error} in\n{block}"))?;
        assert_eq!(file.check(), [], "{block}");
    }
    Ok(())
}

#[test]
fn the_manual_explains_what_happens() -> TestResult {
    let manual = include_str!("../../../../docs/policy.md");
    let first = manual.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let file: PolicyFile = first.ok_or("no block")?.parse()?;
    let decide = |name: &str, args: serde_json::Value| file.explain(name, &args.into()).action;
    assert_eq!(decide("tools.files.read", json!({"path": "data/x.csv"})), Action::Allow);
    assert_eq!(decide("tools.files.read", json!({"path": "data/../x"})), Action::Deny);
    assert_eq!(decide("tools.files.read", json!({})), Action::Deny);
    assert_eq!(decide("tools.mail.send", json!({"to": "team@example.org"})), Action::Allow);
    assert_eq!(
        decide("tools.mail.send", json!({"to": "a@elsewhere.example, team@example.org"})),
        Action::Ask
    );
    assert_eq!(decide("deps.add", json!({"package": "x"})), Action::Deny);
    assert_eq!(decide("tools.list", json!({})), Action::Allow);
    Ok(())
}
