//! Values that cross the wall.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value as JSON, and beside it the types that JSON has no word for.
///
/// `types` maps JSON pointers to the type of the value at that place. A marker inside the value
/// would be open to forgery: data from the guest could pose as one.
///
/// ```
/// use pcm_runtime_api::{Payload, ValueType};
///
/// let payload = Payload::from(serde_json::json!({"data": "aGk="}))
///     .with_type("/data", ValueType::Bytes);
/// assert_eq!(
///     serde_json::to_string(&payload)?,
///     r#"{"value":{"data":"aGk="},"types":{"/data":"bytes"}}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The value as far as JSON can say it.
    #[serde(default)]
    pub value: Value,
    /// By JSON pointer, what a place of the value was in Python.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, ValueType>,
}

impl Payload {
    /// Names the type of the value at `pointer`.
    #[must_use]
    pub fn with_type(mut self, pointer: impl Into<String>, kind: ValueType) -> Self {
        self.types.insert(pointer.into(), kind);
        self
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self { value, types: BTreeMap::new() }
    }
}

/// A Python type that is carried as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `bytes`, as base64.
    Bytes,
    /// `datetime.datetime`, as ISO 8601.
    Datetime,
    /// `datetime.date`, as ISO 8601.
    Date,
    /// `datetime.time`, as ISO 8601.
    Time,
    /// `datetime.timedelta`, in seconds.
    Timedelta,
    /// `decimal.Decimal`.
    Decimal,
    /// `fractions.Fraction`.
    Fraction,
    /// `complex`.
    Complex,
    /// `uuid.UUID`.
    Uuid,
    /// `pathlib.PurePath`.
    Path,
    /// A `float` that JSON cannot say: `NaN`, `Infinity`, `-Infinity`.
    Float,
    /// An `int` beyond 64 bits, decimal or `0x` hexadecimal.
    Int,
}

/// What the parts of a JSON text take in memory, roughly, once they are values. Two bytes of text can
/// become a value, and five an object with a table of its own.
const VALUE_BYTES: u64 = 80;
const ARRAY_BYTES: u64 = 200;
const OBJECT_BYTES: u64 = 500;

/// What a JSON text will take in memory, before any of it is built. Depth is serde's to bound.
///
/// ```
/// use pcm_runtime_api::json_cost;
///
/// assert!(json_cost(b"[[],[],[]]") > 800);
/// assert_eq!(json_cost(br#""[[],[],[]]""#), 12);
/// ```
pub fn json_cost(text: &[u8]) -> u64 {
    let (mut bytes, mut in_string, mut escaped) = (text.len() as u64, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_string = true,
                b',' => bytes += VALUE_BYTES,
                b'[' => bytes += ARRAY_BYTES,
                b'{' => bytes += OBJECT_BYTES,
                _ => {}
            }
        }
    }
    bytes
}
