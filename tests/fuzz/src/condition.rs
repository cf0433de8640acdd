//! Conditions of a policy: a first line that is one, and arguments as JSON behind it.

use pcm_middleware::Condition;
use pcm_runtime_api::Payload;
use serde_json::Value;

/// What is read is written as something that is read as the same, and decides the same; `not` turns every
/// decision around, and `and` with itself changes none.
pub fn condition(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (line, rest) = text.split_once('\n').unwrap_or((text, "{}"));
    let condition = match line.parse::<Condition>() {
        Ok(condition) => condition,
        Err(error) => {
            let columns = line.chars().count() + 1;
            assert!((1..=columns).contains(&error.column), "column {} of {columns}", error.column);
            return;
        }
    };
    let written = condition.to_string();
    let args = Payload::from(serde_json::from_str::<Value>(rest).unwrap_or_default());
    let decided = condition.holds(&args);
    // What was written may be longer than what may be read.
    if let Ok(again) = written.parse::<Condition>() {
        assert_eq!(again.to_string(), written);
        assert_eq!(again.holds(&args), decided, "{written}");
    } else {
        assert!(written.len() > line.len(), "{written:?} is not read again");
    }
    if let Ok(other) = format!("not ({line})").parse::<Condition>() {
        assert_eq!(other.holds(&args), decided.map(|holds| !holds), "{other}");
    }
    if let Ok(both) = format!("({line}) and ({line})").parse::<Condition>() {
        assert_eq!(both.holds(&args), decided, "{both}");
    }
}
