//! What a session in a container costs, beside one in a kernel without: `cargo run -p pcm-runtime-container
//! --example figures`. Needs an engine, and a Debian to make an image of.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_api::{Executor, HostCall, HostError, HostPort, Limits, Payload, RunRequest};
use pcm_runtime_container::{
    Base, BuildRequest, ContainerEngine, ContainerSandbox, ContainerSettings, Images,
};
use pcm_runtime_subprocess::{KernelConfig, SubprocessEngine, SubprocessSandbox};

type Done<T = ()> = Result<T, Box<dyn Error>>;

const IMAGE: &str = "pcm-sandbox-figures:base";
const STARTS: usize = 8;
const RUNS: usize = 300;
/// How long a call takes, by a thousand of them.
const CALLS: &str = "
import time
tools.echo(a=1)
began = time.perf_counter()
for i in range(1000): tools.echo(a=i)
(time.perf_counter() - began) / 1000";

fn main() -> Done {
    pcm_runtime_worker::init(&[pcm_runtime_container::entry()]);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Done {
    let say = |line: &str| println!("  {line}");
    let images = Images::connect(None).await?;
    if !images.list(None).await?.iter().any(|image| image.name == IMAGE && image.current) {
        let request =
            BuildRequest { base: Base::Host, tag: IMAGE.to_owned(), ..BuildRequest::default() };
        images.build(&request, &say).await?;
    }
    let settings = |warm| ContainerSettings {
        image: IMAGE.to_owned(),
        auto_build: false,
        warm,
        ..ContainerSettings::default()
    };
    let (cold, pooled) = (ContainerEngine::new(settings(0)), ContainerEngine::new(settings(1)));
    let kernels = SubprocessEngine::new(KernelConfig { spares: 0, ..KernelConfig::default() });
    kernels.prepare(&say).await?;
    cold.prepare(&say).await?;
    let container = |engine: &ContainerEngine| -> Arc<dyn Executor> {
        Arc::new(ContainerSandbox::new(engine.clone(), Limits::default()))
    };
    let kernel = || -> Arc<dyn Executor> {
        Arc::new(SubprocessSandbox::new(kernels.clone(), Limits::default()))
    };
    // In turns: the machine has other things to do, too.
    let (mut starts, mut kernel_starts, mut checkouts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        starts.push(first_result(container(&cold)).await?);
        kernel_starts.push(first_result(kernel()).await?);
        pooled.warm().await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        checkouts.push(first_result(container(&pooled)).await?);
    }
    let (one, other) = (container(&cold), kernel());
    for session in [&one, &other] {
        session.start(Arc::new(Echo)).await?;
        value(&**session, "1 + 1").await?;
    }
    let (mut runs, mut kernel_runs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        for (session, times) in [(&one, &mut runs), (&other, &mut kernel_runs)] {
            let began = Instant::now();
            value(&**session, "1 + 1").await?;
            times.push(began.elapsed());
        }
    }
    let (mut calls, mut kernel_calls) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        for (session, times) in [(&one, &mut calls), (&other, &mut kernel_calls)] {
            let seconds = value(&**session, CALLS).await?.as_f64().unwrap_or_default();
            times.push(Duration::from_secs_f64(seconds));
        }
    }
    one.close().await;
    other.close().await;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("load {}", load.trim());
    println!("{:<36}{:>12}{:>12}{:>9}", "p50", "container", "subprocess", "ratio");
    print("create, start, first result", starts, kernel_starts.clone());
    print("one that waits, first result", checkouts, kernel_starts);
    print("run of 1 + 1", runs, kernel_runs);
    print("tool call", calls, kernel_calls);
    Ok(())
}

async fn first_result(session: Arc<dyn Executor>) -> Done<Duration> {
    let began = Instant::now();
    session.start(Arc::new(Echo)).await?;
    value(&*session, "1 + 1").await?;
    let took = began.elapsed();
    session.close().await;
    Ok(took)
}

async fn value(session: &dyn Executor, code: &str) -> Done<serde_json::Value> {
    let result = session.run(RunRequest::new(code)).await;
    result.error.map_or(Ok(result.value), |error| Err(error.to_string().into()))
}

fn print(what: &str, mut ours: Vec<Duration>, mut theirs: Vec<Duration>) {
    let middle = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let (ours, theirs) = (middle(&mut ours), middle(&mut theirs));
    println!("{what:<36}{ours:>9.2} ms{theirs:>9.2} ms{:>9.2}", ours / theirs);
}

/// Gives back what it gets.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}
