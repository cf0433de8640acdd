//! How long the in-process backend takes: `cargo run -p pcm-runtime-in-process --example in_process_figures`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{
    Executor as _, HostCall, HostError, HostPort, NoHost, Payload, RunRequest, SandboxConfig,
};
use pcm_runtime_in_process::{InProcessEngine, InProcessError, InProcessSandbox};

const STARTS: usize = 200;
const RUNS: usize = 5_000;
const CALLS: u32 = 200;

/// Gives back what it gets.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its figures are for the terminal")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = InProcessEngine::default();
    let began = Instant::now();
    let info = engine.prepare().await?;
    println!("Python {} loaded in {:?}", info.version, began.elapsed());
    show("start", starts(&engine).await?);
    let session = started(&engine).await?;
    show("run 1 + 1", runs(&session, "1 + 1", 1).await?);
    let calls = format!("for i in range({CALLS}): tools.echo(x=i)");
    show("call", runs(&session, &calls, CALLS).await?);
    session.close().await;
    Ok(())
}

async fn started(engine: &InProcessEngine) -> Result<InProcessSandbox, InProcessError> {
    let session = InProcessSandbox::new(engine.clone(), SandboxConfig::default());
    session
        .start(Arc::new(Echo))
        .await
        .map_err(|error| InProcessError::Start(error.to_string()))?;
    Ok(session)
}

async fn starts(engine: &InProcessEngine) -> Result<Vec<Duration>, InProcessError> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let session = InProcessSandbox::new(engine.clone(), SandboxConfig::default());
        let began = Instant::now();
        let start = session.start(Arc::new(NoHost)).await;
        times.push(began.elapsed());
        start.map_err(|error| InProcessError::Start(error.to_string()))?;
        session.close().await;
    }
    Ok(times)
}

/// The times of runs, each divided by `parts`.
async fn runs(
    session: &InProcessSandbox,
    code: &str,
    parts: u32,
) -> Result<Vec<Duration>, InProcessError> {
    let mut times = Vec::new();
    for _ in 0..RUNS / parts as usize + 20 {
        let began = Instant::now();
        let result = session.run(RunRequest::new(code)).await;
        times.push(began.elapsed() / parts);
        if let Some(error) = result.error {
            return Err(InProcessError::Start(error.to_string()));
        }
    }
    Ok(times.split_off(10))
}

#[expect(clippy::print_stdout, reason = "as above")]
fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    println!("{what}: p50 {:?}, p95 {:?}", at(50), at(95));
}
