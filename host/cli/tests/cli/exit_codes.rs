//! What the shell learns.

use serde_json::json;

use crate::TestResult;
use crate::command::{Ended, command, pcm};

#[test]
fn codes_that_end_give_zero() -> TestResult {
    for code in ["1", "", "import sys; sys.exit()", "raise SystemExit(0)"] {
        assert_eq!(pcm(&["run", "-c", code])?.code, Some(0), "{code}");
    }
    Ok(())
}

#[test]
fn codes_that_fail_give_one() -> TestResult {
    for code in ["1 / 0", "import sys; sys.exit(3)", "1 +", "raise KeyboardInterrupt", "-nothing"] {
        let ended = pcm(&["run", "-c", code])?;
        assert_eq!(ended.code, Some(1), "{code}: {}", ended.stderr);
        assert_ne!(ended.stderr, "", "{code}");
    }
    Ok(())
}

#[test]
fn a_timeout_gives_124_and_says_how_to_raise_it() -> TestResult {
    let ended = pcm(&["run", "--timeout", "100ms", "-c", "while True: pass"])?;
    assert_eq!(ended.code, Some(124));
    assert!(
        ended.stderr.contains("line 1, in <module>\n    while True: pass\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.lines().next_back(),
        Some(
            "error: timeout: the run hit its limit of 100ms; raise it with --timeout or \
             Limits::timeout"
        )
    );
    Ok(())
}

#[test]
fn the_other_limits_give_137() -> TestResult {
    for (option, value, code, name) in [
        ("--memory", "64MiB", "x = bytearray(1 << 28)", "memory"),
        ("--output-limit", "1KiB", "while True: print('x' * 1000)", "output"),
        ("--fuel", "1M", "while True: pass", "fuel"),
    ] {
        let ended = pcm(&["run", option, value, "-c", code])?;
        assert_eq!(ended.code, Some(137), "{name}: {}", ended.stderr);
        let last = ended.stderr.lines().next_back().unwrap_or_default();
        assert!(last.starts_with(&format!("error: {name}: ")), "{}", ended.stderr);
        assert!(last.contains(option), "{}", ended.stderr);
    }
    Ok(())
}

#[test]
fn a_crash_gives_137() -> TestResult {
    let ended = pcm(&["run", "--json", "-c", "import os; os.abort()"])?;
    assert_eq!(ended.code, Some(137));
    assert_eq!(ended.json()?["error"]["kind"], "crashed");
    Ok(())
}

/// On a machine where no engine of containers runs.
fn without_engine(arguments: &[&str]) -> std::io::Result<Ended> {
    Ok(command(arguments).env("DOCKER_HOST", "unix:///nowhere/engine.sock").output()?.into())
}

#[test]
fn a_backend_that_is_not_there_gives_3() -> TestResult {
    let ended = without_engine(&["run", "--backend", "container", "-c", "1"])?;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    let expected = "error: the container backend could not be started: ";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("/nowhere/engine.sock") && ended.stderr.contains("start it"));
    Ok(())
}

#[test]
fn a_start_that_fails_is_a_result_in_json() -> TestResult {
    let ended = without_engine(&["run", "--backend", "container", "--json", "-c", "1"])?;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), ""));
    let result = ended.json()?;
    assert_eq!(result["error"]["kind"], "startup");
    assert_eq!((&result["backend"], &result["is_ok"]), (&json!("container"), &json!(false)));
    let ended = pcm(&["run", "--memory", "1KiB", "--json", "-c", "1"])?;
    assert_eq!((ended.code, &ended.json()?["error"]["kind"]), (Some(3), &json!("startup")));
    Ok(())
}

#[test]
fn nonsense_gives_2_and_nothing_on_stdout() -> TestResult {
    for (arguments, told) in [
        (&["run", "--backend", "docker", "-c", "1"][..], "in-process"),
        (&["run", "--timeout", "soon", "-c", "1"], "not a duration"),
        (&["run", "--memory", "lots", "-c", "1"], "not a size"),
        (&["run", "--format", "xml", "-c", "1"], "jsonl"),
        (&["run", "--json", "--format", "text", "-c", "1"], "cannot be used with"),
        (&["run", "--no-such-option"], "--no-such-option"),
        (&["no-such-command"], "no-such-command"),
        (&[], "Usage:"),
    ] {
        let ended = pcm(arguments)?;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {}", ended.stderr);
    }
    Ok(())
}
