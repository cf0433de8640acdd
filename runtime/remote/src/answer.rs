//! Results, of what a server says.

use std::collections::BTreeMap;

use pcm_runtime_api::{
    ErrorKind, ExecutionError, ExecutionResult, FileChange, MimeBundle, SessionState, Usage,
    ValueType,
};
use serde::Deserialize;
use serde_json::Value;

/// What a server says of a run: the first fields every server, the others one of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Answered {
    value: Value,
    stdout: String,
    error: Option<String>,
    #[serde(default)]
    execution_time_ms: f64,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    value_types: BTreeMap<String, ValueType>,
    #[serde(default)]
    value_repr: Option<String>,
    #[serde(default)]
    display: Vec<MimeBundle>,
    #[serde(default)]
    files: Vec<FileChange>,
    #[serde(default)]
    error_info: Option<ExecutionError>,
    #[serde(default)]
    session: Option<SessionState>,
    #[serde(default)]
    usage: Option<Usage>,
}

impl Answered {
    /// The result as every backend gives it.
    pub(crate) fn into_result(self, backend: &'static str) -> ExecutionResult {
        let error = match (self.error_info, self.error) {
            (Some(error), _) => Some(error),
            (None, Some(text)) => Some(error_of(&text)),
            (None, None) => None,
        };
        // What has no encoding is its `repr` there; a `str` is never its own.
        let is_repr = self
            .value
            .as_str()
            .is_some_and(|text| error.is_none() && self.value_repr.as_deref() == Some(text));
        let usage = self
            .usage
            .unwrap_or_else(|| Usage { wall_ms: self.execution_time_ms, ..Usage::default() });
        ExecutionResult {
            value: if is_repr { Value::Null } else { self.value },
            value_types: self.value_types,
            value_repr: self.value_repr,
            display: self.display,
            stdout: self.stdout,
            stderr: self.stderr,
            files: self.files,
            error,
            session: self.session.unwrap_or(SessionState::Kept),
            usage,
            ..ExecutionResult::new(backend)
        }
    }
}

/// The error that a text tells: a traceback of Python, or what a server of old says.
fn error_of(text: &str) -> ExecutionError {
    let lower = text.to_lowercase();
    if lower.starts_with("execution time") {
        return ExecutionError::new(ErrorKind::Timeout, text);
    }
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let (name, message) = last.split_once(": ").unwrap_or((last, ""));
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|one| one.is_alphanumeric() || one == '_')
    };
    if !name.split('.').all(is_name) {
        return ExecutionError::new(ErrorKind::Exception, text);
    }
    let error_type = name.rsplit('.').next().unwrap_or(name).to_owned();
    let kind = match &*error_type {
        "SyntaxError" | "IndentationError" | "TabError" => ErrorKind::Syntax,
        "MemoryError" => ErrorKind::Memory,
        _ => ErrorKind::Exception,
    };
    let traceback = if text.starts_with("Traceback ") { text.to_owned() } else { String::new() };
    ExecutionError { error_type, traceback, ..ExecutionError::new(kind, message) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(answer: Value) -> ExecutionResult {
        serde_json::from_value::<Answered>(answer).unwrap().into_result("container")
    }

    #[test]
    fn a_server_of_old_says_little_and_is_understood() {
        let result = result(json!({
            "value": [1, 2], "stdout": "hi\n", "error": null, "execution_time_ms": 1.5,
            "session_id": "x",
        }));
        assert_eq!((result.value, &*result.stdout), (json!([1, 2]), "hi\n"));
        assert!((result.usage.wall_ms - 1.5).abs() < 1e-9);
        assert_eq!(result.session, SessionState::Kept);
    }

    #[test]
    fn tracebacks_become_errors() {
        let text =
            "Traceback (most recent call last):\n  File \"<code>\", line 1\nValueError: no: b\n";
        let error = error_of(text);
        assert_eq!((&*error.error_type, &*error.message), ("ValueError", "no: b"));
        assert_eq!((error.kind, &*error.traceback), (ErrorKind::Exception, text));
        assert_eq!(error_of("Execution timeout after 3 seconds").kind, ErrorKind::Timeout);
        assert_eq!(error_of("SyntaxError: bad").kind, ErrorKind::Syntax);
        assert_eq!(error_of("pkg.mod.Odd: x").error_type, "Odd");
        let odd = error_of("something odd happened: here");
        assert_eq!(
            (&*odd.error_type, &*odd.message),
            ("Exception", "something odd happened: here")
        );
    }

    #[test]
    fn what_has_no_encoding_is_told_apart_from_text() {
        let shown = |value: &str, repr: Option<&str>| {
            result(json!({"value": value, "stdout": "", "error": null, "value_repr": repr})).value
        };
        assert_eq!(shown("<object>", Some("<object>")), Value::Null);
        assert_eq!(shown("text", Some("'text'")), json!("text"));
        assert_eq!(shown("text", None), json!("text"));
    }
}
