//! The workflows of a workspace.

use pcm_storage::{Workflow, WorkflowName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal, json};
use crate::request::Call;

const USUALLY_FOUND: usize = 5;

#[derive(Deserialize)]
struct NewWorkflow {
    name: String,
    source: String,
    description: String,
}

pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let workflows = call.storage().await?.workflows().list().await?;
    Ok(json(&workflows.iter().map(|each| summary(each)).collect::<Vec<_>>()))
}

pub(super) async fn search(call: Call) -> Result<Answer, Refusal> {
    let (query, limit) = (call.search()?, call.limit(USUALLY_FOUND)?);
    let found = call.storage().await?.workflows().search(&query, limit).await?;
    Ok(json(&found.iter().map(|each| summary(each)).collect::<Vec<_>>()))
}

/// A name that no workflow can have is one that none has.
pub(super) async fn get(call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    let Ok(name) = call.param("name")?.parse::<WorkflowName>() else {
        return Ok(json(&Value::Null));
    };
    let workflow = storage.workflows().get(&name).await?;
    Ok(json(&workflow.map(|workflow| whole(&workflow))))
}

pub(super) async fn create(mut call: Call) -> Result<Answer, Refusal> {
    let NewWorkflow { name, source, description } = call.json()?;
    let storage = call.storage().await?;
    let created = storage.workflows().create(&name.parse()?, &source, &description).await?;
    Ok(json(&whole(&created)))
}

pub(super) async fn delete(call: Call) -> Result<Answer, Refusal> {
    let storage = call.storage().await?;
    let Ok(name) = call.param("name")?.parse::<WorkflowName>() else { return Ok(json(&false)) };
    Ok(json(&storage.workflows().delete(&name).await?))
}

/// Parameters in both shapes: as a map from the name to what it means or else its type, and as the list
/// that says everything.
fn summary(workflow: &Workflow) -> Value {
    let params: Map<String, Value> = workflow
        .parameters
        .iter()
        .map(|each| {
            let about = if each.description.is_empty() { &each.kind } else { &each.description };
            (each.name.clone(), about.as_str().into())
        })
        .collect();
    json!({
        "name": workflow.name,
        "description": workflow.description,
        "params": params,
        "parameters": workflow.parameters,
    })
}

fn whole(workflow: &Workflow) -> Value {
    let mut whole = summary(workflow);
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("source".to_owned(), workflow.source.as_str().into());
    }
    whole
}
