//! One run: what is asked for, and what is heard while it goes on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Limits, MimeBundle, Namespace};

/// Code to run, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct RunRequest {
    /// The source as Python reads a file: UTF-8 unless it declares another encoding.
    pub code: Vec<u8>,
    /// In place of the session's timeout.
    pub timeout: Option<Duration>,
    /// In place of the session's limits.
    pub limits: Option<Limits>,
    /// Whether the result shall always have the value's `repr`, not only where there is no value.
    pub repr: bool,
    /// Hears what happens while the code runs.
    pub events: Option<EventSink>,
}

impl RunRequest {
    /// A run of `code` under the session's limits.
    pub fn new(code: impl Into<Vec<u8>>) -> Self {
        Self { code: code.into(), timeout: None, limits: None, repr: false, events: None }
    }

    /// Replaces the session's timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Replaces the session's limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Asks for the value's `repr`.
    #[must_use]
    pub fn with_repr(mut self) -> Self {
        self.repr = true;
        self
    }

    /// Sends events to `listener`, from whatever thread they happen on. It must not block.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(RunEvent) + Send + Sync + 'static) -> Self {
        self.events = Some(Arc::new(listener));
        self
    }

    /// The limits that hold for this run of a session with the limits `session`.
    pub fn limits_over(&self, session: &Limits) -> Limits {
        let mut limits = self.limits.as_ref().unwrap_or(session).clone();
        limits.timeout = self.timeout.or(limits.timeout);
        limits
    }
}

impl fmt::Debug for RunRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RunRequest")
            .field("code", &String::from_utf8_lossy(&self.code))
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Takes the events of a run.
pub type EventSink = Arc<dyn Fn(RunEvent) + Send + Sync>;

/// Something that happened while code ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// Text on standard output or standard error, as it was written.
    Output {
        /// Which of the two.
        stream: OutputStream,
        /// The text.
        text: String,
    },
    /// A rich result.
    Display {
        /// Its forms by MIME type.
        bundle: MimeBundle,
    },
    /// A call to the host began.
    CallStarted {
        /// Counts the calls of the run from 1.
        call: u64,
        /// The namespace that was used.
        namespace: Namespace,
        /// The operation.
        op: String,
    },
    /// A call to the host ended.
    CallFinished {
        /// The number of [`RunEvent::CallStarted`].
        call: u64,
        /// Whether it gave a value.
        ok: bool,
        /// How long it took.
        duration_ms: f64,
    },
    /// Something that takes a while moved on.
    Progress {
        /// What is being done.
        message: String,
    },
}

/// One of the two streams of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// `sys.stdout`.
    Stdout,
    /// `sys.stderr`.
    Stderr,
}
