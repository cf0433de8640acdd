//! Artifacts: every value comes back with the types it was saved with.

use std::collections::BTreeMap;

use pcm_runtime_api::{HostCall, HostError, Payload};
use serde_json::{Value, json};

use super::text;

#[derive(Debug, Default)]
pub(super) struct Artifacts(BTreeMap<String, Artifact>);

#[derive(Debug)]
struct Artifact {
    data: Payload,
    record: Value,
}

impl Artifacts {
    pub(super) fn call(&mut self, call: HostCall) -> Result<Payload, HostError> {
        if call.op == "list" {
            let records = self.0.values().map(|artifact| artifact.record.clone()).collect();
            return Ok(Value::Array(records).into());
        }
        let name = text(&call.args.value, "name")?.to_owned();
        match call.op.as_str() {
            "save" => Ok(self.save(name, call.args)),
            "load" => match self.0.get(&name) {
                Some(artifact) => Ok(artifact.data.clone()),
                None => Err(HostError::new("ArtifactNotFoundError", format!("no artifact {name}"))),
            },
            "get" => Ok(self.0.get(&name).map_or(Value::Null, |found| found.record.clone()).into()),
            "exists" => Ok(Value::from(self.0.contains_key(&name)).into()),
            "delete" => {
                self.0.remove(&name);
                Ok(Value::Null.into())
            }
            _ => Err(HostError::unknown_operation(&call)),
        }
    }

    fn save(&mut self, name: String, mut args: Payload) -> Payload {
        let data = Payload {
            value: args.value["data"].take(),
            types: args
                .types
                .into_iter()
                .filter_map(|(place, kind)| Some((inside_data(&place)?.to_owned(), kind)))
                .collect(),
        };
        let args = &args.value;
        let record = json!({
            "name": name,
            "path": name,
            "description": args["description"],
            "metadata": args["metadata"],
            "created_at": "2026-01-01T00:00:00+00:00",
        });
        self.0.insert(name, Artifact { data, record: record.clone() });
        record.into()
    }
}

/// The pointer within the argument `data`, if it points there.
fn inside_data(place: &str) -> Option<&str> {
    place.strip_prefix("/data").filter(|rest| rest.is_empty() || rest.starts_with('/'))
}
