//! What a step expects, and the comparison with what came.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use anyhow::{Result, ensure};
use pcm_runtime_api::{
    ErrorKind, ExecutionError, ExecutionResult, LimitName, OutputStream, RunEvent, SessionState,
    ValueType,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// What must come of a step. What is not said is not compared, with three exceptions: without
/// `error_kind` there must be no error, with it there must be no value, and without `session_state`
/// the session must be `kept`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expectation {
    /// Nothing but success is expected.
    pub ok: bool,
    /// Any outcome will do, so long as there is one. For code whose effect nobody can foretell.
    pub any_outcome: bool,
    /// The value, written as JSON text: `'null'`, `'[1, "a"]'`.
    #[serde(deserialize_with = "json_text")]
    pub value: Option<Value>,
    /// The types beside the value. Compared whenever `value` is: without a mention there are none.
    pub types: BTreeMap<String, ValueType>,
    /// The value's `repr`.
    pub repr: Option<String>,
    /// Parts of the value's `repr`.
    pub repr_contains: Vec<String>,
    /// All of standard output.
    pub stdout: Option<String>,
    /// Parts of standard output.
    pub stdout_contains: Vec<String>,
    /// All of standard error.
    pub stderr: Option<String>,
    /// Parts of standard error.
    pub stderr_contains: Vec<String>,
    /// Both streams as they were written, `out: …` and `err: …`; neighbours of one stream joined.
    pub streamed: Option<Vec<String>>,
    /// The rich results, written as JSON text.
    #[serde(deserialize_with = "json_text")]
    pub display: Option<Value>,
    /// The kind of the error.
    pub error_kind: Option<ErrorKind>,
    /// The name of Python's exception.
    pub error_type: Option<String>,
    /// The error's message.
    pub message: Option<String>,
    /// Parts of the error's message.
    pub message_contains: Vec<String>,
    /// Parts of the traceback, in this order.
    pub traceback_contains: Vec<String>,
    /// What the traceback must not have.
    pub traceback_lacks: Vec<String>,
    /// The limit that was hit.
    pub limit: Option<LimitName>,
    /// What became of the session.
    pub session_state: Option<SessionState>,
    /// The longest that the step may take as the host sees it, in milliseconds.
    pub max_wall_ms: Option<u64>,
    /// What the run may have used.
    pub usage: UsageBounds,
    /// By path in the folder of `[case.host]`, all that is in a file.
    pub files: BTreeMap<String, String>,
    /// By path in the folder of `[case.host]`, parts of a file.
    pub file_contains: BTreeMap<String, Vec<String>>,
}

/// `usage`: bounds of what a run used.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageBounds {
    /// The number of calls to the host.
    pub tool_calls: Option<u64>,
    /// The number of bytes written, dropped ones included.
    pub output_bytes: Option<u64>,
    /// The most memory that the session may have held.
    pub max_memory_peak_bytes: Option<u64>,
}

fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map(Some).map_err(|error| {
        D::Error::custom(format_args!("{text:?} is not JSON text, as '3' or '\"a\"': {error}"))
    })
}

/// What came of a step.
#[derive(Debug)]
pub struct Observed {
    /// The result.
    pub result: ExecutionResult,
    /// What was heard meanwhile.
    pub events: Vec<RunEvent>,
    /// How long it took.
    pub wall: Duration,
    /// The folder of `[case.host]`, if there is one.
    pub base: Option<PathBuf>,
}

/// Something that came otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The key of the expectation.
    pub what: &'static str,
    /// What it says.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, got } = self;
        write!(formatter, "  {what}\n  - expected {expected}\n  + got      {got}")
    }
}

impl Expectation {
    /// Whether it says anything, and nothing that cannot be.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(*self != Self::default(), "expects nothing; `ok = true` if success is all");
        let about_error = !self.message_contains.is_empty()
            || !self.traceback_contains.is_empty()
            || !self.traceback_lacks.is_empty()
            || self.error_type.is_some()
            || self.message.is_some()
            || self.limit.is_some();
        ensure!(
            self.error_kind.is_some() || !about_error,
            "an error is described but not its kind"
        );
        let about_success = self.ok || self.value.is_some() || self.repr.is_some();
        ensure!(self.error_kind.is_none() || !about_success, "expects an error and success");
        ensure!(self.value.is_some() || self.types.is_empty(), "`types` without a `value`");
        let nothing_else = *self == Self { any_outcome: true, ..Self::default() };
        ensure!(!self.any_outcome || nothing_else, "`any_outcome` beside other expectations");
        Ok(())
    }

    /// All that came otherwise than expected.
    pub fn compare(&self, observed: &Observed) -> Vec<Mismatch> {
        if self.any_outcome {
            return Vec::new();
        }
        let mut comparison = Comparison(Vec::new());
        let result = &observed.result;
        self.compare_error(result.error.as_ref(), &mut comparison);
        self.compare_value(result, &mut comparison);
        self.compare_output(observed, &mut comparison);
        let session = self.session_state.unwrap_or(SessionState::Kept);
        comparison.equal("session_state", &session, &result.session);
        if let Some(most) = self.max_wall_ms {
            let wall = u64::try_from(observed.wall.as_millis()).unwrap_or(u64::MAX);
            comparison.at_most("max_wall_ms", most, wall);
        }
        self.usage.compare(result, &mut comparison);
        let base = observed.base.as_deref().unwrap_or(Path::new("."));
        self.compare_files(base, &mut comparison);
        comparison.0
    }

    fn compare_error(&self, error: Option<&ExecutionError>, comparison: &mut Comparison) {
        let (Some(kind), Some(error)) = (self.error_kind, error) else {
            let expected = self.error_kind.map_or("no error".to_owned(), |kind| kind.to_string());
            let got =
                error.map_or("no error".to_owned(), |error| format!("{}, {error}", error.kind));
            if expected != got {
                comparison.push("error_kind", expected, got);
            }
            return;
        };
        comparison.equal("error_kind", &kind, &error.kind);
        comparison.equal_if("error_type", self.error_type.as_ref(), &error.error_type);
        comparison.equal_if("message", self.message.as_ref(), &error.message);
        comparison.contains("message_contains", &self.message_contains, &error.message);
        comparison.contains_in_order(
            "traceback_contains",
            &self.traceback_contains,
            &error.traceback,
        );
        comparison.lacks("traceback_lacks", &self.traceback_lacks, &error.traceback);
        if let Some(limit) = self.limit {
            let hit = error.limit.as_ref().map(|hit| hit.name);
            comparison.equal("limit", &Some(limit), &hit);
        }
    }

    fn compare_value(&self, result: &ExecutionResult, comparison: &mut Comparison) {
        let none_after_error = self.error_kind.map(|_| Value::Null);
        if let Some(value) = self.value.as_ref().or(none_after_error.as_ref()) {
            comparison.equal("value", value, &result.value);
            comparison.equal("types", &self.types, &result.value_types);
        }
        let repr = result.value_repr.as_deref();
        if let Some(expected) = &self.repr {
            comparison.equal("repr", &Some(expected.as_str()), &repr);
        }
        comparison.contains("repr_contains", &self.repr_contains, repr.unwrap_or_default());
        if let Some(display) = &self.display {
            comparison.equal("display", display, &serde_json::json!(result.display));
        }
    }

    fn compare_files(&self, base: &Path, comparison: &mut Comparison) {
        let read = |path: &String| match fs::read_to_string(base.join(path)) {
            Ok(text) => text,
            Err(error) => format!("({error})"),
        };
        for (path, expected) in &self.files {
            comparison.equal("files", &(path, expected), &(path, &read(path)));
        }
        for (path, parts) in &self.file_contains {
            comparison.contains("file_contains", parts, &read(path));
        }
    }

    fn compare_output(&self, observed: &Observed, comparison: &mut Comparison) {
        let result = &observed.result;
        comparison.equal_if("stdout", self.stdout.as_ref(), &result.stdout);
        comparison.contains("stdout_contains", &self.stdout_contains, &result.stdout);
        comparison.equal_if("stderr", self.stderr.as_ref(), &result.stderr);
        comparison.contains("stderr_contains", &self.stderr_contains, &result.stderr);
        comparison.equal_if("streamed", self.streamed.as_ref(), &streamed(&observed.events));
    }
}

impl UsageBounds {
    fn compare(&self, result: &ExecutionResult, comparison: &mut Comparison) {
        let usage = &result.usage;
        comparison.equal_if("usage.tool_calls", self.tool_calls.as_ref(), &usage.tool_calls);
        comparison.equal_if("usage.output_bytes", self.output_bytes.as_ref(), &usage.output_bytes);
        if let Some(most) = self.max_memory_peak_bytes {
            comparison.at_most("usage.max_memory_peak_bytes", most, usage.memory_peak_bytes);
        }
    }
}

/// What was written, in order; how it was cut into events says nothing.
fn streamed(events: &[RunEvent]) -> Vec<String> {
    let mut written: Vec<(OutputStream, String)> = Vec::new();
    for event in events {
        let RunEvent::Output { stream, text } = event else { continue };
        match written.last_mut() {
            Some((last, joined)) if last == stream => joined.push_str(text),
            _ => written.push((*stream, text.clone())),
        }
    }
    let prefix = |stream| match stream {
        OutputStream::Stdout => "out: ",
        OutputStream::Stderr => "err: ",
    };
    written.into_iter().map(|(stream, text)| prefix(stream).to_owned() + &text).collect()
}

struct Comparison(Vec<Mismatch>);

impl Comparison {
    fn push(&mut self, what: &'static str, expected: String, got: String) {
        self.0.push(Mismatch { what, expected, got });
    }

    fn equal<T: PartialEq + fmt::Debug>(&mut self, what: &'static str, expected: &T, got: &T) {
        if expected != got {
            self.push(what, shown(expected), shown(got));
        }
    }

    fn equal_if<T: PartialEq + fmt::Debug>(
        &mut self,
        what: &'static str,
        expected: Option<&T>,
        got: &T,
    ) {
        if let Some(expected) = expected {
            self.equal(what, expected, got);
        }
    }

    fn at_most(&mut self, what: &'static str, most: u64, got: u64) {
        if got > most {
            self.push(what, format!("at most {most}"), got.to_string());
        }
    }

    fn contains(&mut self, what: &'static str, parts: &[String], text: &str) {
        for part in parts.iter().filter(|part| !text.contains(part.as_str())) {
            self.push(what, shown(part), shown(&text));
        }
    }

    fn contains_in_order(&mut self, what: &'static str, parts: &[String], text: &str) {
        let mut rest = text;
        for part in parts {
            match rest.split_once(part.as_str()) {
                Some((_, after)) => rest = after,
                None => return self.push(what, format!("then {part:?}"), shown(&text)),
            }
        }
    }

    fn lacks(&mut self, what: &'static str, parts: &[String], text: &str) {
        for part in parts.iter().filter(|part| text.contains(part.as_str())) {
            self.push(what, format!("no {part:?}"), shown(&text));
        }
    }
}

/// A value for the reader: one line, and not the whole of a megabyte.
fn shown(value: &impl fmt::Debug) -> String {
    const MOST: usize = 2000;
    let text = format!("{value:?}");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
