//! `workflows`: the sources are kept here and run in the sandbox.

use std::sync::Arc;

use pcm_runtime_api::{HostCall, HostError, Payload};
use pcm_storage::{Workflow, WorkflowName, WorkflowStore};

use super::{refused, reply};
use crate::arguments::Arguments;
use crate::budget::Budget;

const USUALLY_FOUND: usize = 10;

pub(super) async fn answer(
    store: &dyn WorkflowStore,
    budget: &Budget,
    call: HostCall,
) -> Result<Payload, HostError> {
    match call.op.as_str() {
        "list" => summaries(&store.list().await.map_err(refused)?),
        "search" => {
            let mut args = Arguments::of(call)?;
            let (query, limit) = (args.text("query")?, args.limit(USUALLY_FOUND)?);
            summaries(&store.search(&query, limit).await.map_err(refused)?)
        }
        "get" => {
            let name = name(&mut Arguments::of(call)?)?;
            reply(store.get(&name).await.map_err(refused)?)
        }
        "create" => {
            let mut args = Arguments::of(call)?;
            let (name, source) = (name(&mut args)?, args.text("source")?);
            let description = args.text_or_empty("description")?;
            budget.take(source.len() + description.len())?;
            let created = store.create(&name, &source, &description).await.map_err(refused)?;
            reply(created.summary())
        }
        "delete" => {
            let name = name(&mut Arguments::of(call)?)?;
            reply(store.delete(&name).await.map_err(refused)?)
        }
        _ => Err(HostError::unknown_operation(&call)),
    }
}

fn name(args: &mut Arguments) -> Result<WorkflowName, HostError> {
    args.text("name")?.parse().map_err(refused)
}

/// Without the sources.
fn summaries(workflows: &[Arc<Workflow>]) -> Result<Payload, HostError> {
    reply(workflows.iter().map(|workflow| workflow.summary()).collect::<Vec<_>>())
}
