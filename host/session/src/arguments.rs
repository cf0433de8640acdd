//! The arguments of a call, which the guest may have made up.

use std::collections::BTreeMap;

use pcm_runtime_api::{HostCall, HostError, Payload, ValueType};
use serde_json::{Map, Value};

/// How many records a search gives at most, whatever it is asked for.
const MOST_FOUND: u64 = 1000;

/// The arguments of one call, taken out by their names.
#[derive(Debug)]
pub(crate) struct Arguments {
    values: Map<String, Value>,
    types: BTreeMap<String, ValueType>,
}

impl Arguments {
    pub(crate) fn of(call: HostCall) -> Result<Self, HostError> {
        let Payload { value, types } = call.args;
        match value {
            Value::Object(values) => Ok(Self { values, types }),
            _ => Err(type_error("the arguments of a call are an object")),
        }
    }

    /// An argument that must be a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, HostError> {
        match self.values.remove(name) {
            Some(Value::String(text)) if !self.is_typed(name) => Ok(text),
            None | Some(Value::Null) => Err(type_error(&format!("{name} is missing"))),
            Some(_) => Err(type_error(&format!("{name} is not a string"))),
        }
    }

    /// An argument that may be missing, and then is the empty text.
    pub(crate) fn text_or_empty(&mut self, name: &str) -> Result<String, HostError> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(_) => self.text(name),
        }
    }

    /// How many results are wanted; `usual` if it is not said.
    pub(crate) fn limit(&mut self, usual: usize) -> Result<usize, HostError> {
        match self.values.remove("limit") {
            None | Some(Value::Null) => Ok(usual),
            Some(limit) => match limit.as_u64() {
                Some(limit) => Ok(usize::try_from(limit.min(MOST_FOUND)).unwrap_or(usual)),
                None => {
                    Err(HostError::new("ValueError", "limit is not a whole number of at least 0"))
                }
            },
        }
    }

    /// An argument that may be anything, with the types inside it.
    pub(crate) fn payload(&mut self, name: &str) -> Result<Payload, HostError> {
        let Some(value) = self.values.remove(name) else {
            return Err(type_error(&format!("{name} is missing")));
        };
        let types = self.types.iter().filter_map(|(pointer, kind)| {
            let rest = pointer.strip_prefix('/')?.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (rest.to_owned(), *kind))
        });
        Ok(Payload { value, types: types.collect() })
    }

    /// An argument that may be missing.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// Whether a string stands for something else, as `bytes`.
    fn is_typed(&self, name: &str) -> bool {
        !self.types.is_empty() && self.types.contains_key(&format!("/{name}"))
    }
}

fn type_error(message: &str) -> HostError {
    HostError::new("TypeError", message)
}

#[cfg(test)]
mod tests {
    use pcm_runtime_api::Namespace;
    use serde_json::json;

    use super::*;

    fn arguments(args: Payload) -> Result<Arguments, HostError> {
        let (namespace, op) = (Namespace::Artifacts, "save".to_owned());
        Arguments::of(HostCall { namespace, op, args })
    }

    fn message<T>(outcome: Result<T, HostError>) -> Option<String> {
        outcome.err().map(|error| error.message)
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() -> Result<(), HostError> {
        let args = Payload::from(json!({"name": 1, "data": "aGk=", "limit": -1}))
            .with_type("/data", ValueType::Bytes);
        let mut args = arguments(args)?;
        assert_eq!(message(args.text("name")).as_deref(), Some("name is not a string"));
        assert_eq!(message(args.text("data")).as_deref(), Some("data is not a string"));
        assert_eq!(message(args.text("query")).as_deref(), Some("query is missing"));
        assert!(args.limit(5).is_err());
        assert_eq!(args.limit(5)?, 5);
        assert!(arguments(Payload::from(json!([]))).is_err());
        Ok(())
    }

    #[test]
    fn types_go_with_the_value_they_are_of() -> Result<(), HostError> {
        let args = Payload::from(json!({"data": ["aGk="], "data2": "1"}))
            .with_type("/data/0", ValueType::Bytes)
            .with_type("/data2", ValueType::Decimal);
        let data = arguments(args)?.payload("data")?;
        assert_eq!(data, Payload::from(json!(["aGk="])).with_type("/0", ValueType::Bytes));
        Ok(())
    }
}
