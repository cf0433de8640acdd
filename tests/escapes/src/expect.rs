//! How an attack may end.

use std::fmt;

use anyhow::{Context as _, bail};
use pcm_sandbox::{ErrorKind, ExecutionResult, LimitName, Value};
use serde::Deserialize;

/// One way in which a program may end, as its header says it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Outcome {
    /// `any`: whatever it is, so long as the host sees an end of it.
    Any,
    /// `ok`: without an error, and whatever the value.
    Success,
    /// `value:JSON`: without an error, and with this value.
    Value(Value),
    /// `error:NAME`: with the Python exception of this name.
    Error(String),
    /// `kind:KIND`: with an error of this kind.
    Kind(ErrorKind),
    /// `limit:NAME`: because of this limit.
    Limit(LimitName),
}

impl TryFrom<String> for Outcome {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self, anyhow::Error> {
        let name = |name: &str| Value::from(name);
        Ok(match text.split_once(':') {
            None if text == "any" => Self::Any,
            None if text == "ok" => Self::Success,
            Some(("value", json)) => {
                Self::Value(serde_json::from_str(json).with_context(|| text.clone())?)
            }
            Some(("error", error)) => Self::Error(error.to_owned()),
            Some(("kind", kind)) => {
                Self::Kind(serde_json::from_value(name(kind)).with_context(|| text.clone())?)
            }
            Some(("limit", limit)) => {
                Self::Limit(serde_json::from_value(name(limit)).with_context(|| text.clone())?)
            }
            _ => bail!("{text:?} is no outcome; there are any, ok, value:, error:, kind:, limit:"),
        })
    }
}

impl Outcome {
    /// Whether the result is of this kind.
    pub fn allows(&self, result: &ExecutionResult) -> bool {
        let error = result.error.as_ref();
        match self {
            Self::Any => true,
            Self::Success => error.is_none(),
            Self::Value(value) => error.is_none() && result.value == *value,
            Self::Error(name) => error.is_some_and(|error| error.error_type == *name),
            Self::Kind(kind) => error.is_some_and(|error| error.kind == *kind),
            Self::Limit(name) => {
                let hit = error.and_then(|error| error.limit.as_ref());
                hit.is_some_and(|hit| hit.name == *name)
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::Success => formatter.write_str("ok"),
            Self::Value(value) => write!(formatter, "value:{value}"),
            Self::Error(name) => write!(formatter, "error:{name}"),
            Self::Kind(kind) => write!(formatter, "kind:{kind}"),
            Self::Limit(name) => write!(formatter, "limit:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use pcm_sandbox::{ExecutionError, Limits, SessionState};

    use super::*;

    fn outcome(text: &str) -> Outcome {
        Outcome::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn an_outcome_is_written_as_it_is_read() {
        for text in ["any", "ok", "value:[1,\"a\"]", "error:E", "kind:timeout", "limit:cpu"] {
            assert_eq!(outcome(text).to_string(), text);
        }
        assert!(Outcome::try_from("kind:tired".to_owned()).is_err());
    }

    #[test]
    fn an_outcome_allows_its_own_kind_only() {
        let good = ExecutionResult { value: 3.into(), ..ExecutionResult::new("wasm") };
        let error = ExecutionError::limit(ErrorKind::Timeout, LimitName::Cpu, &Limits::default());
        let late = ExecutionResult::failed("wasm", error, SessionState::Reset);
        for (text, allows_good, allows_late) in [
            ("any", true, true),
            ("ok", true, false),
            ("value:3", true, false),
            ("value:4", false, false),
            ("value:null", false, false),
            ("error:TimeoutError", false, true),
            ("kind:timeout", false, true),
            ("kind:memory", false, false),
            ("limit:cpu", false, true),
            ("limit:timeout", false, false),
        ] {
            let allowed = (outcome(text).allows(&good), outcome(text).allows(&late));
            assert_eq!(allowed, (allows_good, allows_late), "{text}");
        }
    }
}
