//! `tools`: what the host offers.

use pcm_runtime_api::{HostCall, HostError, Payload};
use pcm_tools::{CallOptions, Registry, ToolPath};
use serde_json::{Value, json};

use super::reply;
use crate::arguments::Arguments;

const USUALLY_FOUND: usize = 10;

pub(super) async fn answer(registry: &Registry, call: HostCall) -> Result<Payload, HostError> {
    match call.op.as_str() {
        "call" => {
            let mut args = Arguments::of(call)?;
            let path = path(&mut args)?;
            let given = named(args.payload("args")?)?;
            Ok(registry.call(&path, given, CallOptions::default()).await?)
        }
        "list" => reply(registry.list()),
        "stubs" => reply(registry.stubs()),
        "search" => {
            let mut args = Arguments::of(call)?;
            let (query, limit) = (args.text("query")?, args.limit(USUALLY_FOUND)?);
            reply(registry.search(&query, limit))
        }
        "list_recipes" => {
            let recipes = registry.callables(&path(&mut Arguments::of(call)?)?)?;
            let record = |name: &str, text: &str| json!({"name": name, "description": text});
            let records = recipes.iter().map(|recipe| record(&recipe.name, &recipe.description));
            Ok(records.collect::<Value>().into())
        }
        _ => Err(HostError::unknown_operation(&call)),
    }
}

fn path(args: &mut Arguments) -> Result<ToolPath, HostError> {
    Ok(args.text("name")?.parse::<ToolPath>()?)
}

fn named(given: Payload) -> Result<pcm_tools::Arguments, HostError> {
    match given.value {
        Value::Object(values) => Ok(pcm_tools::Arguments { values, types: given.types }),
        _ => Err(HostError::new("TypeError", "a tool takes keyword arguments only")),
    }
}
