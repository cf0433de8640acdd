//! Workflows: sources by name. Nothing is executed here, and only the plainest rules are checked.

use std::collections::BTreeMap;

use pcm_runtime_api::{HostCall, HostError, Payload};
use serde_json::{Value, json};

use super::text;

const RESERVED: [&str; 6] = ["list", "search", "get", "invoke", "create", "delete"];

#[derive(Debug, Default)]
pub(super) struct Workflows(BTreeMap<String, Workflow>);

#[derive(Debug)]
struct Workflow {
    source: String,
    description: String,
}

impl Workflows {
    pub(super) fn call(&mut self, call: &HostCall) -> Result<Payload, HostError> {
        let args = &call.args.value;
        let value = match call.op.as_str() {
            "list" => self.found(""),
            "search" => self.found(text(args, "query")?),
            "get" => self.get(text(args, "name")?),
            "create" => self.create(text(args, "name")?, args)?,
            "delete" => self.0.remove(text(args, "name")?).is_some().into(),
            _ => return Err(HostError::unknown_operation(call)),
        };
        Ok(value.into())
    }

    fn found(&self, query: &str) -> Value {
        let fits = |(name, workflow): &(&String, &Workflow)| {
            name.contains(query) || workflow.description.contains(query)
        };
        self.0.iter().filter(fits).map(|(name, workflow)| listed(name, workflow)).collect()
    }

    fn get(&self, name: &str) -> Value {
        let Some(workflow) = self.0.get(name) else { return Value::Null };
        let mut record = listed(name, workflow);
        record["source"] = workflow.source.clone().into();
        record
    }

    fn create(&mut self, name: &str, args: &Value) -> Result<Value, HostError> {
        let source = text(args, "source")?.to_owned();
        let description = text(args, "description")?.to_owned();
        if !is_identifier(name) || RESERVED.contains(&name) {
            return Err(HostError::new("ValueError", format!("invalid workflow name {name:?}")));
        }
        if !source.lines().any(|line| line.starts_with("async def run(")) {
            let message = format!("workflow {name} has no `async def run(...)`");
            return Err(HostError::new("ValueError", message));
        }
        let workflow = Workflow { source, description };
        let record = listed(name, &workflow);
        self.0.insert(name.to_owned(), workflow);
        Ok(record)
    }
}

fn listed(name: &str, workflow: &Workflow) -> Value {
    json!({"name": name, "description": workflow.description, "parameters": []})
}

fn is_identifier(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(plain) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}
