//! `artifacts`: data that outlives the session.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pcm_runtime_api::{HostCall, HostError, Payload, ValueType};
use pcm_storage::{ArtifactData, ArtifactName, ArtifactStore};
use serde_json::{Map, Value};

use super::{refused, reply};
use crate::arguments::Arguments;
use crate::budget::Budget;

/// What the layout of JSON adds to a value: quotes, a comma, two spaces for every level.
const LINE: usize = 8;
const INDENT: usize = 2;

pub(super) async fn answer(
    store: &dyn ArtifactStore,
    budget: &Budget,
    call: HostCall,
) -> Result<Payload, HostError> {
    if call.op == "list" {
        return reply(store.list().await.map_err(refused)?);
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
        "load" => Ok(payload(store.load(&name).await.map_err(refused)?)),
        "get" => reply(store.get(&name).await.map_err(refused)?),
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
    let data = data(args.payload("data")?)?;
    let description = args.text_or_empty("description")?;
    let metadata = match args.value("metadata") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(HostError::new("TypeError", "metadata is not a dict")),
    };
    budget.take(size(&data) + description.len())?;
    reply(store.save(&name, data, &description, metadata).await.map_err(refused)?)
}

fn name(args: &mut Arguments) -> Result<ArtifactName, HostError> {
    args.text("name")?.parse().map_err(refused)
}

/// Texts stay texts, dicts and lists are kept as JSON; of anything else the guest sends what `str`
/// makes of it, and a number that arrives all the same is kept as its digits.
fn data(payload: Payload) -> Result<ArtifactData, HostError> {
    let kind = payload.types.get("").copied();
    match payload.value {
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
