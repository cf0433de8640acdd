//! The arguments of a call, as they are written in a shell.

use pcm_sandbox::{Map, Value};

use super::exit::Failure;

/// `KEY=VALUE`, as often as wanted.
pub(crate) fn arguments(words: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut named = Map::new();
    for word in words {
        let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::usage(format!("{word:?} is no argument such as url=VALUE")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        if named.insert(key.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("{key} is given twice")));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use pcm_sandbox::json;

    use super::*;

    fn parsed(words: &[&str]) -> Option<Value> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        arguments(&words).ok().map(Value::Object)
    }

    #[test]
    fn arguments_are_json_or_text() {
        assert_eq!(
            parsed(&["a=5", "b=true", "c=[1,2]", "d=x=y", "e=", "f=\"5\""]),
            Some(json!({"a": 5, "b": true, "c": [1, 2], "d": "x=y", "e": "", "f": "5"}))
        );
        assert_eq!(parsed(&["a"]), None);
        assert_eq!(parsed(&["=a"]), None);
        assert_eq!(parsed(&["a=1", "a=2"]), None);
    }
}
