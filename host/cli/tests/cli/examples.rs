//! The programs in `examples/`, which show how to embed the sandbox: each runs to its end.

use std::path::PathBuf;
use std::process::Command;

use crate::TestResult;
use crate::command::Ended;

/// Runs an example, which Cargo has built beside the tests, and gives what it printed.
fn example(name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let beside = std::env::current_exe()?;
    let folder = beside.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
    let program = folder.join("examples").join(name);
    let ended: Ended = Command::new(&program)
        .output()
        .map_err(|error| {
            format!("{}: {error}; `cargo build --examples` makes it", program.display())
        })?
        .into();
    assert_eq!(ended.code, Some(0), "{name}: {}{}", ended.stdout, ended.stderr);
    Ok(ended.stdout)
}

#[test]
fn minimal() -> TestResult {
    let printed = example("minimal")?;
    assert!(printed.contains("the sum is 285\n") && printed.contains("10 numbers"), "{printed}");
    Ok(())
}

#[test]
fn workflows() -> TestResult {
    let printed = example("workflows")?;
    assert!(printed.contains("found report: Counts the words of a page"), "{printed}");
    Ok(())
}

#[test]
fn middleware() -> TestResult {
    let printed = example("middleware")?;
    assert!(printed.contains("that is too much"), "{printed}");
    assert!(printed.contains("PolicyDenied"), "{printed}");
    Ok(())
}

#[test]
fn deps() -> TestResult {
    let printed = example("deps")?;
    assert!(printed.contains("the session has packaging>=23, tabulate"), "{printed}");
    assert!(printed.contains("numpy has no pure Python wheel (there is numpy-"), "{printed}");
    assert!(printed.contains("RuntimeDepsDisabledError"), "{printed}");
    Ok(())
}

#[test]
fn subprocess() -> TestResult {
    let printed = example("subprocess")?;
    assert!(printed.contains("subprocess says 2\n"), "{printed}");
    assert!(printed.contains("Some(Crashed), session Reset"), "{printed}");
    Ok(())
}

#[test]
fn deno_sandbox() -> TestResult {
    let printed = example("deno_sandbox")?;
    assert!(printed.contains("deno_executable is not needed"), "{printed}");
    assert!(printed.contains("deno-sandbox says [\"emscripten\",42]"), "{printed}");
    assert!(printed.contains("Some(Crashed), session Reset"), "{printed}");
    Ok(())
}
