//! What an argument is.

use base64::Engine as _;
use pcm_runtime_api::{Payload, ValueType};
use serde_json::{Map, Value};

use super::number::Number;
use super::tree::{Literal, Path, Step};

/// The value at a place of the arguments.
pub(super) enum Found<'a> {
    Missing,
    Null,
    Bool(bool),
    Number(Number<'a>),
    Text(&'a str),
    /// Bytes, by their number.
    Bytes(usize),
    List(&'a [Value]),
    Object(&'a Map<String, Value>),
    /// A value that the language does not look into: NaN, a date, a decimal and so on.
    Opaque,
}

/// Looks up `path`. For a list, `items` of the result are looked up with [`item`].
pub(super) fn find<'a>(args: &'a Payload, path: &Path) -> Found<'a> {
    let mut value = &args.value;
    let mut pointer = Pointer::new(args);
    for step in &path.0 {
        let next = match (step, value) {
            (Step::Key(key), Value::Object(fields)) => fields.get(key),
            (Step::Index(index), Value::Array(items)) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else { return Found::Missing };
        pointer.push(step);
        value = next;
    }
    found(value, pointer.kind(args))
}

/// The item number `index` of the list at `path`.
pub(super) fn item<'a>(
    args: &'a Payload,
    path: &Path,
    index: usize,
    value: &'a Value,
) -> Found<'a> {
    let mut pointer = Pointer::new(args);
    for step in &path.0 {
        pointer.push(step);
    }
    pointer.push(&Step::Index(index));
    found(value, pointer.kind(args))
}

fn found(value: &Value, kind: Option<ValueType>) -> Found<'_> {
    match (value, kind) {
        (Value::Null, None) => Found::Null,
        (Value::Bool(value), None) => Found::Bool(*value),
        (Value::Number(number), None) => {
            let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            match (whole, number.as_f64().and_then(Number::float)) {
                (Some(whole), _) => Found::Number(Number::Int(whole)),
                (None, Some(float)) => Found::Number(float),
                (None, None) => Found::Opaque,
            }
        }
        (Value::String(text), None | Some(ValueType::Path)) => Found::Text(text),
        (Value::String(text), Some(ValueType::Int)) => {
            Number::integer(text).map_or(Found::Opaque, Found::Number)
        }
        (Value::String(text), Some(ValueType::Float)) => match text.as_str() {
            "Infinity" => Found::Number(Number::Float(f64::INFINITY)),
            "-Infinity" => Found::Number(Number::Float(f64::NEG_INFINITY)),
            _ => Found::Opaque,
        },
        (Value::String(text), Some(ValueType::Bytes)) => {
            // Decoded for its length: what is no base64 has none that everybody agrees on.
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            decoded.map_or(Found::Opaque, |bytes| Found::Bytes(bytes.len()))
        }
        (Value::Array(items), None) => Found::List(items),
        (Value::Object(fields), None) => Found::Object(fields),
        _ => Found::Opaque,
    }
}

impl From<&Literal> for Found<'_> {
    fn from(literal: &Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Number(number) => Self::Number(number.clone()),
            Literal::Text(_) => Self::Opaque,
        }
    }
}

/// A JSON pointer, built only where there are types to look up.
struct Pointer(Option<String>);

impl Pointer {
    fn new(args: &Payload) -> Self {
        Self((!args.types.is_empty()).then(String::new))
    }

    fn push(&mut self, step: &Step) {
        let Some(text) = &mut self.0 else { return };
        text.push('/');
        match step {
            Step::Key(key) => text.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => text.push_str(&index.to_string()),
        }
    }

    fn kind(&self, args: &Payload) -> Option<ValueType> {
        args.types.get(self.0.as_ref()?).copied()
    }
}

/// Whether every type is that of a string, under the one pointer that leads to it.
///
/// Everybody who reads arguments must see the same types. A second spelling of a pointer (`/a/00`,
/// `/a~b`) could give a value a type for the port that it did not have for the policy.
pub(crate) fn types_are_sound(args: &Payload) -> bool {
    args.types.keys().all(|pointer| {
        let is_canonical = pointer
            .split('~')
            .skip(1)
            .all(|after| after.starts_with('0') || after.starts_with('1'));
        is_canonical && args.value.pointer(pointer).is_some_and(Value::is_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_has_one_pointer_and_a_string() {
        let args = json!({"a": ["1", 2], "b/c": "1", "d~e": "1"});
        let is_sound = |pointer: &str| {
            types_are_sound(&Payload::from(args.clone()).with_type(pointer, ValueType::Int))
        };
        for pointer in ["/a/0", "/b~1c", "/d~0e"] {
            assert!(is_sound(pointer), "{pointer}");
        }
        for pointer in [
            "", "/", "/a", "/a/1", "/a/00", "/a/+0", "/a/-1", "/a/9", "/x", "/d~e", "/d~", "a/0",
            "/b/c",
        ] {
            assert!(!is_sound(pointer), "{pointer}");
        }
    }
}
