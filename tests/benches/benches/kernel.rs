//! What a session on a kernel costs, beside a bare client of the Jupyter protocol that starts and runs
//! the same kernel of `IPython`: `peers/jupyter/loop.py`, in the same environment.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use pcm_benches::{Echo, calls_of, machine, p50_and_p95, time_of};
use pcm_sandbox::{KernelConfig, Session, SubprocessEngine};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// Measures kernels.
#[derive(Debug, Parser)]
struct Options {
    /// Which benchmark; this one is called kernel.
    name: Option<String>,
    /// Kernels that are started.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Trivial runs that are measured.
    #[arg(long, default_value_t = 500)]
    runs: usize,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.name.as_ref().is_none_or(|part| "kernel".contains(part)) {
        return Ok(());
    }
    println!("{}", machine());
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(measure(&options))?;
    println!("afterwards: {}", machine());
    Ok(())
}

async fn measure(options: &Options) -> Result<()> {
    let engine = SubprocessEngine::new(KernelConfig { spares: 0, ..KernelConfig::default() });
    engine.prepare(&|line| println!("{line}")).await?;
    let session = started(&engine).await?;
    let python = value(&session, "import sys; sys.executable").await?;
    let python = python.as_str().context("no Python")?.to_owned();
    session.close().await;

    // In turns, half of each before half of the other: the machine has other things to do, too.
    let (mut starts, mut runs, mut peer_starts, mut peer_runs) = Default::default();
    for _ in 0..2 {
        ours(&engine, options, &mut starts, &mut runs).await?;
        peer(&python, options, &mut peer_starts, &mut peer_runs)?;
    }
    let session = started(&engine).await?;
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(time_of(&value(&session, &calls_of("tools.echo(a=i, text='hi')")).await?)?);
    }
    session.close().await;
    let pooled = pooled(options).await?;

    println!("\n{:<32}{:>10}{:>10}{:>12}{:>10}{:>10}", "", "p50", "p95", "bare", "p95", "ratio");
    print("a kernel, to its first result", &starts, Some(&peer_starts));
    print("the same, a spare waiting", &pooled, None);
    print("run of 1 + 1", &runs, Some(&peer_runs));
    print("tool call", &calls, None);
    Ok(())
}

async fn ours(
    engine: &SubprocessEngine,
    options: &Options,
    starts: &mut Vec<Duration>,
    runs: &mut Vec<Duration>,
) -> Result<()> {
    for number in 0..options.starts.div_ceil(2) {
        let begin = Instant::now();
        let session = started(engine).await?;
        value(&session, "1 + 1").await?;
        starts.push(begin.elapsed());
        if number == 0 {
            for _ in 0..options.runs.div_ceil(2) {
                let begin = Instant::now();
                value(&session, "1 + 1").await?;
                runs.push(begin.elapsed());
            }
        }
        session.close().await;
    }
    Ok(())
}

async fn pooled(options: &Options) -> Result<Vec<Duration>> {
    let engine = SubprocessEngine::new(KernelConfig::default());
    let mut times = Vec::new();
    for _ in 0..options.starts {
        engine.warm().await?;
        sleep(Duration::from_millis(300)).await; // nothing else is being started
        let begin = Instant::now();
        let session = started(&engine).await?;
        value(&session, "1 + 1").await?;
        times.push(begin.elapsed());
        session.close().await;
    }
    Ok(times)
}

fn peer(
    python: &str,
    options: &Options,
    starts: &mut Vec<Duration>,
    runs: &mut Vec<Duration>,
) -> Result<()> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/jupyter/loop.py");
    let output = Command::new(python)
        .arg(program)
        .args([options.starts.div_ceil(2), options.runs.div_ceil(2)].map(|it| it.to_string()))
        .stderr(Stdio::null())
        .output()?;
    let times: Value = serde_json::from_slice(&output.stdout).context("the peer tells no times")?;
    for (name, into) in [("start", starts), ("run", runs)] {
        let seconds = times[name].as_array().context("the peer tells no times")?;
        into.extend(seconds.iter().filter_map(Value::as_f64).map(Duration::from_secs_f64));
    }
    Ok(())
}

async fn started(engine: &SubprocessEngine) -> Result<Session> {
    Ok(Session::builder().kernels(engine).port(Arc::new(Echo)).start().await?)
}

async fn value(session: &Session, code: &str) -> Result<Value> {
    let result = session.run(code).await;
    ensure!(result.is_ok(), "{:?}", result.error);
    Ok(result.value)
}

fn print(name: &str, ours: &[Duration], peer: Option<&[Duration]>) {
    let Some([p50, p95]) = p50_and_p95(ours) else { return };
    let beside = peer.and_then(p50_and_p95).map_or_else(String::new, |[bare, bare95]| {
        let ratio = p50.as_secs_f64() / bare.as_secs_f64();
        format!("{bare:>12.1?}{bare95:>10.1?}{ratio:>10.2}")
    });
    println!("{name:<32}{p50:>10.1?}{p95:>10.1?}{beside}");
}
