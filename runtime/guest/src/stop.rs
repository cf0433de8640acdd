//! Why a run was stopped from outside.

use pcm_runtime_api::{ErrorKind, ExecutionError, LimitName, Limits};

/// The reason for which a wall stops a run, or asks it to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// It took too long.
    #[error("the run took too long")]
    Timeout,
    /// It took too much processor time.
    #[error("the run took too much processor time")]
    Cpu,
    /// It used up its fuel.
    #[error("the run used up its fuel")]
    Fuel,
    /// It used up its memory, so that not even that could be told.
    #[error("the run used up its memory")]
    Memory,
    /// It wrote far more than is kept.
    #[error("the run wrote too much")]
    Output,
    /// Somebody interrupted it.
    #[error("the run was interrupted")]
    Cancelled,
}

impl Stop {
    /// The error of a run that was stopped for this reason.
    pub fn error(self, limits: &Limits) -> ExecutionError {
        let (kind, limit) = match self {
            Self::Timeout => (ErrorKind::Timeout, LimitName::Timeout),
            Self::Cpu => (ErrorKind::Timeout, LimitName::Cpu),
            Self::Fuel => (ErrorKind::Fuel, LimitName::Fuel),
            Self::Memory => (ErrorKind::Memory, LimitName::Memory),
            Self::Output => (ErrorKind::Output, LimitName::Output),
            Self::Cancelled => return ExecutionError::new(ErrorKind::Cancelled, self.to_string()),
        };
        ExecutionError::limit(kind, limit, limits)
    }
}
