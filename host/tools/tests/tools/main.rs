//! Tools from the outside: declarations, calls, and what comes back.

mod argv;
mod declarations;
mod everything;
mod http;
mod https;
mod mcp;
mod programs;
mod registry;

use std::error::Error;
use std::path::Path;

use pcm_runtime_api::Payload;
use pcm_tools::{CallOptions, LoadOptions, Problem, Registry, ToolError};
use serde_json::{Map, Value};

type TestResult = Result<(), Box<dyn Error>>;

/// A registry of the declarations, each in a file of its own: `0.yaml`, `1.yaml` and so on.
async fn load(declarations: &[&str]) -> Result<(Registry, Vec<Problem>), Box<dyn Error>> {
    load_with(declarations, LoadOptions::default()).await
}

async fn load_with(
    declarations: &[&str],
    options: LoadOptions,
) -> Result<(Registry, Vec<Problem>), Box<dyn Error>> {
    let folder = folder(declarations)?;
    Ok(Registry::load(folder.path(), options).await?)
}

fn folder(declarations: &[&str]) -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for (index, text) in declarations.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index}.yaml")), text)?;
    }
    Ok(folder)
}

/// The registry of declarations that have no problems.
async fn registry(declarations: &[&str]) -> Result<Registry, Box<dyn Error>> {
    let (registry, problems) = load(declarations).await?;
    match problems.as_slice() {
        [] => Ok(registry),
        problems => Err(format!("{problems:?}").into()),
    }
}

async fn call(registry: &Registry, path: &str, args: Value) -> Result<Payload, ToolError> {
    call_with(registry, path, args, CallOptions::default()).await
}

async fn call_with(
    registry: &Registry,
    path: &str,
    args: Value,
    options: CallOptions,
) -> Result<Payload, ToolError> {
    registry.call(&path.parse()?, object(args), options).await
}

fn object(args: Value) -> Map<String, Value> {
    match args {
        Value::Object(args) => args,
        _ => Map::new(),
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    path.display().to_string()
}

/// Waits until something is so, for a generous while.
async fn until(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..6_000 {
        if is_so() {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}
