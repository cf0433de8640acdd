//! Redacting values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_runtime_api::{Payload, ValueType};
use serde_json::{Map, Value};

use super::redactor::Redactor;

/// Deeper values are hidden as a whole. What crosses the wall is not that deep.
const MAX_DEPTH: usize = 256;
const TOO_DEEP: &str = "[redacted: nested too deep to look at]";
const BY_NAME: &str = "[redacted]";

/// What happens to the values of keys whose names speak of secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Shown,
    Hidden,
}

/// One pass through a value. The types beside it move with what they are about.
pub(super) struct Walk<'a> {
    redactor: &'a Redactor,
    keys: Keys,
    old_types: BTreeMap<String, ValueType>,
    new_types: BTreeMap<String, ValueType>,
    /// Where the walk is, as a pointer into what it was and into what it becomes. Kept only where
    /// there are types.
    old_place: String,
    new_place: String,
}

impl<'a> Walk<'a> {
    pub(super) fn new(redactor: &'a Redactor, keys: Keys) -> Self {
        Self {
            redactor,
            keys,
            old_types: BTreeMap::new(),
            new_types: BTreeMap::new(),
            old_place: String::new(),
            new_place: String::new(),
        }
    }

    pub(super) fn payload(mut self, mut payload: Payload) -> Payload {
        self.old_types = mem::take(&mut payload.types);
        self.value(&mut payload.value, 0);
        Payload { value: payload.value, types: self.new_types }
    }

    fn value(&mut self, value: &mut Value, depth: usize) {
        if depth > MAX_DEPTH {
            *value = TOO_DEEP.into();
            return;
        }
        let kind = self.old_types.get(&self.old_place).copied();
        let is_same = match value {
            Value::String(text) => self.string(text, kind),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let index = index.to_string();
                    self.inside(&index, &index, |walk| walk.value(item, depth + 1));
                }
                true
            }
            Value::Object(fields) => {
                self.fields(fields, depth);
                true
            }
            Value::Number(number) if self.redactor.looks_at_numbers() => {
                let text = number.to_string();
                if let Cow::Owned(hidden) = self.redactor.text(&text) {
                    *value = hidden.into();
                }
                true
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => true,
        };
        // What was replaced is a text now, and reads as no date and no decimal.
        if let Some(kind) = kind
            && is_same
        {
            self.new_types.insert(self.new_place.clone(), kind);
        }
    }

    /// Whether it is still of its type.
    fn string(&mut self, text: &mut String, kind: Option<ValueType>) -> bool {
        if kind == Some(ValueType::Bytes)
            && let Ok(bytes) = STANDARD.decode(text.as_bytes())
        {
            if let Cow::Owned(hidden) = self.redactor.bytes(&bytes) {
                *text = STANDARD.encode(hidden);
            }
            return true;
        }
        match self.redactor.text(text) {
            Cow::Owned(hidden) => {
                *text = hidden;
                false
            }
            Cow::Borrowed(_) => true,
        }
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, depth: usize) {
        let has_secret_key =
            fields.keys().any(|key| matches!(self.redactor.text(key), Cow::Owned(_)));
        if !has_secret_key {
            for (key, value) in fields {
                self.field(key, key, value, depth);
            }
            return;
        }
        for (key, mut value) in mem::take(fields) {
            let hidden = self.redactor.text(&key).into_owned();
            let mut name = hidden.clone();
            // Two keys may look the same now.
            let mut count = 1;
            while fields.contains_key(&name) {
                count += 1;
                name = format!("{hidden} ({count})");
            }
            self.field(&key, &name, &mut value, depth);
            fields.insert(name, value);
        }
    }

    fn field(&mut self, old: &str, new: &str, value: &mut Value, depth: usize) {
        if self.keys == Keys::Hidden && self.redactor.hides_key(old) && !value.is_null() {
            *value = BY_NAME.into();
            return;
        }
        self.inside(old, new, |walk| walk.value(value, depth + 1));
    }

    fn inside(&mut self, old: &str, new: &str, step: impl FnOnce(&mut Self)) {
        if self.old_types.is_empty() {
            return step(self);
        }
        let (old_length, new_length) = (self.old_place.len(), self.new_place.len());
        push(&mut self.old_place, old);
        push(&mut self.new_place, new);
        step(self);
        self.old_place.truncate(old_length);
        self.new_place.truncate(new_length);
    }
}

fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}
