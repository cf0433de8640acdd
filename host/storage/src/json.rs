//! JSON and texts as Python writes them.
//!
//! The other system that may share a store writes with `json.dumps`; what is written here has the
//! same bytes, so that a value saved by either is not changed by being saved by the other.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// As `json.dumps(value)`: on one line.
pub(crate) fn dumps(value: &impl Serialize) -> Result<String, serde_json::Error> {
    write(value, Line)
}

/// As `json.dumps(value, indent=2)`.
pub(crate) fn dumps_indented(value: &impl Serialize) -> Result<String, serde_json::Error> {
    write(value, Indented(PrettyFormatter::new()))
}

fn write(value: &impl Serialize, formatter: impl Formatter) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    String::from_utf8(bytes).map_err(|error| serde_json::Error::io(io::Error::other(error)))
}

/// As `str(value)`, for what is neither a list nor a mapping.
pub(crate) fn text_of(scalar: &Value) -> String {
    match scalar {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As `repr(value)`: the shortest digits that are read as the same number, with an exponent where it
/// is less than -4 or more than 15.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(power) if (-4..16).contains(&power) => format!("{value:?}"),
        Ok(power) => {
            let sign = if power < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", power.unsigned_abs())
        }
        Err(_) => scientific,
    }
}

/// `", "` and `": "` between things, and nothing but ASCII in strings.
struct Line;

impl Formatter for Line {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Two spaces for each level, and nothing but ASCII in strings.
struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Writes what needs no escape in JSON, and escapes what is not printable ASCII all the same.
fn write_ascii<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    if fragment.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return writer.write_all(fragment.as_bytes());
    }
    for char in fragment.chars() {
        if matches!(char, ' '..='~') {
            write!(writer, "{char}")?;
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_as_python_writes_it() {
        let value =
            json!({"a": [1, 2.0, -0.5], "b": {}, "c": [], "é☃": "😀\u{7f}\n\"\\\u{1}/", "n": null});
        let expected = concat!(
            r#"{"a": [1, 2.0, -0.5], "b": {}, "c": [], "\u00e9\u2603": "#,
            r#""\ud83d\ude00\u007f\n\"\\\u0001/", "n": null}"#
        );
        assert_eq!(dumps(&value).unwrap(), expected);
    }

    #[test]
    fn an_indented_text_is_as_python_writes_it() {
        let value = json!({"a": [1, {"b": true}], "c": {}, "d": []});
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": true\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(dumps_indented(&value).unwrap(), expected);
    }

    #[test]
    fn floats_are_as_python_writes_them() {
        let expected = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ];
        for (value, text) in expected {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn scalars_are_as_str_gives_them() {
        let texts = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(42), "42"),
            (json!(-1e100), "-1e+100"),
            (json!("x"), "x"),
        ];
        for (value, text) in texts {
            assert_eq!(text_of(&value), text);
        }
    }
}
