//! How much of the jail is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::JailError;

/// How much of the jail is wanted: `--jail strict|default|off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JailMode {
    /// All parts. The process does not go on when one is missing.
    Strict,
    /// All parts that this system permits. What is missing is reported.
    #[default]
    Default,
    /// None. For debugging, and where something else surrounds the process.
    Off,
}

impl fmt::Display for JailMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Off => "off",
        })
    }
}

impl FromStr for JailMode {
    type Err = JailError;

    fn from_str(text: &str) -> Result<Self, JailError> {
        match text {
            "strict" => Ok(Self::Strict),
            "default" => Ok(Self::Default),
            "off" => Ok(Self::Off),
            _ => Err(JailError::Mode(text.to_owned())),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in [JailMode::Strict, JailMode::Default, JailMode::Off] {
            assert_eq!(mode.to_string().parse::<JailMode>().unwrap(), mode);
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
    }

    #[test]
    fn another_word_is_no_mode_and_the_modes_are_named() {
        let error = "Strict".parse::<JailMode>().unwrap_err().to_string();
        assert_eq!(error, "\"Strict\" is no jail; it is `strict`, `default` or `off`");
    }
}
