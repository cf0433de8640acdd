//! The tools that run no code: each is a call that code could make.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_runtime_api::{HostError, Namespace, Payload, ValueType, package_name};
use pcm_session::Session;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::calls::{call as ask, value};
use crate::resources::{self, media_type};
use crate::{ServerConfig, reply};

/// Calls the tool of this name. An error is told to the model.
pub(crate) async fn call(
    name: &str,
    session: &Session,
    mut args: Arguments,
    config: &ServerConfig,
) -> Result<CallToolResult, String> {
    match name {
        "list_tools" => {
            args.finish()?;
            // As those of the resource: what there is is no secret, and nobody is to be asked about it.
            Ok(reply::list("tools", session.list_tools()))
        }
        "search_tools" => {
            let (query, limit) = (args.text("query")?, args.limit(10)?);
            args.finish()?;
            Ok(reply::list("tools", session.search_tools(&query, limit)))
        }
        "list_workflows" | "search_workflows" | "get_workflow" | "create_workflow"
        | "delete_workflow" => of_workflows(name, session, args).await,
        "list_artifacts" | "load_artifact" | "save_artifact" | "delete_artifact" => {
            of_artifacts(name, session, args, config.artifact_bytes).await
        }
        "list_deps" => {
            args.finish()?;
            listed(session, Namespace::Deps, "deps").await
        }
        "add_dep" | "remove_dep" => {
            let package = args.text("package")?;
            args.finish()?;
            let changed = match name {
                "add_dep" => added(session, &package).await,
                _ => removed(session, &package).await,
            };
            // As the original system says it.
            Ok(changed.unwrap_or_else(|error| {
                let text = json!({"error": error.message}).to_string();
                CallToolResult::error(vec![ContentBlock::text(text)])
            }))
        }
        _ => Err(format!("the tool {name} cannot be called")),
    }
}

async fn listed(
    session: &Session,
    namespace: Namespace,
    list: &str,
) -> Result<CallToolResult, String> {
    let items = value(session, namespace, "list", json!({})).await.map_err(said)?;
    Ok(reply::list(list, items))
}

async fn found(
    session: &Session,
    namespace: Namespace,
    list: &str,
    mut args: Arguments,
    usual: u64,
) -> Result<CallToolResult, String> {
    let (query, limit) = (args.text("query")?, args.limit(usual)?);
    args.finish()?;
    let query = json!({"query": query, "limit": limit});
    let items = value(session, namespace, "search", query).await.map_err(said)?;
    Ok(reply::list(list, items))
}

async fn of_workflows(
    name: &str,
    session: &Session,
    mut args: Arguments,
) -> Result<CallToolResult, String> {
    const WORKFLOWS: Namespace = Namespace::Workflows;
    match name {
        "list_workflows" => {
            args.finish()?;
            return listed(session, WORKFLOWS, "workflows").await;
        }
        "search_workflows" => return found(session, WORKFLOWS, "workflows", args, 5).await,
        _ => {}
    }
    let workflow = args.text("name")?;
    let named = json!({"name": workflow});
    match name {
        "create_workflow" => {
            let (source, description) = (args.text("source")?, args.text("description")?);
            args.finish()?;
            let new = json!({"name": workflow, "source": source, "description": description});
            let mut stored = value(session, WORKFLOWS, "create", new).await.map_err(said)?;
            if let Some(stored) = stored.as_object_mut() {
                stored.insert("source".to_owned(), source.into());
            }
            Ok(reply::object(stored))
        }
        "delete_workflow" => {
            args.finish()?;
            let deleted = value(session, WORKFLOWS, "delete", named).await.map_err(said)?;
            Ok(reply::structured(deleted.to_string(), json!({"deleted": deleted})))
        }
        _ => {
            args.finish()?;
            match value(session, WORKFLOWS, "get", named).await.map_err(said)? {
                Value::Null => Err(format!("there is no workflow {workflow:?}")),
                workflow => Ok(reply::object(workflow)),
            }
        }
    }
}

async fn of_artifacts(
    name: &str,
    session: &Session,
    mut args: Arguments,
    most: usize,
) -> Result<CallToolResult, String> {
    const ARTIFACTS: Namespace = Namespace::Artifacts;
    if name == "list_artifacts" {
        args.finish()?;
        return listed(session, ARTIFACTS, "artifacts").await;
    }
    let artifact = args.text("name")?;
    let named = json!({"name": artifact});
    match name {
        "load_artifact" => {
            args.finish()?;
            let data = ask(session, ARTIFACTS, "load", named).await.map_err(said)?;
            loaded(&artifact, Data::of(data)?, most)
        }
        "save_artifact" => {
            let (data, encoding) = (args.any("data")?, args.text_or_none("encoding")?);
            let description = args.text_or_none("description")?.unwrap_or_default();
            let metadata = args.object("metadata")?;
            args.finish()?;
            let is_bytes = check_data(&data, encoding.as_deref())?;
            let new = json!({
                "name": artifact, "data": data, "description": description, "metadata": metadata,
            });
            let new = Payload::from(new);
            let new = if is_bytes { new.with_type("/data", ValueType::Bytes) } else { new };
            Ok(reply::object(ask(session, ARTIFACTS, "save", new).await.map_err(said)?.value))
        }
        _ => {
            args.finish()?;
            value(session, ARTIFACTS, "delete", named).await.map_err(said)?;
            Ok(reply::structured(format!("There is no {artifact} now."), json!({"name": artifact})))
        }
    }
}

/// Whether the data are bytes, if they are what can be kept.
fn check_data(data: &Value, encoding: Option<&str>) -> Result<bool, String> {
    let wrong = match (encoding, data) {
        (None | Some("text"), Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            return Ok(false);
        }
        (Some("base64"), Value::String(_)) => return Ok(true),
        (None | Some("text"), _) => "the argument data has to be a text, a list or a mapping",
        (Some("base64"), _) => "the argument data has to be a string of base64",
        _ => "the argument encoding has to be text or base64",
    };
    Err(wrong.to_owned())
}

/// The data of an artifact.
pub(crate) enum Data {
    Text(String),
    Json(Value),
    /// Bytes, and their base64.
    Bytes(Vec<u8>, String),
}

impl Data {
    pub(crate) fn of(payload: Payload) -> Result<Self, String> {
        let is_bytes = payload.types.get("") == Some(&ValueType::Bytes);
        Ok(match payload.value {
            Value::String(text) if is_bytes => {
                let bytes = STANDARD.decode(&text).map_err(|error| error.to_string())?;
                Self::Bytes(bytes, text)
            }
            Value::String(text) => Self::Text(text),
            value => Self::Json(value),
        })
    }
}

fn loaded(name: &str, data: Data, most: usize) -> Result<CallToolResult, String> {
    let structured = |kind: &str, bytes: usize, data: Value| json!({"name": name, "type": kind, "data": data, "bytes": bytes});
    match data {
        Data::Text(text) => {
            fits(name, text.len(), most)?;
            let value = structured("text", text.len(), text.as_str().into());
            Ok(reply::structured(text, value))
        }
        Data::Json(value) => {
            let text = value.to_string();
            fits(name, text.len(), most)?;
            let value = structured("json", text.len(), value);
            Ok(reply::structured(text, value))
        }
        Data::Bytes(bytes, data) => {
            fits(name, bytes.len(), most)?;
            let kind = media_type(name, &bytes);
            let block = if kind.starts_with("image/") {
                ContentBlock::image(data, kind)
            } else if kind.starts_with("audio/") {
                ContentBlock::audio(data, kind)
            } else {
                let contents = ResourceContents::blob(data, resources::uri(name));
                ContentBlock::resource(contents.with_mime_type(kind))
            };
            let mut result = CallToolResult::success(vec![block]);
            result.structured_content = Some(structured("bytes", bytes.len(), Value::Null));
            Ok(result)
        }
    }
}

/// Refuses what is too long for one message.
pub(crate) fn fits(name: &str, bytes: usize, most: usize) -> Result<(), String> {
    if bytes <= most {
        return Ok(());
    }
    Err(format!(
        "the artifact {name:?} has {bytes} bytes, and {most} are the most that is sent at once; work on it \
         in code: artifacts.load({name:?})"
    ))
}

async fn added(session: &Session, package: &str) -> Result<CallToolResult, HostError> {
    let change = value(session, Namespace::Deps, "add", json!({"package": package})).await?;
    Ok(reply::object(change))
}

/// What the layers let through is forgotten, and then removed from the session, too.
async fn removed(session: &Session, package: &str) -> Result<CallToolResult, HostError> {
    let forgotten = value(session, Namespace::Deps, "remove", json!({"package": package})).await?;
    let name = package_name(package);
    if forgotten != Value::Bool(true) {
        let nothing: [&str; 0] = [];
        return Ok(reply::object(json!({
            "removed": nothing, "not_found": [name], "failed": nothing, "removed_from_config": false,
        })));
    }
    let removal = session.uninstall_deps(&[name]).await;
    let mut removal = removal.map_err(|error| HostError::new("InstallError", error.to_string()))?;
    removal.removed_from_config = true;
    Ok(reply::object(removal))
}

fn said(error: HostError) -> String {
    error.message
}
