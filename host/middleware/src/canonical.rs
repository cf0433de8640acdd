//! The hash that stands for a call's arguments.

use std::fmt;
use std::io;
use std::slice;
use std::vec;

use pcm_runtime_api::Payload;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 of a call's name and arguments in one canonical form.
///
/// Hashed is the JSON text `{"args":…,"name":…,"op":…,"types":…}` without white space: the qualified
/// name, the operation, the arguments, and the types beside them by JSON pointer. The keys of every
/// object are sorted by their UTF-8 bytes, strings escape only what JSON demands, and numbers are
/// written in the shortest form that reads back the same: `1` and `1.0` are different arguments, as
/// they are in Python.
///
/// It is no cover for what can be guessed: arguments with few possible values can be found by trying.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArgsDigest {
    sha256: [u8; 32],
    bytes: u64,
}

impl ArgsDigest {
    /// The length of the text that was hashed.
    pub fn canonical_bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for ArgsDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.sha256))
    }
}

impl fmt::Debug for ArgsDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for ArgsDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.sha256))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

/// Hashes without copying the value: it may be as large as what crosses the wall.
pub(crate) fn digest(name: &str, op: &str, args: &Payload) -> ArgsDigest {
    let mut out = HashWriter::new();
    out.put(b"{\"args\":");
    write_value(&mut out, &args.value);
    out.put(b",\"name\":");
    out.json(name);
    out.put(b",\"op\":");
    out.json(op);
    out.put(b",\"types\":");
    out.json(&args.types);
    out.put(b"}");
    out.finish()
}

/// The parts of a container that are still to be written.
enum Rest<'a> {
    Array(slice::Iter<'a, Value>),
    Object(vec::IntoIter<(&'a String, &'a Value)>),
}

/// With a stack of its own: the depth of a value is not this function's to trust.
fn write_value(out: &mut HashWriter, value: &Value) {
    let mut open: Vec<(Rest<'_>, bool)> = Vec::new();
    let mut next = Some(value);
    loop {
        match next.take() {
            Some(Value::Array(items)) => {
                out.put(b"[");
                open.push((Rest::Array(items.iter()), true));
            }
            Some(Value::Object(fields)) => {
                out.put(b"{");
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| *key);
                open.push((Rest::Object(fields.into_iter()), true));
            }
            Some(scalar) => out.json(scalar),
            None => {}
        }
        let Some((rest, is_first)) = open.last_mut() else { return };
        let comma: &[u8] = if *is_first { b"" } else { b"," };
        *is_first = false;
        let end: &[u8] = match rest {
            Rest::Array(items) => {
                next = items.next();
                b"]"
            }
            Rest::Object(fields) => {
                if let Some((key, value)) = fields.next() {
                    out.put(comma);
                    out.json(key);
                    out.put(b":");
                    next = Some(value);
                    continue;
                }
                b"}"
            }
        };
        if next.is_some() {
            out.put(comma);
        } else {
            out.put(end);
            open.pop();
        }
    }
}

/// Gathers the many small pieces of a JSON text before they are hashed.
struct HashWriter {
    hasher: Sha256,
    buffer: Vec<u8>,
    bytes: u64,
}

const BUFFER: usize = 1024;

impl HashWriter {
    fn new() -> Self {
        Self { hasher: Sha256::new(), buffer: Vec::with_capacity(BUFFER), bytes: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > BUFFER {
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        // Neither can fail: what is written has JSON's own types, and `write` takes everything.
        serde_json::to_writer(self, value).ok();
    }

    fn finish(mut self) -> ArgsDigest {
        self.hasher.update(&self.buffer);
        ArgsDigest { sha256: self.hasher.finalize().into(), bytes: self.bytes }
    }
}

impl io::Write for &mut HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcm_runtime_api::ValueType;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(args: Value) -> ArgsDigest {
        digest("tools.x", "call", &args.into())
    }

    #[test]
    fn the_text_is_the_documented_one() {
        let args = Payload::from(json!({"b": [1, 2.5, null, {}], "a": {"é\n": [], "d": -1}}))
            .with_type("/b/0", ValueType::Int);
        let text = concat!(
            r#"{"args":{"a":{"d":-1,"é\n":[]},"b":[1,2.5,null,{}]},"name":"tools.x","op":"call","#,
            r#""types":{"/b/0":"int"}}"#
        );
        let digest = digest("tools.x", "call", &args);
        assert_eq!(digest.to_string(), hex(&Sha256::digest(text)));
        assert_eq!(digest.canonical_bytes(), text.len() as u64);
    }

    #[test]
    fn order_of_keys_does_not_count_and_everything_else_does() {
        assert_eq!(of(json!({"a": 1, "b": 2})), of(json!({"b": 2, "a": 1})));
        let all = [
            json!({"a": 1}),
            json!({"a": 1.0}),
            json!({"a": "1"}),
            json!({"a": true}),
            json!({"a": [1]}),
            json!({"A": 1}),
            json!({"a": 1, "b": null}),
            json!({"a": 18_446_744_073_709_551_615_u64}),
            json!({"a": 18_446_744_073_709_551_614_u64}),
        ];
        for (at, one) in all.iter().enumerate() {
            for other in all.iter().skip(at + 1) {
                assert_ne!(of(one.clone()), of(other.clone()), "{one} {other}");
            }
        }
        let typed = Payload::from(json!({"a": "1"})).with_type("/a", ValueType::Decimal);
        assert_ne!(digest("tools.x", "call", &typed), of(json!({"a": "1"})));
        let plain = Payload::from(json!({"a": 1}));
        assert_ne!(digest("tools.y", "call", &plain), of(json!({"a": 1})));
        assert_ne!(digest("tools.x", "list", &plain), of(json!({"a": 1})));
    }

    #[test]
    fn depth_and_length_take_no_stack() {
        let mut deep = Value::Null;
        for _ in 0..10_000 {
            deep = Value::Array(vec![deep]);
        }
        let mut payload = Payload::from(deep);
        assert_ne!(digest("tools.x", "call", &payload), of(Value::Null));
        // Dropping it level by level: `Value` recurses.
        while let Value::Array(items) = &mut payload.value {
            payload.value = items.pop().unwrap_or_default();
        }
        assert_ne!(of(json!("x".repeat(100_000))), of(json!("x".repeat(100_001))));
    }

    proptest! {
        #[test]
        fn strings_of_any_length_hash_as_their_text(parts in proptest::collection::vec(".{0,900}", 0..6)) {
            let args = json!(parts);
            let text = format!(r#"{{"args":{args},"name":"tools.x","op":"call","types":{{}}}}"#);
            prop_assert_eq!(of(args).to_string(), hex(&Sha256::digest(text)));
        }
    }
}
