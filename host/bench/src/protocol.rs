//! What a driver is asked and what it answers: one line of JSON each, one after the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest line of a driver that is read: samples, and at most a page of output.
pub(crate) const LONGEST_LINE: u64 = 16 << 20;

/// What a driver is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Who it is.
    Hello,
    /// A scenario begins; what it needs may be made now.
    Begin {
        /// Its key.
        scenario: String,
        /// The code that it is about.
        text: Vec<String>,
    },
    /// So many samples of the scenario.
    Batch {
        /// How many.
        count: u32,
    },
    /// So many sessions, all of which have run, shall live.
    Hold {
        /// How many, with those that do already.
        count: u32,
    },
    /// The scenario ends, and with it its sessions.
    End,
}

/// What a driver answers. What was not asked for is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Why it could not be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<Hello>,
    /// By its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<f64>>,
    /// What the code of the last sample printed, where that is to be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// Who a driver is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its name for people.
    pub name: String,
    /// The version of what it drives.
    pub version: String,
    /// What else there is to know, such as the version of its Python.
    #[serde(default)]
    pub about: BTreeMap<String, String>,
    /// The scenarios that it takes part in: keys, or `programs` and `throughput` for all of those.
    pub scenarios: Vec<String>,
    /// What a reader has to know of a scenario, by its key.
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
    /// How a process of it is started.
    #[serde(default)]
    pub process: Option<ProcessSpec>,
}

/// A command whose first result is waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What its environment has besides.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What it reads from standard input.
    #[serde(default)]
    pub input: String,
    /// What the line with the result has in it.
    pub expect: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_line_that_drivers_in_any_language_read() {
        let request = Request::Begin { scenario: "cpu-fib".to_owned(), text: vec!["1".to_owned()] };
        let line = serde_json::to_string(&request).unwrap_or_default();
        assert_eq!(line, r#"{"do":"begin","scenario":"cpu-fib","text":["1"]}"#);
        assert_eq!(serde_json::from_str::<Request>(&line).ok(), Some(request));
        assert_eq!(
            serde_json::to_string(&Request::Hello).ok().as_deref(),
            Some(r#"{"do":"hello"}"#)
        );
    }

    #[test]
    fn null_is_as_good_as_nothing_in_a_reply() -> Result<(), serde_json::Error> {
        let reply: Reply = serde_json::from_str(r#"{"samples": [0.5], "output": null}"#)?;
        assert_eq!(reply, Reply { samples: Some(vec![0.5]), ..Reply::default() });
        Ok(())
    }
}
