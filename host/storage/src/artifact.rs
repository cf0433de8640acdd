//! Artifacts: how data becomes bytes and what is remembered about it, the same in all stores.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Details;
use crate::workflow::check_description;
use crate::{ArtifactName, StorageError, json};

/// How many bytes an artifact may have.
pub const MAX_ARTIFACT_BYTES: u64 = 256 << 20;

/// How long the metadata of an artifact may be, as JSON.
const MAX_METADATA_BYTES: usize = 64 << 10;

/// The entry of the metadata that is the store's.
const DATA_TYPE: &str = "_data_type";

/// The data of an artifact.
#[derive(Debug, Clone, PartialEq)]
pub enum ArtifactData {
    /// Bytes, kept as they are.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// A list or a mapping. What else is given as JSON is stored as the text that Python's `str`
    /// makes of it, and is a text when it is loaded.
    Json(Value),
}

/// What is known of an artifact without loading it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArtifactInfo {
    /// What it was saved as.
    pub name: ArtifactName,
    /// Where it is: a path relative to the storage's folder, or a key. No path of the host.
    pub path: String,
    /// What it is, in words; may be empty.
    pub description: String,
    /// What was saved with it.
    pub metadata: Map<String, Value>,
    /// When it was saved, in ISO 8601; when its file was changed, if nobody noted that.
    pub created_at: String,
}

/// How data was written, as the index calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    Bytes,
    Text,
    Json,
}

impl DataType {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Data as it is stored.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) data_type: DataType,
}

/// How a store writes lists and mappings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JsonLayout {
    /// With line ends and two spaces for each level, for files.
    Indented,
    /// On one line, for keys.
    Line,
}

/// Makes bytes of data, or refuses it.
pub(crate) fn encode(
    name: &ArtifactName,
    data: ArtifactData,
    layout: JsonLayout,
) -> Result<Encoded, StorageError> {
    let (bytes, data_type) = match data {
        ArtifactData::Bytes(bytes) => (bytes, DataType::Bytes),
        ArtifactData::Text(text) => (text.into_bytes(), DataType::Text),
        ArtifactData::Json(value @ (Value::Array(_) | Value::Object(_))) => {
            let text = match layout {
                JsonLayout::Indented => json::dumps_indented(&value),
                JsonLayout::Line => json::dumps(&value),
            };
            (text.map_err(|error| not_json(name, error))?.into_bytes(), DataType::Json)
        }
        ArtifactData::Json(scalar) => (json::text_of(&scalar).into_bytes(), DataType::Text),
    };
    check_size(name, bytes.len() as u64)?;
    Ok(Encoded { bytes, data_type })
}

/// Makes data of bytes. Whatever was stored can be loaded: what does not parse is text, and what is
/// no text is bytes.
pub(crate) fn decode(
    name: &ArtifactName,
    bytes: Vec<u8>,
    data_type: Option<DataType>,
) -> ArtifactData {
    if data_type == Some(DataType::Bytes) {
        return ArtifactData::Bytes(bytes);
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return ArtifactData::Bytes(error.into_bytes()),
    };
    if data_type == Some(DataType::Json) || name.is_json() {
        match serde_json::from_str(&text) {
            Ok(value) => return ArtifactData::Json(value),
            Err(_) => return ArtifactData::Text(text),
        }
    }
    ArtifactData::Text(text)
}

pub(crate) fn check_size(name: &ArtifactName, size: u64) -> Result<(), StorageError> {
    if size <= MAX_ARTIFACT_BYTES {
        return Ok(());
    }
    Err(StorageError::TooLarge {
        what: format!("the artifact {name:?}"),
        size,
        limit: MAX_ARTIFACT_BYTES,
    })
}

/// What the index has for one artifact, as JSON; it may be anybody's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record(Value);

impl Record {
    /// The record of data that is saved now.
    pub(crate) fn new(
        name: &ArtifactName,
        description: &str,
        mut metadata: Map<String, Value>,
        data_type: DataType,
    ) -> Result<Self, StorageError> {
        check_description(&format!("the description of the artifact {name:?}"), description)?;
        let size = json::dumps(&metadata).map_err(|error| not_json(name, error))?.len();
        if size > MAX_METADATA_BYTES {
            return Err(StorageError::TooLarge {
                what: format!("the metadata of the artifact {name:?}"),
                size: size as u64,
                limit: MAX_METADATA_BYTES as u64,
            });
        }
        metadata.shift_remove(DATA_TYPE);
        metadata.insert(DATA_TYPE.to_owned(), data_type.name().into());
        let mut record = Map::new();
        record.insert("description".to_owned(), description.into());
        record.insert("created_at".to_owned(), iso(SystemTime::now()).into());
        record.insert("metadata".to_owned(), metadata.into());
        Ok(Self(record.into()))
    }

    /// A record that was read from an index.
    pub(crate) fn stored(value: Value) -> Self {
        Self(value)
    }

    /// The record of data that no index knows.
    pub(crate) fn unknown() -> Self {
        Self(Value::Null)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn data_type(&self) -> Option<DataType> {
        match self.0.get("metadata")?.get(DATA_TYPE)?.as_str()? {
            "bytes" => Some(DataType::Bytes),
            "text" => Some(DataType::Text),
            "json" => Some(DataType::Json),
            _ => None,
        }
    }

    /// What the record says; `changed` is when the data was, for records that do not say.
    pub(crate) fn info(
        &self,
        name: &ArtifactName,
        path: String,
        changed: impl FnOnce() -> SystemTime,
    ) -> ArtifactInfo {
        let text = |key| self.0.get(key).and_then(Value::as_str);
        let mut metadata =
            self.0.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        metadata.shift_remove(DATA_TYPE);
        ArtifactInfo {
            name: name.clone(),
            path,
            description: text("description").unwrap_or_default().to_owned(),
            metadata,
            created_at: text("created_at").map_or_else(|| iso(changed()), str::to_owned),
        }
    }
}

/// A time as Python's `isoformat` writes it in UTC.
fn iso(time: SystemTime) -> String {
    let time = time.max(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_micros(time).to_string();
    let text = text.trim_end_matches('Z');
    format!("{}+00:00", text.strip_suffix(".000000").unwrap_or(text))
}

fn not_json(name: &ArtifactName, error: serde_json::Error) -> StorageError {
    StorageError::Write {
        what: format!("the artifact {name:?}"),
        reason: "it cannot be written as JSON".to_owned(),
        details: Some(Details::new(error)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn name(text: &str) -> ArtifactName {
        text.parse().unwrap()
    }

    fn stored(data: ArtifactData, layout: JsonLayout) -> (String, DataType) {
        let encoded = encode(&name("x"), data, layout).unwrap();
        (String::from_utf8(encoded.bytes).unwrap(), encoded.data_type)
    }

    #[test]
    fn lists_and_mappings_are_json_and_other_values_are_text() {
        let data = || ArtifactData::Json(json!({"a": [1, "é"]}));
        let indented = "{\n  \"a\": [\n    1,\n    \"\\u00e9\"\n  ]\n}".to_owned();
        assert_eq!(stored(data(), JsonLayout::Indented), (indented, DataType::Json));
        let line = "{\"a\": [1, \"\\u00e9\"]}".to_owned();
        assert_eq!(stored(data(), JsonLayout::Line), (line, DataType::Json));
        let text = |value| stored(ArtifactData::Json(value), JsonLayout::Line);
        assert_eq!(text(json!(42)), ("42".to_owned(), DataType::Text));
        assert_eq!(text(json!(true)), ("True".to_owned(), DataType::Text));
        assert_eq!(text(json!("s")), ("s".to_owned(), DataType::Text));
    }

    #[test]
    fn a_name_that_ends_in_json_is_parsed_if_it_can_be() {
        let load = |text: &str, data_type| decode(&name("a.json"), text.into(), data_type);
        assert_eq!(load("{\"a\": 1}", Some(DataType::Text)), ArtifactData::Json(json!({"a": 1})));
        assert_eq!(load("{\"a\": 1}", None), ArtifactData::Json(json!({"a": 1})));
        assert_eq!(load("{a", Some(DataType::Text)), ArtifactData::Text("{a".to_owned()));
        assert_eq!(load("{}", Some(DataType::Bytes)), ArtifactData::Bytes(b"{}".to_vec()));
    }

    #[test]
    fn what_is_no_text_is_bytes() {
        let bytes = vec![0xff, 0];
        for data_type in [None, Some(DataType::Text), Some(DataType::Json)] {
            assert_eq!(
                decode(&name("a.json"), bytes.clone(), data_type),
                ArtifactData::Bytes(bytes.clone())
            );
        }
    }

    #[test]
    fn a_record_keeps_its_keys_in_order_and_its_type_out_of_sight() {
        let mut metadata = Map::new();
        metadata.insert("_data_type".to_owned(), "bytes".into());
        metadata.insert("source".to_owned(), "scan".into());
        let record = Record::new(&name("a"), "what", metadata, DataType::Text).unwrap();
        let keys: Vec<_> = record.value().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["description", "created_at", "metadata"]);
        assert_eq!(record.data_type(), Some(DataType::Text));
        let info = record.info(&name("a"), "artifacts/a".to_owned(), SystemTime::now);
        assert_eq!(info.metadata.keys().collect::<Vec<_>>(), ["source"]);
    }

    #[test]
    fn a_record_of_anybody_says_what_it_can() {
        for value in [json!(null), json!([1]), json!({"description": 5, "metadata": "x"})] {
            let info =
                Record::stored(value).info(&name("a"), String::new(), || SystemTime::UNIX_EPOCH);
            assert_eq!(info.description, "");
            assert_eq!(info.created_at, "1970-01-01T00:00:00+00:00");
        }
    }

    #[test]
    fn times_are_as_python_writes_them() {
        let at = |micros| iso(SystemTime::UNIX_EPOCH + Duration::from_micros(micros));
        assert_eq!(at(1_767_312_000_000_000), "2026-01-02T00:00:00+00:00");
        assert_eq!(at(1_767_312_000_000_010), "2026-01-02T00:00:00.000010+00:00");
    }

    #[test]
    fn metadata_and_descriptions_have_an_end() {
        let mut metadata = Map::new();
        metadata.insert("k".to_owned(), "v".repeat(70_000).into());
        let error = Record::new(&name("a"), "", metadata, DataType::Text).unwrap_err();
        assert_eq!(error.error_type(), "ValueError");
        let long = "d".repeat(20_000);
        assert!(Record::new(&name("a"), &long, Map::new(), DataType::Text).is_err());
    }
}
