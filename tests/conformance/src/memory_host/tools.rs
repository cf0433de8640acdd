//! The tools: `echo`, `math.add`, `slow`, `fail`.

use std::time::Duration;

use pcm_runtime_api::{HostCall, HostError, Payload};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::text;

pub(super) async fn call(call: &HostCall) -> Result<Payload, HostError> {
    let args = &call.args.value;
    match call.op.as_str() {
        "list" => Ok(Value::Array(all()).into()),
        "search" => Ok(Value::Array(found(text(args, "query")?)).into()),
        "list_recipes" => recipes(text(args, "name")?),
        "call" => use_tool(text(args, "name")?, &args["args"]).await,
        _ => Err(HostError::unknown_operation(call)),
    }
}

fn all() -> Vec<Value> {
    let tool = |name: &str, description: &str, recipes: &[&str]| {
        let recipe = |name: &&str| json!({"name": name, "description": "", "parameters": []});
        let callables: Vec<Value> = recipes.iter().map(recipe).collect();
        json!({"name": name, "description": description, "tags": [], "callables": callables})
    };
    vec![
        tool("echo", "Gives the text back, with a newline", &["say"]),
        tool("math", "Calculates", &["add"]),
        tool("slow", "Waits for so many milliseconds", &[]),
        tool("fail", "Fails with the message", &[]),
    ]
}

fn found(query: &str) -> Vec<Value> {
    let says = |tool: &Value, key: &str| tool[key].as_str().is_some_and(|s| s.contains(query));
    all().into_iter().filter(|tool| says(tool, "name") || says(tool, "description")).collect()
}

fn recipes(name: &str) -> Result<Payload, HostError> {
    let tool = all().into_iter().find(|tool| tool["name"] == name);
    tool.map(|tool| tool["callables"].clone().into()).ok_or_else(|| unknown(name))
}

async fn use_tool(name: &str, args: &Value) -> Result<Payload, HostError> {
    match name {
        "echo" | "echo.say" => Ok(Value::from(format!("{}\n", text(args, "text")?)).into()),
        "math.add" => Ok(json!(number(args, "a")? + number(args, "b")?).into()),
        "slow" => {
            let ms = number(args, "ms")?;
            sleep(Duration::from_millis(ms.unsigned_abs())).await;
            Ok(json!(ms).into())
        }
        "fail" => Err(HostError::new("RuntimeError", text(args, "message")?)),
        _ => Err(unknown(name)),
    }
}

fn number(args: &Value, name: &str) -> Result<i64, HostError> {
    let missing = || HostError::new("ValueError", format!("{name} must be an integer"));
    args.get(name).and_then(Value::as_i64).ok_or_else(missing)
}

fn unknown(name: &str) -> HostError {
    HostError::new("ToolNotFoundError", format!("there is no tool {name}"))
}
