//! Values as Python writes them.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The value as `str(value)` gives it in Python; none for a list or a mapping.
pub(crate) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(value) => number(value),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// The value as an expression.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Value::Object(items) => {
            let item =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), literal(value));
            format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(", "))
        }
        plain => text(plain).unwrap_or_default(),
    }
}

/// The text as a string literal in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for each in text.chars() {
        push_escaped(&mut quoted, each);
    }
    quoted.push('"');
    quoted
}

/// The text as a docstring whose further lines are indented.
pub(crate) fn docstring(text: &str, indent: &str) -> String {
    let mut quoted = String::from("\"\"\"");
    for (index, line) in text.trim().lines().enumerate() {
        if index > 0 {
            quoted.push('\n');
            if !line.trim().is_empty() {
                quoted.push_str(indent);
            }
        }
        for each in line.trim_end().chars() {
            push_escaped(&mut quoted, each);
        }
    }
    quoted.push_str("\"\"\"");
    quoted
}

fn push_escaped(quoted: &mut String, each: char) {
    match each {
        '"' | '\\' => quoted.extend(['\\', each]),
        '\n' => quoted.push_str("\\n"),
        '\t' => quoted.push_str("\\t"),
        // What ends a line for Python's tokenizer or for a reader's eye, and what cannot be seen.
        each if each.is_control() || matches!(each, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
            let _ = write!(quoted, "\\u{:04x}", u32::from(each));
        }
        each => quoted.push(each),
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float(value),
        _ => number.to_string(),
    }
}

/// The shortest digits that give the number back; with an exponent from 1e16 and below 1e-4.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(power) = exponent.parse::<i32>() else { return scientific };
    if (-4..16).contains(&power) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_written_as_python_prints_them() {
        for (value, expected) in [
            (json!(1), "1"),
            (json!(-7), "-7"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1.0), "1.0"),
            (json!(0.1), "0.1"),
            (json!(-2.5), "-2.5"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1.5e-5), "1.5e-05"),
            (json!(0.0001), "0.0001"),
            (json!(1.797_693_134_862_315_7e308), "1.7976931348623157e+308"),
            (json!(true), "True"),
            (json!(false), "False"),
            (json!("as it is"), "as it is"),
        ] {
            assert_eq!(text(&value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(text(&json!([1])), None);
        assert_eq!(text(&json!({})), None);
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal(&json!("a\"\n\\\u{2028}\0")), r#""a\"\n\\\u2028\u0000""#);
        assert_eq!(literal(&json!({"a": [1, null, true]})), r#"{"a": [1, None, True]}"#);
        assert_eq!(
            docstring("a \"\"\" b\\\n\n c ", "  "),
            "\"\"\"a \\\"\\\"\\\" b\\\\\n\n   c\"\"\""
        );
    }
}
