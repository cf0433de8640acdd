//! What the log says, and what it notices.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use pcm_middleware::{
    Action, Anchor, AuditEntry, AuditEvent, AuditFailure, AuditFlaw, AuditLayer, AuditLog, Caller,
    Layer, MiddlewareError, Policy, PolicyLayer, Redactor, Rule, Secret, TraceId, layer_fn, verify,
    verify_since,
};
use pcm_runtime_api::{HostError, HostPort, Namespace};
use proptest::prelude::*;
use serde_json::json;
use tempfile::tempdir;

use crate::support::{TestResult, Written, call, chain, kind, message, tool};

fn audit(log: AuditLog) -> Arc<dyn Layer> {
    Arc::new(AuditLayer::new(log))
}

fn policy() -> Result<Arc<dyn Layer>, MiddlewareError> {
    let policy = Policy::new(Action::Allow)
        .rule(Rule::new(Action::Deny, ["tools.shell.**"])?.named("no shell"))
        .rule(Rule::new(Action::Allow, ["tools.once"])?.max_calls(1));
    Ok(Arc::new(PolicyLayer::new(Arc::new(policy))))
}

/// A chain of so many entries.
fn written(entries: u64) -> Result<Vec<u8>, MiddlewareError> {
    let written = Written::default();
    let log = AuditLog::chained_writer(written.clone());
    for call_id in 1..=entries {
        let mut entry = AuditEntry::new(AuditEvent::ToolCall);
        entry.session_id = Some("s-1");
        entry.call_id = Some(call_id);
        entry.tool = Some("tools.echo.say");
        log.append(&entry)?;
    }
    Ok(written.bytes())
}

#[tokio::test]
async fn a_call_has_two_lines() -> TestResult {
    let written = Written::default();
    let (chain, _) = chain(vec![audit(AuditLog::writer(written.clone())), policy()?]);
    chain.call(tool("echo.say", json!({"text": "hi"}))).await?;
    assert_eq!(kind(&chain.call(tool("shell.run", json!({}))).await), "PolicyDenied");
    chain.call(tool("once", json!({}))).await?;
    assert_eq!(kind(&chain.call(tool("once", json!({}))).await), "LimitExceeded");
    chain.call(call(Namespace::Workflows, "create", json!({"name": "w"}))).await?;
    assert_eq!(
        written.events()?,
        [
            "tool.call",
            "tool.result",
            "tool.call",
            "policy.deny",
            "tool.call",
            "tool.result",
            "tool.call",
            "limit.hit",
            "call",
            "result",
        ]
    );
    let lines = written.lines()?;
    let [call, result, _, denied, ..] = lines.as_slice() else { return Err("too few".into()) };
    assert_eq!(call["session_id"], "s-1");
    assert_eq!(call["tool"], "tools.echo.say");
    assert_eq!(call["origin"], "sandbox");
    assert_eq!(call["args_sha256"].as_str().map(str::len), Some(64));
    assert!(call.get("args").is_none());
    let ts = call["ts"].as_str().unwrap_or_default();
    assert_eq!((ts.len(), ts.ends_with('Z')), ("2026-01-01T00:00:00.000000Z".len(), true), "{ts}");
    assert_eq!(result["call_id"], call["call_id"]);
    assert_eq!(result["decision"], "allow");
    assert!(result["duration_ms"].is_number());
    assert_eq!(
        result["bytes_out"],
        serde_json::to_vec(&tool("echo.say", json!({"text": "hi"})).args)?.len()
    );
    assert_eq!(denied["decision"], "deny");
    assert_eq!(denied["rule"], "\"no shell\"");
    assert_eq!(denied["error_type"], "PolicyDenied");
    assert_eq!(lines[8]["tool"], "workflows.create");
    Ok(())
}

#[tokio::test]
async fn the_line_is_there_before_the_call_is_made() -> TestResult {
    let written = Written::default();
    let seen = written.clone();
    let looking = layer_fn(move |context, next| {
        let seen = seen.clone();
        Box::pin(async move {
            let count = seen.lines().map_or(0, |lines| lines.len());
            assert_eq!(count, 1);
            next.run(context).await
        })
    });
    let (chain, _) = chain(vec![audit(AuditLog::writer(written)), looking]);
    chain.call(tool("echo", json!({}))).await?;
    Ok(())
}

/// Takes so many bytes, and then the disk is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() -> TestResult {
    let (closed, port) = chain(vec![audit(AuditLog::writer(Full(0)))]);
    let refused = closed.call(tool("echo", json!({}))).await;
    assert_eq!(kind(&refused), "AuditFailed");
    assert_eq!(message(refused), "the call was not made, because it cannot be recorded");
    assert_eq!(port.count(), 0);

    // Room for the first line alone: the call is made, and its result stays here.
    let (closed, port) = chain(vec![audit(AuditLog::writer(Full(300)))]);
    assert_eq!(kind(&closed.call(tool("echo", json!({}))).await), "AuditFailed");
    assert_eq!(port.count(), 1);

    let open = AuditLayer::new(AuditLog::writer(Full(0))).on_failure(AuditFailure::Continue);
    let (open, port) = chain(vec![Arc::new(open)]);
    assert_eq!(kind(&open.call(tool("echo", json!({}))).await), "ok");
    assert_eq!(port.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_has_a_result() -> TestResult {
    let written = Written::default();
    let slow = layer_fn(|_, _| Box::pin(std::future::pending()));
    let (chain, _) = chain(vec![audit(AuditLog::writer(written.clone())), slow]);
    let running = tokio::spawn(async move { chain.call(tool("echo", json!({}))).await });
    tokio::task::yield_now().await;
    running.abort();
    assert!(running.await.is_err());
    assert_eq!(written.events()?, ["tool.call", "tool.result"]);
    assert_eq!(written.lines()?[1]["error_type"], "Cancelled");
    Ok(())
}

#[tokio::test]
async fn secrets_stay_out_of_the_log() -> TestResult {
    let written = Written::default();
    let redactor =
        Redactor::builder().secret("KEY", Secret::new("hunter22!")).key("pin").build()?;
    let log = AuditLog::writer(written.clone()).redacted(redactor);
    let failing = layer_fn(|context, _| {
        context.insert_extension(TraceId("4bf92f35".to_owned()));
        Box::pin(async { Err(HostError::new("Bad hunter22!", "no hunter22!")) })
    });
    let (chain, _) = chain(vec![Arc::new(AuditLayer::new(log).with_args()), failing]);
    let args = json!({"note": "is hunter22! ok", "password": "x", "API-Key": 5, "Pin": "1", "n": {"token": [1]}});
    let _ = chain.call(tool("hunter22!.x", args)).await;
    let text = String::from_utf8(written.bytes())?;
    assert!(!text.contains("hunter22"), "{text}");
    let line = &written.lines()?[0];
    assert_eq!(
        line["args"],
        json!({"note": "is [redacted: KEY] ok", "password": "[redacted]", "API-Key": "[redacted]",
            "Pin": "[redacted]", "n": {"token": "[redacted]"}})
    );
    assert_eq!(written.lines()?[1]["error_type"], "Bad [redacted: KEY]");
    assert_eq!(written.lines()?[1]["trace_id"], "4bf92f35");
    Ok(())
}

#[tokio::test]
async fn long_arguments_are_only_hashed() -> TestResult {
    let written = Written::default();
    let layer = AuditLayer::new(AuditLog::writer(written.clone())).with_args();
    let (chain, _) = chain(vec![Arc::new(layer)]);
    chain.call(tool("echo", json!({"text": "x".repeat(20_000)}))).await?;
    let line = &written.lines()?[0];
    assert!(line.get("args").is_none() && line["args_sha256"].is_string());
    Ok(())
}

#[test]
fn a_log_file_is_its_owners_and_several_may_share_it() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let (one, other) = (AuditLog::file(&path)?, AuditLog::file(&path)?);
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    let caller = Caller::sandbox("s", "test");
    let threads: Vec<_> = [one, other]
        .into_iter()
        .map(|log| {
            let caller = caller.clone();
            std::thread::spawn(move || {
                (0..500).all(|_| {
                    log.append(&AuditEntry::session(AuditEvent::SessionStart, &caller)).is_ok()
                })
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap_or(false)));
    let text = fs::read_to_string(&path)?;
    assert_eq!(text.lines().count(), 1000);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        assert_eq!(line["backend"], "test");
    }
    assert!(matches!(AuditLog::chained_file(&path), Err(MiddlewareError::AuditNotChained { .. })));
    Ok(())
}

#[test]
fn a_shared_log_goes_on_after_a_torn_line() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, b"{\"ts\":\"2026")?;
    AuditLog::file(&path)?.append(&AuditEntry::new(AuditEvent::SessionStart))?;
    let text = fs::read_to_string(&path)?;
    assert_eq!(text.lines().next(), Some("{\"ts\":\"2026"));
    assert!(text.lines().nth(1).is_some_and(|line| line.contains("session.start")));
    Ok(())
}

#[test]
fn a_chained_log_has_one_writer() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let log = AuditLog::chained_file(&path)?;
    assert!(matches!(AuditLog::chained_file(&path), Err(MiddlewareError::AuditInUse { .. })));
    assert!(matches!(AuditLog::file(&path), Err(MiddlewareError::AuditInUse { .. })));
    log.append(&AuditEntry::new(AuditEvent::SessionStart))?;
    drop(log);
    let log = AuditLog::chained_file(&path)?;
    log.append(&AuditEntry::new(AuditEvent::SessionClose))?;
    assert_eq!(verify(fs::File::open(&path)?)?.entries, 2);
    Ok(())
}

#[test]
fn a_chained_log_goes_on_after_a_crash() -> TestResult {
    let whole = written(3)?;
    let last = whole.iter().rposition(|byte| *byte == b'{').ok_or("no line")?;
    for cut in [last + 1, last + 40, whole.len() - 2, whole.len() - 1] {
        let folder = tempdir()?;
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, whole.get(..cut).unwrap_or_default())?;
        let before = verify(fs::File::open(&path)?)?;
        let is_whole = cut == whole.len() - 1;
        assert_eq!(before.entries, if is_whole { 3 } else { 2 });
        assert_eq!(before.torn_bytes > 0, !is_whole);

        AuditLog::chained_file(&path)?.append(&AuditEntry::new(AuditEvent::SessionClose))?;
        let after = verify_since(fs::File::open(&path)?, &Anchor::of(&before))?;
        assert_eq!((after.entries, after.torn_bytes), (4, 0));
        assert_eq!(fs::read_to_string(&path)?.contains("log.resumed"), !is_whole);
    }
    Ok(())
}

#[test]
fn zeros_at_the_end_are_a_crash_and_other_bytes_are_not() -> TestResult {
    let whole = written(2)?;
    let with = |tail: &[u8]| [whole.as_slice(), tail].concat();
    assert_eq!(verify(with(b"{\"ts\":\"20\0\0\0").as_slice())?.torn_bytes, 12);
    assert_eq!(verify(with(&[0; 100]).as_slice())?.torn_bytes, 100);
    for tail in [&b"{}"[..], b"{}\n", b"x", b"\n", b"{\"a\":1}x", b"\0\0x"] {
        assert!(verify(with(tail).as_slice()).is_err(), "{tail:?}");
        let folder = tempdir()?;
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, with(tail))?;
        assert!(matches!(
            AuditLog::chained_file(&path),
            Err(MiddlewareError::AuditNotChained { .. })
        ));
        assert_eq!(fs::read(&path)?, with(tail), "nothing is repaired that is no crash");
    }
    Ok(())
}

#[test]
fn lines_that_are_missing_moved_or_added_are_found() -> TestResult {
    let whole = written(5)?;
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let check = |order: &[usize]| {
        let parts: Vec<&[u8]> = order.iter().filter_map(|at| lines.get(*at)).copied().collect();
        verify(parts.concat().as_slice()).map_err(|error| (error.line, error.flaw))
    };
    assert!(check(&[0, 1, 2, 3, 4]).is_ok());
    assert!(matches!(check(&[1, 2, 3, 4]), Err((1, AuditFlaw::OutOfOrder))));
    assert!(matches!(check(&[0, 1, 3, 4]), Err((3, AuditFlaw::OutOfOrder))));
    assert!(matches!(check(&[0, 2, 1, 3, 4]), Err((2, AuditFlaw::OutOfOrder))));
    assert!(matches!(check(&[0, 1, 1, 2, 3, 4]), Err((3, AuditFlaw::OutOfOrder))));
    let first = lines.first().copied().unwrap_or_default();
    let added = |line: &[u8]| {
        verify([first, line].concat().as_slice()).map_err(|error| (error.line, error.flaw))
    };
    assert!(matches!(added(b"{\"event\":\"tool.call\"}\n"), Err((2, AuditFlaw::Changed))));
    let other = written(5)?;
    let foreign = other.split_inclusive(|byte| *byte == b'\n').nth(1).unwrap_or_default();
    assert!(matches!(added(foreign), Err((2, AuditFlaw::OutOfOrder))));
    let huge = [b"{\"x\":\"".as_slice(), &vec![b'x'; 5 << 20], b"\"}\n"].concat();
    assert!(matches!(added(&huge), Err((2, AuditFlaw::TooLong))));
    Ok(())
}

#[test]
fn what_is_missing_at_the_end_is_found_by_what_is_known() -> TestResult {
    let whole = written(5)?;
    let verified = verify(whole.as_slice())?;
    let anchor = Anchor::of(&verified);
    assert_eq!(verify_since(whole.as_slice(), &anchor)?, verified);
    let end = whole.split_inclusive(|byte| *byte == b'\n').next_back().map_or(0, <[u8]>::len);
    let short = whole.get(..whole.len() - end).unwrap_or_default();
    assert_eq!(verify(short)?.entries, 4);
    let flaw = |anchor: &Anchor| verify_since(short, anchor).map_err(|error| error.flaw);
    assert!(matches!(flaw(&anchor), Err(AuditFlaw::Truncated(5))));
    let by_count = Anchor { entries: Some(5), hash: None };
    assert!(matches!(flaw(&by_count), Err(AuditFlaw::Truncated(5))));
    let by_hash = Anchor { entries: None, hash: Some(verified.last_hash) };
    assert!(matches!(flaw(&by_hash), Err(AuditFlaw::OtherHistory(_))));
    // A chain that somebody wrote anew.
    let forged = written(6)?;
    let forged = verify_since(forged.as_slice(), &anchor).map_err(|error| error.flaw);
    assert!(matches!(forged, Err(AuditFlaw::OtherHistory(_))));
    Ok(())
}

/// Fails once.
struct Hiccup {
    to: Written,
    is_over: bool,
}

impl Write for Hiccup {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.is_over, true) {
            return self.to.write(bytes);
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_chain_that_broke_takes_no_more() -> TestResult {
    let to = Written::default();
    let entry = AuditEntry::new(AuditEvent::SessionStart);
    let chained = AuditLog::chained_writer(Hiccup { to: to.clone(), is_over: false });
    assert!(chained.append(&entry).is_err() && chained.append(&entry).is_err());
    assert!(to.bytes().is_empty());
    let plain = AuditLog::writer(Hiccup { to: to.clone(), is_over: false });
    assert!(plain.append(&entry).is_err() && plain.append(&entry).is_ok());
    assert_eq!(to.events()?, ["session.start"]);
    Ok(())
}

#[test]
fn a_callback_gets_lines() -> TestResult {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&lines);
    let log = AuditLog::callback(move |line| {
        to.lock().map_err(|_| io::Error::other("poisoned"))?.push(line.to_owned());
        Ok(())
    });
    log.append(&AuditEntry::new(AuditEvent::SessionStart))?;
    let lines = lines.lock().map_err(|_| "poisoned")?;
    let [line] = lines.as_slice() else { return Err("one line".into()) };
    assert_eq!(serde_json::from_str::<serde_json::Value>(line)?["event"], "session.start");
    Ok(())
}

#[test]
fn what_others_append_to_a_chain_is_found() -> TestResult {
    let folder = tempdir()?;
    let path = folder.path().join("audit.jsonl");
    let log = AuditLog::chained_file(&path)?;
    log.append(&AuditEntry::new(AuditEvent::SessionStart))?;
    // Somebody else appends without asking.
    OpenOptions::new().append(true).open(&path)?.write_all(b"junk\n")?;
    log.append(&AuditEntry::new(AuditEvent::SessionClose))?;
    assert!(matches!(verify(fs::File::open(&path)?).map_err(|error| error.line), Err(2)));
    Ok(())
}

proptest! {
    #[test]
    fn no_byte_can_be_changed(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut log = written(4).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let at = at.index(log.len());
        log[at] ^= flip;
        prop_assert!(verify(log.as_slice()).is_err(), "byte {at}");
    }

    #[test]
    fn no_bytes_can_be_taken_out_or_put_in(
        at in any::<prop::sample::Index>(), count in 1_usize..200, put in any::<bool>(),
    ) {
        let mut log = written(4).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let at = at.index(log.len());
        if put {
            log.splice(at..at, vec![b'x'; count]);
            prop_assert!(verify(log.as_slice()).is_err(), "{count} at {at}");
        } else {
            let end = (at + count).min(log.len());
            let is_tail = end == log.len();
            log.drain(at..end);
            // What is missing at the end looks like a crash, or like a log that is shorter.
            prop_assert!(is_tail || verify(log.as_slice()).is_err());
        }
    }

    #[test]
    fn anything_at_all_can_be_verified(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = verify(bytes.as_slice());
    }
}
