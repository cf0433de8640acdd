//! The artifacts of a workspace.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pcm_storage::{ArtifactData, ArtifactInfo, ArtifactName, StorageError};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::{Answer, Refusal, json, with_type};
use crate::request::Call;

/// Under this name the sandbox keeps what JSON has no word for; it is nobody's business but its own.
const TYPES: &str = "_types";

#[derive(Deserialize)]
struct NewArtifact {
    name: String,
    data: Value,
    #[serde(default)]
    description: String,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    encoding: Option<Encoding>,
}

/// What the text in `data` stands for.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
}

pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let infos = call.storage().await?.artifacts().list().await?;
    Ok(json(&infos.into_iter().map(shown).collect::<Vec<_>>()))
}

pub(super) async fn load(call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    Ok(match storage.artifacts().load(&name(&call)?).await? {
        ArtifactData::Bytes(bytes) => with_type(StatusCode::OK, "application/octet-stream", bytes),
        ArtifactData::Text(text) => json(&text),
        ArtifactData::Json(value) => json(&value),
    })
}

pub(super) async fn save(mut call: Call) -> Result<Answer, Refusal> {
    let NewArtifact { name, data, description, metadata, encoding } = call.json()?;
    let name: ArtifactName = name.parse()?;
    let data = match (encoding, data) {
        (None, Value::String(text)) => ArtifactData::Text(text),
        (None, data) => ArtifactData::Json(data),
        (Some(Encoding::Base64), Value::String(text)) => {
            let bytes = BASE64_STANDARD.decode(text);
            ArtifactData::Bytes(bytes.map_err(|_| Refusal::unprocessable("data is not base64"))?)
        }
        (Some(Encoding::Base64), _) => {
            return Err(Refusal::unprocessable("data has to be a text in base64"));
        }
    };
    let mut metadata = metadata.unwrap_or_default();
    metadata.remove(TYPES);
    let storage = call.storage().await?;
    let saved = storage.artifacts().save(&name, data, &description, metadata).await?;
    Ok(json(&shown(saved)))
}

pub(super) async fn put(mut call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    let name = name(&call)?;
    let data = ArtifactData::Bytes(std::mem::take(&mut call.body).into());
    Ok(json(&shown(storage.artifacts().save(&name, data, "", Map::new()).await?)))
}

pub(super) async fn delete(call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    let name = name(&call)?;
    if storage.artifacts().delete(&name).await? {
        return Ok(json(&Value::Null));
    }
    Err(StorageError::ArtifactNotFound { name }.into())
}

fn name(call: &Call) -> Result<ArtifactName, Refusal> {
    Ok(call.param("name")?.parse()?)
}

fn shown(mut info: ArtifactInfo) -> ArtifactInfo {
    info.metadata.remove(TYPES);
    info
}
