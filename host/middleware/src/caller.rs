//! Who is calling.

/// Who is calling: fixed for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The session that the call belongs to.
    pub session_id: String,
    /// The wall that the code runs behind.
    pub backend: String,
    /// The workspace of the session, where it has one.
    pub workspace: Option<String>,
    /// Where the call comes from: `sandbox`, or a door of the host as `host`, `mcp`, `http`.
    pub origin: String,
}

impl Caller {
    /// A caller in the sandbox of a session.
    pub fn sandbox(session_id: impl Into<String>, backend: impl Into<String>) -> Self {
        Self {
            session_id: session_id.into(),
            backend: backend.into(),
            workspace: None,
            origin: "sandbox".to_owned(),
        }
    }
}
