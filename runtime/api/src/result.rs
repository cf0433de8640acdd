//! How a run ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::{ExecutorError, FileChange, LimitName, Limits, ValueType};

/// A rich result: its forms by MIME type. Binary forms are base64.
pub type MimeBundle = BTreeMap<String, Value>;

/// The outcome of a run. As JSON it is what the command line, the server and MCP give.
///
/// ```
/// use pcm_runtime_api::ExecutionResult;
///
/// let result = ExecutionResult { value: 3.into(), ..ExecutionResult::new("wasm") };
/// assert!(result.is_ok());
/// assert_eq!(serde_json::to_value(&result)?["is_ok"], true);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ExecutionResult {
    /// The value of the last expression; null without one, after an error, or when it has no
    /// encoding.
    #[serde(default)]
    pub value: Value,
    /// By JSON pointer, what a place of `value` was in Python where JSON cannot say it.
    #[serde(default)]
    pub value_types: BTreeMap<String, ValueType>,
    /// The value's `repr`, where it has no encoding or where it was asked for.
    #[serde(default)]
    pub value_repr: Option<String>,
    /// Rich results, in the order in which they were shown.
    #[serde(default)]
    pub display: Vec<MimeBundle>,
    /// What the code wrote to standard output.
    #[serde(default)]
    pub stdout: String,
    /// What the code wrote to standard error.
    #[serde(default)]
    pub stderr: String,
    /// The files that the run changed in the session's own file system and in overlays.
    #[serde(default)]
    pub files: Vec<FileChange>,
    /// What went wrong.
    pub error: Option<ExecutionError>,
    /// What became of the session.
    pub session: SessionState,
    /// What the run used.
    #[serde(default)]
    pub usage: Usage,
    /// The backend that ran it.
    pub backend: String,
}

impl ExecutionResult {
    /// A run that went well and gave nothing.
    pub fn new(backend: impl Into<String>) -> Self {
        Self {
            value: Value::Null,
            value_types: BTreeMap::new(),
            value_repr: None,
            display: Vec::new(),
            stdout: String::new(),
            stderr: String::new(),
            files: Vec::new(),
            error: None,
            session: SessionState::Kept,
            usage: Usage::default(),
            backend: backend.into(),
        }
    }

    /// A run that did not happen, or of which nothing but its failure is known.
    pub fn failed(
        backend: impl Into<String>,
        error: ExecutionError,
        session: SessionState,
    ) -> Self {
        Self { error: Some(error), session, ..Self::new(backend) }
    }

    /// A run that a session refused, or that it could not begin.
    pub fn refused(backend: impl Into<String>, error: &ExecutorError) -> Self {
        let state = match error {
            ExecutorError::Closed => SessionState::Lost,
            _ => SessionState::Reset,
        };
        Self::failed(backend, ExecutionError::new(error.kind(), error.to_string()), state)
    }

    /// Whether the code ran to its end.
    pub fn is_ok(&self) -> bool {
        self.error.is_none()
    }
}

impl Serialize for ExecutionResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let types = !self.value_types.is_empty();
        let files = !self.files.is_empty();
        let length = 10 + usize::from(types) + usize::from(files);
        let mut fields = serializer.serialize_struct("ExecutionResult", length)?;
        fields.serialize_field("value", &self.value)?;
        if types {
            fields.serialize_field("value_types", &self.value_types)?;
        }
        fields.serialize_field("value_repr", &self.value_repr)?;
        fields.serialize_field("display", &self.display)?;
        fields.serialize_field("stdout", &self.stdout)?;
        fields.serialize_field("stderr", &self.stderr)?;
        if files {
            fields.serialize_field("files", &self.files)?;
        }
        fields.serialize_field("error", &self.error)?;
        fields.serialize_field("session", &self.session)?;
        fields.serialize_field("usage", &self.usage)?;
        fields.serialize_field("backend", &self.backend)?;
        fields.serialize_field("is_ok", &self.is_ok())?;
        fields.end()
    }
}

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct ExecutionError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// The name of Python's exception, or what stands for it.
    #[serde(rename = "type")]
    pub error_type: String,
    /// Python's message, or an explanation.
    pub message: String,
    /// Python's traceback, trimmed to the user's code; empty when no Python exception was raised.
    #[serde(default)]
    pub traceback: String,
    /// The limit that was hit, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitHit>,
}

impl ExecutionError {
    /// A failure without a traceback.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error_type: kind.type_name().to_owned(),
            message: message.into(),
            traceback: String::new(),
            limit: None,
        }
    }

    /// The failure of a run that hit a limit.
    ///
    /// ```
    /// use pcm_runtime_api::{ErrorKind, ExecutionError, LimitName, Limits};
    ///
    /// let error = ExecutionError::limit(ErrorKind::Timeout, LimitName::Timeout, &Limits::default());
    /// assert_eq!(
    ///     error.message,
    ///     "timeout: the run hit its limit of 30s; raise it with --timeout or Limits::timeout"
    /// );
    /// ```
    pub fn limit(kind: ErrorKind, name: LimitName, limits: &Limits) -> Self {
        let hit = LimitHit::of(name, limits);
        Self { limit: Some(hit.clone()), ..Self::new(kind, hit.to_string()) }
    }
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The code raised an exception.
    Exception,
    /// The code did not compile; nothing of it ran.
    Syntax,
    /// The run took too long.
    Timeout,
    /// The run used up its fuel.
    Fuel,
    /// The memory limit was hit.
    Memory,
    /// The run wrote far more than is kept.
    Output,
    /// The run was interrupted from outside.
    Cancelled,
    /// The interpreter stopped.
    Crashed,
    /// The host forbade something, and the code did not handle it.
    Denied,
    /// The session is closed.
    Closed,
    /// The sandbox could not be started.
    Startup,
    /// A defect of the sandbox itself.
    Internal,
}

impl ErrorKind {
    /// What stands for an exception's name where no exception was raised.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Exception => "Exception",
            Self::Syntax => "SyntaxError",
            Self::Timeout => "TimeoutError",
            Self::Fuel => "FuelExhausted",
            Self::Memory => "MemoryError",
            Self::Output => "OutputLimitError",
            Self::Cancelled => "Cancelled",
            Self::Crashed => "Crashed",
            Self::Denied => "PermissionError",
            Self::Closed => "SessionClosed",
            Self::Startup => "StartupError",
            Self::Internal => "InternalError",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// Which limit was hit, what it was, and how to raise it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// The limit.
    pub name: LimitName,
    /// What it was.
    pub value: String,
    /// What raises it.
    pub raise: String,
}

impl LimitHit {
    /// The limit `name` of `limits`.
    pub fn of(name: LimitName, limits: &Limits) -> Self {
        let field = format!("Limits::{}", name.field());
        let raise = name.flag().map_or(field.clone(), |flag| format!("{flag} or {field}"));
        Self { name, value: limits.describe(name), raise }
    }
}

impl fmt::Display for LimitHit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, raise } = self;
        write!(formatter, "{name}: the run hit its limit of {value}; raise it with {raise}")
    }
}

/// What became of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Variables are as the run left them.
    Kept,
    /// Variables are as they were before the run.
    RolledBack,
    /// Variables are gone; the next run works on a fresh sandbox.
    Reset,
    /// The session is closed.
    Lost,
}

/// What a run used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Time from the request to the result.
    pub wall_ms: f64,
    /// Processor time in the sandbox.
    pub cpu_ms: f64,
    /// Fuel used, where it is counted.
    pub fuel: Option<u64>,
    /// The most memory that the session held so far.
    pub memory_peak_bytes: u64,
    /// Calls to the host.
    pub tool_calls: u64,
    /// Bytes written to standard output and error, dropped ones included.
    pub output_bytes: u64,
}
