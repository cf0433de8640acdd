//! Runs the binary.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Standard output as the one JSON text that it is.
    pub(crate) fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_str(&self.stdout)
    }
}

/// The binary with arguments, nothing on its standard input.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcm-sandbox"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn pcm(arguments: &[&str]) -> io::Result<Ended> {
    Ok(command(arguments).output()?.into())
}

/// The same, with something on its standard input.
pub(crate) fn pcm_reading(arguments: &[&str], input: &[u8]) -> io::Result<Ended> {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    Ok(child.wait_with_output()?.into())
}
