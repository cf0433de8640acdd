//! The arguments of a call, by name and type.

use rmcp::model::JsonObject;
use serde_json::{Map, Value};

/// The most results of a search.
const MOST_FOUND: u64 = 100;

/// What is left to be read of the arguments.
#[derive(Debug)]
pub(crate) struct Arguments(JsonObject);

impl Arguments {
    pub(crate) fn new(arguments: Option<JsonObject>) -> Self {
        Self(arguments.unwrap_or_default())
    }

    /// A text that has to be there.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        self.text_or_none(name)?.ok_or_else(|| format!("the argument {name} is missing"))
    }

    /// A text that may be left out.
    pub(crate) fn text_or_none(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("the argument {name} has to be a string")),
        }
    }

    /// How many results are wanted.
    pub(crate) fn limit(&mut self, usual: u64) -> Result<usize, String> {
        let limit = match self.0.shift_remove("limit") {
            None | Some(Value::Null) => usual,
            Some(limit) => whole(&limit)
                .filter(|limit| (1..=MOST_FOUND).contains(limit))
                .ok_or_else(|| format!("the argument limit has to be from 1 to {MOST_FOUND}"))?,
        };
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// An object that may be left out.
    pub(crate) fn object(&mut self, name: &str) -> Result<Map<String, Value>, String> {
        match self.0.shift_remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(format!("the argument {name} has to be an object")),
        }
    }

    /// Whatever is there.
    pub(crate) fn any(&mut self, name: &str) -> Result<Value, String> {
        self.0.shift_remove(name).ok_or_else(|| format!("the argument {name} is missing"))
    }

    /// Refuses what nobody has read: a misspelt argument is not one that was left out.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                Err(format!("there is no argument {name:?}"))
            }
        }
    }
}

/// Clients write whole numbers as 5.0, too.
fn whole(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float beyond the bounds becomes the nearest bound, which is refused"
    )]
    let of_float = |float: f64| (float.fract() == 0.0).then_some(float as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: &Value) -> Arguments {
        Arguments::new(value.as_object().cloned())
    }

    #[test]
    fn arguments_are_read_by_name_and_type() {
        let mut given = arguments(&json!({"code": "1", "limit": 5.0, "metadata": {"a": 1}}));
        assert_eq!(given.text("code").unwrap(), "1");
        assert_eq!(given.limit(10).unwrap(), 5);
        assert_eq!(given.object("metadata").unwrap().len(), 1);
        assert_eq!(given.text_or_none("session_id").unwrap(), None);
        given.finish().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(arguments(&json!({})).text("code").unwrap_err(), "the argument code is missing");
        let wrong = arguments(&json!({"code": 5})).text("code").unwrap_err();
        assert_eq!(wrong, "the argument code has to be a string");
        for limit in [json!(0), json!(-1), json!(101), json!("5"), json!(1.5), json!(1e300)] {
            assert!(arguments(&json!({"limit": limit})).limit(5).is_err(), "{limit}");
        }
        let unknown = arguments(&json!({"cod": "1"})).finish().unwrap_err();
        assert_eq!(unknown, "there is no argument \"cod\"");
    }
}
