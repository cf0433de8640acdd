//! What takes longer tells how far it is.

use std::fmt;
use std::sync::Arc;

/// Hears lines for people, one for every step that may take a second.
#[derive(Clone)]
pub(crate) struct Progress(pub(crate) Arc<dyn Fn(&str) + Send + Sync>);

impl Progress {
    pub(crate) fn new(hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hears))
    }

    pub(crate) fn say(&self, line: &str) {
        (self.0)(line);
    }
}

impl Default for Progress {
    /// Nobody hears.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}
