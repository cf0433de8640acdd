//! `doctor`, `limits`, `--help`, `--version`.

use serde_json::Value;

use crate::TestResult;
use crate::command::{command, pcm};

#[test]
fn limits_are_listed() -> TestResult {
    let limits = pcm(&["limits", "--json"])?.json()?;
    let names: Vec<&str> = limits
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|limit| limit["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "timeout",
            "cpu",
            "fuel",
            "memory",
            "output",
            "tool_calls",
            "host_call",
            "recursion",
            "vfs_bytes",
            "vfs_entries",
            "vfs_depth",
        ]
    );
    assert_eq!(limits[3]["default"], "256 MiB");
    assert_eq!(limits[3]["flag"], "--memory");
    assert_eq!(limits[3]["field"], "memory_bytes");
    assert_eq!(limits[7]["flag"], Value::Null);
    let text = pcm(&["limits"])?.stdout;
    for name in names {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} in {text}");
    }
    Ok(())
}

#[test]
fn the_doctor_runs_code_in_every_backend() -> TestResult {
    let ended = pcm(&["doctor", "--json"])?;
    let report = ended.json()?;
    assert_eq!(ended.code, Some(0));
    assert_eq!(report["ok"], true);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["default_backend"], "wasm");
    let wasm = &report["backends"][0];
    assert_eq!((wasm["backend"].as_str(), wasm["available"].as_bool()), (Some("wasm"), Some(true)));
    assert!(wasm["run_ms"].as_f64().is_some_and(|time| time > 0.0), "{wasm}");
    assert!(wasm["versions"]["python"].as_str().is_some_and(|python| python.starts_with("3.")));
    let deno = &report["backends"][1];
    assert!(deno["versions"]["pyodide"].is_string() && deno["run_ms"].is_f64(), "{deno}");
    for other in report["backends"].as_array().into_iter().flatten().skip(2) {
        let is_here = other["backend"] != "container" || std::env::var_os("DOCKER_HOST").is_some();
        assert_eq!(other["available"], is_here, "{other}");
        assert_eq!(other["run_ms"].is_f64(), is_here, "{other}");
        assert_eq!(other["versions"]["python"].is_string(), is_here, "{other}");
        assert_eq!(other["problem"].is_string() && other["help"].is_string(), !is_here, "{other}");
    }
    let engine =
        report["cache"].as_array().into_iter().flatten().find(|part| part["part"] == "engine");
    assert!(engine.is_some_and(|part| part["bytes"].as_u64() > Some(1 << 20)), "{report}");
    Ok(())
}

#[test]
fn the_doctor_speaks_to_people_without_colours_in_a_pipe() -> TestResult {
    let ended = pcm(&["doctor"])?;
    assert_eq!(ended.code, Some(0));
    for backend in ["wasm", "deno-sandbox", "subprocess", "container", "in-process"] {
        assert!(ended.stdout.lines().any(|line| line.starts_with(backend)), "{}", ended.stdout);
    }
    assert!(ended.stdout.contains("\ncache: "), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\x1b'), "{}", ended.stdout);
    Ok(())
}

#[test]
fn help_has_examples_and_exit_codes() -> TestResult {
    let help = pcm(&["run", "--help"])?.stdout;
    for part in ["Examples:", "pcm-sandbox run -c '6 * 7'", "Exit codes:", "124", "deno-sandbox"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    assert_eq!(
        pcm(&["--version"])?.stdout,
        concat!("pcm-sandbox ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(pcm(&["--help"])?.code, Some(0));
    Ok(())
}

#[test]
fn no_home_is_no_obstacle() -> TestResult {
    let output = command(&["run", "-c", "6 * 7"]).env_clear().output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n");
    Ok(())
}
