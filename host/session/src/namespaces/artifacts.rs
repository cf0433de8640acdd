//! `artifacts`: data that outlives the session.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pcm_runtime_api::{HostCall, HostError, Payload, ValueType};
use pcm_storage::{ArtifactData, ArtifactInfo, ArtifactName, ArtifactStore};
use serde_json::{Map, Value};

use super::{refused, reply};
use crate::arguments::Arguments;
use crate::budget::Budget;

/// Under this name the metadata of an artifact has what JSON has no word for, by JSON pointer. Other
/// systems that share the store read strings there.
const TYPES: &str = "_types";
const MOST_TYPES: usize = 500;

/// What the layout of JSON adds to a value: quotes, a comma, two spaces for every level.
const LINE: usize = 8;
const INDENT: usize = 2;

pub(super) async fn answer(
    store: &dyn ArtifactStore,
    budget: &Budget,
    call: HostCall,
) -> Result<Payload, HostError> {
    if call.op == "list" {
        let infos = store.list().await.map_err(refused)?;
        return reply(infos.into_iter().map(shown).collect::<Vec<_>>());
    }
    if call.op == "save" {
        return save(store, budget, Arguments::of(call)?).await;
    }
    if !matches!(call.op.as_str(), "load" | "get" | "exists" | "delete") {
        return Err(HostError::unknown_operation(&call));
    }
    let op = call.op.clone();
    let name = name(&mut Arguments::of(call)?)?;
    match op.as_str() {
        "load" => load(store, &name).await,
        "get" => reply(store.get(&name).await.map_err(refused)?.map(shown)),
        "exists" => reply(store.exists(&name).await.map_err(refused)?),
        _ => {
            store.delete(&name).await.map_err(refused)?;
            Ok(Payload::default())
        }
    }
}

async fn save(
    store: &dyn ArtifactStore,
    budget: &Budget,
    mut args: Arguments,
) -> Result<Payload, HostError> {
    let name = name(&mut args)?;
    let mut payload = args.payload("data")?;
    let types = std::mem::take(&mut payload.types);
    let data = data(payload.value, types.get("").copied())?;
    let description = args.text_or_empty("description")?;
    let mut metadata = match args.value("metadata") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(HostError::new("TypeError", "metadata is not a dict")),
    };
    metadata.remove(TYPES);
    if matches!(data, ArtifactData::Json(_)) && !types.is_empty() {
        metadata.insert(TYPES.to_owned(), to_keep(&types)?);
    }
    budget.take(size(&data) + description.len())?;
    reply(shown(store.save(&name, data, &description, metadata).await.map_err(refused)?))
}

/// What of the data JSON has no word for, as the store keeps it.
fn to_keep(types: &BTreeMap<String, ValueType>) -> Result<Value, HostError> {
    if types.len() > MOST_TYPES {
        let message = format!(
            "the data has {} values that JSON has no word for, as bytes or dates; at most {MOST_TYPES} \
             are kept: save them as text, or bytes as artifacts of their own",
            types.len()
        );
        return Err(HostError::new("TypeError", message));
    }
    serde_json::to_value(types).map_err(|error| HostError::new("TypeError", error.to_string()))
}

async fn load(store: &dyn ArtifactStore, name: &ArtifactName) -> Result<Payload, HostError> {
    let data = store.load(name).await.map_err(refused)?;
    let mut loaded = payload(data);
    if loaded.value.is_array() || loaded.value.is_object() {
        let info = store.get(name).await.map_err(refused)?;
        let kept = info.and_then(|mut info| info.metadata.remove(TYPES));
        loaded.types = still_right(kept, &loaded.value);
    }
    Ok(loaded)
}

/// The types that were kept with the data, as far as the data still has strings there: others may
/// have changed the one without the other.
fn still_right(kept: Option<Value>, data: &Value) -> BTreeMap<String, ValueType> {
    let kept: Option<BTreeMap<String, ValueType>> =
        kept.and_then(|kept| serde_json::from_value(kept).ok());
    let mut types = kept.unwrap_or_default();
    types.retain(|pointer, _| data.pointer(pointer).is_some_and(Value::is_string));
    types
}

/// Without what is nobody's business but ours.
fn shown(mut info: ArtifactInfo) -> ArtifactInfo {
    info.metadata.remove(TYPES);
    info
}

fn name(args: &mut Arguments) -> Result<ArtifactName, HostError> {
    args.text("name")?.parse().map_err(refused)
}

/// Texts stay texts, dicts and lists are kept as JSON; of anything else the guest sends what `str`
/// makes of it, and a number that arrives all the same is kept as its digits.
fn data(value: Value, kind: Option<ValueType>) -> Result<ArtifactData, HostError> {
    match value {
        Value::String(text) if kind == Some(ValueType::Bytes) => match BASE64_STANDARD.decode(text)
        {
            Ok(bytes) => Ok(ArtifactData::Bytes(bytes)),
            Err(_) => Err(HostError::new("ValueError", "the bytes in data are not base64")),
        },
        Value::String(text) => Ok(ArtifactData::Text(text)),
        value @ (Value::Array(_) | Value::Object(_)) => Ok(ArtifactData::Json(value)),
        other => Ok(ArtifactData::Text(other.to_string())),
    }
}

/// What is counted: roughly what is written.
fn size(data: &ArtifactData) -> usize {
    match data {
        ArtifactData::Bytes(bytes) => bytes.len(),
        ArtifactData::Text(text) => text.len(),
        ArtifactData::Json(value) => json_size(value, 0),
    }
}

/// Without writing it: every value is on a line of its own, the deeper the further to the right.
fn json_size(value: &Value, depth: usize) -> usize {
    let inside = |value| json_size(value, depth + 1);
    let content = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(inside).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + inside(value)).sum()
        }
    };
    content + LINE + INDENT * depth
}

fn payload(data: ArtifactData) -> Payload {
    match data {
        ArtifactData::Bytes(bytes) => {
            let text = Value::from(BASE64_STANDARD.encode(bytes));
            Payload::from(text).with_type("", ValueType::Bytes)
        }
        ArtifactData::Text(text) => Value::from(text).into(),
        ArtifactData::Json(value) => value.into(),
    }
}
