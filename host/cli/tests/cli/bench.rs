//! `pcm-sandbox bench`.

use std::fs;

use serde_json::{Value, json};

use crate::TestResult;
use crate::command::pcm;

#[test]
fn a_backend_is_measured_and_told_as_json() -> TestResult {
    let ended = pcm(&[
        "bench",
        "--quick",
        "--scenario",
        "trivial-run",
        "--backend",
        "wasm",
        "--no-peers",
        "--json",
        "-",
    ])?;
    let record = ended.json()?;
    assert_eq!(ended.code, Some(0));
    assert_eq!(record["contestants"][0]["absent"], Value::Null, "{record}");
    let entry = &record["scenarios"][0];
    assert_eq!(entry["scenario"], "trivial-run");
    let row = &entry["rows"][0];
    assert_eq!(row["contestant"], "wasm", "{record}");
    assert!(row["summary"]["p50"].as_f64().is_some_and(|middle| middle > 0.0), "{row}");
    assert!(row["samples"].as_array().is_some_and(|samples| samples.len() >= 3), "{row}");
    Ok(())
}

#[test]
fn peers_that_are_not_there_are_told() -> TestResult {
    let folder = tempfile::tempdir()?;
    let peers = folder.path().display().to_string();
    let report = folder.path().join("report.html").display().to_string();
    let ended = pcm(&[
        "bench",
        "--quick",
        "--scenario",
        "tool-call",
        "--backend",
        "wasm",
        "--peer",
        "pyeryx",
        "--peers",
        &peers,
        "--report",
        &report,
    ])?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = ended.stdout.lines().find(|line| line.trim_start().starts_with("pyeryx"));
    assert!(line.is_some_and(|line| line.contains("absent: not in")), "{}", ended.stdout);
    let page = fs::read_to_string(&report)?;
    assert!(page.contains("<svg") && page.contains("--install-peers"), "{page}");
    Ok(())
}

/// A record of one scenario in which a trivial run takes this many microseconds, more or less.
fn made_up(microseconds: f64) -> Value {
    let samples: Vec<f64> =
        (0..60).map(|number| microseconds * 1e-6 * (1.0 + f64::from(number % 5) / 100.0)).collect();
    let middle = microseconds * 1e-6;
    json!({
        "format": "pcm-sandbox bench 1", "began": 0, "took": 1.0, "quick": true, "program": "made up",
        "machine": {
            "processor": "", "cores": 2, "memory": 0, "kernel": "", "governor": null,
            "load_before": 0.0, "load_most": 0.0,
        },
        "contestants": [{"key": "wasm", "kind": "backend", "name": "wasm", "version": "1"}],
        "scenarios": [{"scenario": "trivial-run", "rows": [{
            "contestant": "wasm",
            "summary": {
                "count": 60, "min": middle, "p50": middle, "p95": middle, "p99": null,
                "max": middle, "mad": 0.0,
            },
            "samples": samples,
        }]}],
    })
}

#[test]
fn a_regression_is_named_and_the_exit_code_is_one() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, microseconds: f64| {
        let path = folder.path().join(name);
        fs::write(&path, made_up(microseconds).to_string())?;
        Ok::<String, std::io::Error>(path.display().to_string())
    };
    let (old, slow) = (file("old.json", 40.0)?, file("slow.json", 60.0)?);
    let ended = pcm(&["bench", "--from", &slow, "--compare", &old])?;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let line = ended.stdout.lines().find(|line| line.contains("REGRESSION")).unwrap_or_default();
    assert!(
        line.contains("trivial-run") && line.contains("wasm") && line.contains("1.50 ×"),
        "{line}"
    );
    let same = pcm(&["bench", "--from", &old, "--compare", &old])?;
    assert_eq!(same.code, Some(0), "{}", same.stdout);
    assert!(same.stdout.contains("nothing differs by more than noise"), "{}", same.stdout);
    // 60 µs are more than the target.
    assert_eq!(pcm(&["bench", "--from", &slow, "--check"])?.code, Some(1));
    assert_eq!(pcm(&["bench", "--from", &old, "--check"])?.code, Some(0));
    Ok(())
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() -> TestResult {
    let ended = pcm(&["bench", "--scenario", "nothing"])?;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("no scenario \"nothing\"; there are: process-start"),
        "{}",
        ended.stderr
    );
    let list = pcm(&["bench", "--list"])?;
    for part in ["cpu-fib", "wasm-fuel", "pyeryx"] {
        assert!(list.stdout.lines().any(|line| line.starts_with(part)), "{}", list.stdout);
    }
    let missing = pcm(&["bench", "--from", "/nowhere/run.json"])?;
    assert_eq!(missing.code, Some(2));
    Ok(())
}
