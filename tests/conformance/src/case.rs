//! The model of a case: what is done, in which order, and under which limits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use pcm_runtime_api::Limits;
use serde::Deserialize;

use crate::Expectation;
use crate::base::HostSetup;

/// One given/when/then case, `[[case]]` in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name within the file: lower case, digits and underscores.
    pub id: String,
    /// The number of the behaviour in SPEC §10.2 that it proves.
    pub spec: Option<u32>,
    /// What it shows, in one sentence.
    pub about: String,
    /// The limits of its sessions, where they differ from the defaults.
    #[serde(default)]
    pub limits: CaseLimits,
    /// What stands behind the port of its sessions, if it is not a [`MemoryHost`](crate::MemoryHost).
    pub host: Option<HostSetup>,
    /// What is done, in this order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// By a backend's key, what is different there.
    #[serde(default)]
    pub except: BTreeMap<String, Exception>,
    /// Whether it is about the evaluator alone, which is the same one wherever a wall stands: `evaluator_alone`
    /// at the top of its file says so.
    #[serde(skip)]
    pub evaluator_alone: bool,
    /// The file it stands in.
    #[serde(skip)]
    pub file: PathBuf,
    /// The line of the file where it begins.
    #[serde(skip)]
    pub line: usize,
}

impl Case {
    /// The file's name without its ending, which groups cases.
    pub fn topic(&self) -> String {
        self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What is different on the backend `key`. A container has a kernel of the subprocess backend in it, so
    /// what is different there is so in a container, unless the case says otherwise.
    pub fn exception(&self, key: &str) -> Option<&Exception> {
        let inside = if key == "container" { "subprocess" } else { key };
        self.except.get(key).or_else(|| self.except.get(inside))
    }

    /// What step `number` (from 1) expects of the backend `key`.
    pub fn expectation(&self, number: usize, key: &str) -> Option<&Expectation> {
        let changed = self.exception(key).and_then(|e| e.step.get(&number.to_string()));
        changed.or_else(|| self.steps.get(number.checked_sub(1)?).map(|step| &step.expect))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, file, line, .. } = self;
        write!(formatter, "{}::{id} ({}:{line})", self.topic(), file.display())
    }
}

/// `[case.limits]`: what is not said has the default of [`Limits`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseLimits {
    /// [`Limits::timeout`] in milliseconds.
    pub timeout_ms: Option<u64>,
    /// [`Limits::cpu`] in milliseconds.
    pub cpu_ms: Option<u64>,
    /// [`Limits::memory_bytes`].
    pub memory_bytes: Option<u64>,
    /// [`Limits::output_bytes`].
    pub output_bytes: Option<u64>,
    /// [`Limits::tool_calls`].
    pub tool_calls: Option<u64>,
    /// [`Limits::host_call_bytes`].
    pub host_call_bytes: Option<u64>,
    /// [`Limits::recursion`].
    pub recursion: Option<u32>,
    /// [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// [`Limits::vfs_bytes`].
    pub vfs_bytes: Option<u64>,
}

impl CaseLimits {
    /// The limits that a session of the case gets.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            timeout: self.timeout_ms.map(Duration::from_millis).or(default.timeout),
            cpu: self.cpu_ms.map(Duration::from_millis).or(default.cpu),
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes),
            output_bytes: self.output_bytes.unwrap_or(default.output_bytes),
            tool_calls: self.tool_calls.unwrap_or(default.tool_calls),
            host_call_bytes: self.host_call_bytes.unwrap_or(default.host_call_bytes),
            recursion: self.recursion.unwrap_or(default.recursion),
            fuel: self.fuel.or(default.fuel),
            vfs_bytes: self.vfs_bytes.unwrap_or(default.vfs_bytes),
            ..default
        }
    }
}

/// One step, `[[case.step]]`: something that is done to a session, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which session. All sessions of a case have the same storage; each starts when it is first
    /// named.
    #[serde(default = "first_session")]
    pub session: String,
    /// What is done to it.
    #[serde(default)]
    pub action: Action,
    /// What is run. Needed by the action `run`, and only there.
    pub code: Option<Code>,
    /// The timeout of this run, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Interrupts the run after so many milliseconds.
    pub interrupt_after_ms: Option<u64>,
    /// Asks for the value's `repr`.
    #[serde(default)]
    pub with_repr: bool,
    /// What must come of it.
    #[serde(flatten)]
    pub expect: Expectation,
}

fn first_session() -> String {
    "a".to_owned()
}

/// What is done to a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Code is run.
    #[default]
    Run,
    /// The variables are cleared.
    Reset,
    /// The session is ended.
    Close,
}

/// Source code: a text, or pieces that are joined.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Code {
    /// A text.
    Text(String),
    /// Texts, single bytes (`0xff`) and repetitions (`{ repeat = "1+", times = 9999 }`).
    Pieces(Vec<Piece>),
}

/// A part of [`Code::Pieces`].
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Piece {
    /// A text.
    Text(String),
    /// A byte, for source that is not UTF-8.
    Byte(u8),
    /// A text again and again.
    Repetition {
        /// The text.
        repeat: String,
        /// How often.
        times: usize,
    },
}

impl Code {
    /// The bytes that are run.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Pieces(pieces) => pieces.iter().flat_map(Piece::bytes).collect(),
        }
    }
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Byte(byte) => vec![*byte],
            Self::Repetition { repeat, times } => repeat.repeat(*times).into_bytes(),
        }
    }
}

/// `[case.except.BACKEND]`: what is different on one backend, and why it may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Why.
    pub reason: String,
    /// The case is not run there.
    #[serde(default)]
    pub skip: bool,
    /// By the step's number (from 1), all that is expected there instead.
    #[serde(default)]
    pub step: BTreeMap<String, Expectation>,
}
