//! Exit codes: what the shell learns.

use std::fmt;
use std::process::ExitCode;

use pcm_sandbox::{ErrorKind, ExecutionResult};

use super::output::{self, Stream, Streams};

/// The code failed.
pub(crate) const CODE_FAILED: u8 = 1;
/// The arguments make no sense, or a file cannot be read.
const USAGE: u8 = 2;
/// There is no sandbox to run in.
pub(crate) const NO_BACKEND: u8 = 3;
/// As `timeout` of coreutils.
const TIMEOUT: u8 = 124;
/// 128 + SIGINT, as a shell shows it.
pub(crate) const INTERRUPTED: u8 = 130;
/// 128 + SIGKILL, as a shell shows a process that the kernel's memory limit ended.
const LIMIT: u8 = 137;
/// 128 + SIGPIPE, as a shell shows a process whose reader went away.
pub(crate) const BROKEN_PIPE: u8 = 141;

/// The exit codes in words, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  the code ran to its end
    1  the code failed: it raised, did not compile, or was refused something
    2  usage: arguments that make no sense, a file that cannot be read
    3  the backend is not available or did not start
  124  the code took too long
  130  interrupted by Ctrl-C
  137  the memory, fuel or output limit was hit, or the interpreter crashed
  141  whoever read the output went away";

/// The exit code of a run.
pub(crate) fn code_of(result: &ExecutionResult) -> u8 {
    match result.error.as_ref().map(|error| error.kind) {
        None => 0,
        Some(ErrorKind::Exception | ErrorKind::Syntax | ErrorKind::Denied) => CODE_FAILED,
        Some(ErrorKind::Timeout) => TIMEOUT,
        Some(ErrorKind::Cancelled) => INTERRUPTED,
        Some(ErrorKind::Memory | ErrorKind::Fuel | ErrorKind::Output | ErrorKind::Crashed) => LIMIT,
        // Startup, and what does not happen unless the sandbox itself is broken.
        Some(_) => NO_BACKEND,
    }
}

/// Why a command did not do what it was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Arguments that make no sense, or that name what cannot be read.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// What was to be done was tried, and failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: CODE_FAILED, message: message.into() }
    }

    /// No sandbox.
    pub(crate) fn startup(message: impl Into<String>) -> Self {
        Self { code: NO_BACKEND, message: message.into() }
    }

    /// Tells the user.
    pub(crate) fn report(self) -> ExitCode {
        let mut streams = Streams::standard();
        let label = output::error_label(streams.is_terminal(Stream::Err));
        streams.write_own(Stream::Err, &label);
        streams.write_text(Stream::Err, &format!("{}\n", self.message));
        streams.flush();
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use pcm_sandbox::{ExecutionError, SessionState};

    use super::*;

    #[test]
    fn every_kind_has_its_code() {
        assert_eq!(code_of(&ExecutionResult::new("wasm")), 0);
        for (kind, code) in [
            (ErrorKind::Exception, 1),
            (ErrorKind::Syntax, 1),
            (ErrorKind::Denied, 1),
            (ErrorKind::Startup, 3),
            (ErrorKind::Timeout, 124),
            (ErrorKind::Cancelled, 130),
            (ErrorKind::Memory, 137),
            (ErrorKind::Fuel, 137),
            (ErrorKind::Output, 137),
            (ErrorKind::Crashed, 137),
        ] {
            let error = ExecutionError::new(kind, "");
            let result = ExecutionResult::failed("wasm", error, SessionState::Kept);
            assert_eq!(code_of(&result), code, "{kind}");
        }
    }
}
