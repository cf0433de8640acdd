//! The tools that run no code: each is a method of the session.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pcm_session::{Session, SessionError};
use pcm_storage::{ArtifactData, Workflow, WorkflowSummary};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use crate::arguments::Arguments;
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
            Ok(reply::list("deps", session.list_deps().await.map_err(said)?))
        }
        "add_dep" => {
            let package = args.text("package")?;
            args.finish()?;
            of_package(session.add_dep(&package).await.map(reply::object))
        }
        "remove_dep" => {
            let package = args.text("package")?;
            args.finish()?;
            of_package(session.remove_dep(&package).await.map(reply::object))
        }
        _ => Err(format!("the tool {name} cannot be called")),
    }
}

async fn of_workflows(
    name: &str,
    session: &Session,
    mut args: Arguments,
) -> Result<CallToolResult, String> {
    let summaries = |workflows: &[std::sync::Arc<Workflow>]| {
        let summaries: Vec<WorkflowSummary<'_>> =
            workflows.iter().map(|workflow| workflow.summary()).collect();
        reply::list("workflows", summaries)
    };
    match name {
        "list_workflows" => {
            args.finish()?;
            Ok(summaries(&session.list_workflows().await.map_err(said)?))
        }
        "search_workflows" => {
            let (query, limit) = (args.text("query")?, args.limit(5)?);
            args.finish()?;
            Ok(summaries(&session.search_workflows(&query, limit).await.map_err(said)?))
        }
        "get_workflow" => {
            let workflow = args.text("name")?;
            args.finish()?;
            match session.get_workflow(&workflow).await.map_err(said)? {
                Some(workflow) => Ok(reply::object(&*workflow)),
                None => Err(format!("there is no workflow {workflow:?}")),
            }
        }
        "create_workflow" => {
            let (workflow, source) = (args.text("name")?, args.text("source")?);
            let description = args.text("description")?;
            args.finish()?;
            let stored = session.add_workflow(&workflow, &source, &description).await;
            Ok(reply::object(&*stored.map_err(said)?))
        }
        _ => {
            let workflow = args.text("name")?;
            args.finish()?;
            let deleted = session.remove_workflow(&workflow).await.map_err(said)?;
            Ok(reply::structured(deleted.to_string(), json!({"deleted": deleted})))
        }
    }
}

async fn of_artifacts(
    name: &str,
    session: &Session,
    mut args: Arguments,
    most: usize,
) -> Result<CallToolResult, String> {
    match name {
        "list_artifacts" => {
            args.finish()?;
            Ok(reply::list("artifacts", session.list_artifacts().await.map_err(said)?))
        }
        "load_artifact" => {
            let artifact = args.text("name")?;
            args.finish()?;
            let data = session.load_artifact(&artifact).await.map_err(said)?;
            loaded(&artifact, data, most)
        }
        "save_artifact" => {
            let artifact = args.text("name")?;
            let data = saved(args.any("data")?, args.text_or_none("encoding")?.as_deref())?;
            let description = args.text_or_none("description")?.unwrap_or_default();
            let metadata = args.object("metadata")?;
            args.finish()?;
            let info = session.save_artifact(&artifact, data, &description, metadata).await;
            Ok(reply::object(info.map_err(said)?))
        }
        _ => {
            let artifact = args.text("name")?;
            args.finish()?;
            session.delete_artifact(&artifact).await.map_err(said)?;
            Ok(reply::structured(format!("There is no {artifact} now."), json!({"name": artifact})))
        }
    }
}

fn saved(data: Value, encoding: Option<&str>) -> Result<ArtifactData, String> {
    match (data, encoding) {
        (Value::String(text), None | Some("text")) => Ok(ArtifactData::Text(text)),
        (Value::String(text), Some("base64")) => STANDARD
            .decode(text)
            .map(ArtifactData::Bytes)
            .map_err(|error| format!("the argument data is no base64: {error}")),
        (data @ (Value::Array(_) | Value::Object(_)), None | Some("text")) => {
            Ok(ArtifactData::Json(data))
        }
        (_, None | Some("text")) => {
            Err("the argument data has to be a text, a list or a mapping".to_owned())
        }
        (_, Some("base64")) => Err("the argument data has to be a string of base64".to_owned()),
        _ => Err("the argument encoding has to be text or base64".to_owned()),
    }
}

fn loaded(name: &str, data: ArtifactData, most: usize) -> Result<CallToolResult, String> {
    let structured = |kind: &str, bytes: usize, data: Value| json!({"name": name, "type": kind, "data": data, "bytes": bytes});
    match data {
        ArtifactData::Text(text) => {
            fits(name, text.len(), most)?;
            let value = structured("text", text.len(), text.as_str().into());
            Ok(reply::structured(text, value))
        }
        ArtifactData::Json(value) => {
            let text = value.to_string();
            fits(name, text.len(), most)?;
            let value = structured("json", text.len(), value);
            Ok(reply::structured(text, value))
        }
        ArtifactData::Bytes(bytes) => {
            fits(name, bytes.len(), most)?;
            let (data, kind) = (STANDARD.encode(&bytes), media_type(name, &bytes));
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

/// What the original system says of packages: a spec that makes no sense is an object with an error.
fn of_package(changed: Result<CallToolResult, SessionError>) -> Result<CallToolResult, String> {
    changed.or_else(|error| {
        let text = json!({"error": said(error)}).to_string();
        Ok(CallToolResult::error(vec![ContentBlock::text(text)]))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn said(error: SessionError) -> String {
    match error {
        SessionError::Host(error) => error.message,
        error => error.to_string(),
    }
}
