//! The MCP server as a program, and a client that others have written: the official Python SDK.
#![expect(clippy::print_stdout, reason = "tests")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A backend that this build has.
const BACKEND: &str = if cfg!(feature = "wasm") { "wasm" } else { "subprocess" };

const SHOUT: &str = "\
name: shout
command: echo
description: Says something loudly
schema:
  positional:
    - {name: text, type: string, required: true}
recipes:
  loud: {description: Says it}
";

fn client() -> Option<String> {
    let python = std::env::var("PCM_MCP_PYTHON").ok();
    if python.is_none() {
        println!(
            "skipped: PCM_MCP_PYTHON names no Python with the package mcp; `./x test` sets it"
        );
    }
    python
}

#[test]
fn the_python_client_runs_code_is_asked_and_cancels() -> Result<(), Box<dyn Error>> {
    let Some(python) = client() else { return Ok(()) };
    let base = tempfile::tempdir()?;
    fs::create_dir(base.path().join("tools"))?;
    fs::write(base.path().join("tools/shout.yaml"), SHOUT)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mcp-client/client.py");
    let output = Command::new(python)
        .arg(script)
        .args([env!("CARGO_BIN_EXE_pcm-sandbox"), "mcp", "--backend", BACKEND, "--approve"])
        .arg("--base")
        .arg(base.path())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{wrong}");
    assert_eq!(said.lines().count(), 2, "{said}");
    Ok(())
}

#[test]
fn a_client_is_told_of_the_server() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let install = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm-sandbox"));
        command.args(["mcp", "install"]).args(words).args(["--", "--base", "agent"]);
        command.current_dir(folder.path()).env("HOME", folder.path()).output()
    };
    let printed = install(&["vscode"])?;
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout)?;
    let entry = &printed["servers"]["pcm-sandbox"];
    assert_eq!(entry["command"], env!("CARGO_BIN_EXE_pcm-sandbox"));
    assert_eq!(entry["args"][0], "mcp");
    assert_eq!(entry["args"][2], folder.path().canonicalize()?.join("agent").display().to_string());
    let file = folder.path().join(".cursor/mcp.json");
    assert!(!file.exists());
    assert!(install(&["cursor", "--write"])?.status.success());
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    assert_eq!(written["mcpServers"]["pcm-sandbox"]["args"], entry["args"]);
    let refused = install(&["emacs"])?;
    assert_eq!(refused.status.code(), Some(2));
    Ok(())
}
