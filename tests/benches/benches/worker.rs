//! What a process of its own costs a session: the same backend in this process and in a worker, in
//! turns, under the same load.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use pcm_benches::{Echo, calls_of, machine, p50_and_p95, private_bytes_of, time_of};
use pcm_sandbox::worker::{self, Pool, PoolConfig};
use pcm_sandbox::{BackendKind, Placement, Session, SessionBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::time::sleep;

/// Measures workers.
#[derive(Debug, Parser)]
struct Options {
    /// Which benchmark; this one is called worker.
    name: Option<String>,
    /// Times that each thing is done that takes long.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Trivial runs that are measured.
    #[arg(long, default_value_t = 2000)]
    runs: usize,
    /// Writes the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long something took, every time: in this process, and in a worker.
struct Row {
    name: &'static str,
    here: Vec<Duration>,
    worker: Vec<Duration>,
}

fn main() -> Result<()> {
    worker::init();
    let options = Options::parse();
    if !options.name.as_ref().is_none_or(|part| "worker".contains(part)) {
        return Ok(());
    }
    println!("{}", machine());
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let mut figures = serde_json::Map::new();
    for backend in [BackendKind::Wasm, BackendKind::DenoSandbox] {
        let (rows, memory) = runtime.block_on(measure(backend, &options))?;
        println!("\n{backend:<28}{:>19}{:>22}{:>14}", "in-process", "worker", "more");
        println!("{:<28}{:>9}{:>10}{:>12}{:>10}{:>14}", "", "p50", "p95", "p50", "p95", "p50");
        let mut of_backend = serde_json::Map::new();
        for row in &rows {
            of_backend.insert(row.name.to_owned(), row.print());
        }
        println!(
            "{:.1} MiB for each worker alone, its session included",
            memory as f64 / f64::from(1 << 20)
        );
        of_backend.insert("bytes_per_worker".to_owned(), memory.into());
        figures.insert(backend.key().to_owned(), of_backend.into());
    }
    println!("\nafterwards: {}", machine());
    if let Some(path) = options.json {
        let figures = json!({"machine": machine(), "backends": figures});
        fs::write(&path, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

async fn measure(backend: BackendKind, options: &Options) -> Result<(Vec<Row>, u64)> {
    let &Options { rounds, runs, .. } = options;
    let pool = Pool::new(PoolConfig { warm: 1, ..worker::config(backend) })?;
    let here = || Session::builder().backend(backend).placement(Placement::InProcess);
    let there = || Session::builder().backend(backend).workers(&pool);
    let mut rows = Vec::new();
    rows.push(in_turns("run of 1 + 1", runs, here(), there(), &trivial).await?);
    for (name, call) in [
        ("tool call", "tools.echo(a=i, text='hi')"),
        ("tool call, awaited", "await tools.echo(a=i, text='hi')"),
    ] {
        let code = calls_of(call);
        let call = async |session: &Session| time_of(&value(session, &code).await?);
        rows.push(in_turns(name, rounds, here(), there(), &call).await?);
    }
    let text = "'x' * 1_000_000";
    let large = async |session: &Session| timed(session, text).await;
    rows.push(in_turns("a value of a megabyte", rounds, here(), there(), &large).await?);
    let lines = "for i in range(1000): print(i)";
    let lines = async |session: &Session| timed(session, lines).await;
    rows.push(in_turns("a thousand lines of output", rounds, here(), there(), &lines).await?);
    let mut starts = Row { name: "session, a spare waiting", here: vec![], worker: vec![] };
    let mut firsts = Row { name: "the same, first result", here: vec![], worker: vec![] };
    let mut crashes = Row { name: "first result after kill -9", here: vec![], worker: vec![] };
    let mut memory = Vec::new();
    for _ in 0..rounds {
        for builder in [here(), there()] {
            pool.warm().await?;
            quiet(&pool).await;
            let spare = workers_of_this()?; // the one that the session will have
            let is_here = starts.here.len() == starts.worker.len();
            let begin = Instant::now();
            let session = started(builder).await?;
            let start = begin.elapsed();
            trivial(&session).await?;
            let first = begin.elapsed();
            let (of_starts, of_firsts) = if is_here {
                (&mut starts.here, &mut firsts.here)
            } else {
                (&mut starts.worker, &mut firsts.worker)
            };
            of_starts.push(start);
            of_firsts.push(first);
            if !is_here {
                quiet(&pool).await;
                let workers = workers_of_this()?;
                memory.push(
                    workers.iter().copied().map(private_bytes_of).sum::<u64>() / pool_size(&pool),
                );
                kill_all(&spare);
                ensure!(!session.run("1").await.is_ok(), "the worker was not killed");
                let begin = Instant::now();
                trivial(&session).await?;
                crashes.worker.push(begin.elapsed());
            }
            session.close().await;
        }
    }
    rows.extend([starts, firsts, crashes]);
    memory.sort_unstable();
    Ok((rows, memory.get(memory.len() / 2).copied().unwrap_or_default()))
}

/// Measures something in a session of each kind, in turns, and does not count the first time.
async fn in_turns(
    name: &'static str,
    times: usize,
    here: SessionBuilder,
    worker: SessionBuilder,
    measure: &impl AsyncFn(&Session) -> Result<Duration>,
) -> Result<Row> {
    let (here, worker) = (started(here).await?, started(worker).await?);
    let mut row = Row { name, here: Vec::new(), worker: Vec::new() };
    for number in 0..=times {
        let (in_here, in_worker) = (measure(&here).await?, measure(&worker).await?);
        if number > 0 {
            row.here.push(in_here);
            row.worker.push(in_worker);
        }
    }
    here.close().await;
    worker.close().await;
    Ok(row)
}

async fn started(builder: SessionBuilder) -> Result<Session> {
    Ok(builder.port(Arc::new(Echo)).start().await?)
}

async fn trivial(session: &Session) -> Result<Duration> {
    timed(session, "1 + 1").await
}

async fn timed(session: &Session, code: &str) -> Result<Duration> {
    let begin = Instant::now();
    value(session, code).await?;
    Ok(begin.elapsed())
}

async fn value(session: &Session, code: &str) -> Result<Value> {
    let result = session.run(code).await;
    ensure!(result.is_ok(), "{:?}", result.error);
    Ok(result.value)
}

/// Waits until no worker is being started.
async fn quiet(pool: &Pool) {
    while pool.status().starting > 0 || pool.status().warm == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(300)).await; // this process may be making spares of its own
}

/// The workers that there are, with and without a session.
fn pool_size(pool: &Pool) -> u64 {
    (pool.status().warm + pool.status().busy) as u64
}

/// The processes below this one.
fn workers_of_this() -> Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut parents = vec![std::process::id()];
    while let Some(parent) = parents.pop() {
        for task in fs::read_dir(format!("/proc/{parent}/task"))? {
            let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|child| child.parse().ok());
            let children: Vec<u32> = children.collect();
            found.extend(&children);
            parents.extend(children);
        }
    }
    Ok(found)
}

fn kill_all(processes: &[u32]) {
    for process in processes {
        let process = i32::try_from(*process).ok().and_then(Pid::from_raw);
        let _ = process.map(|process| kill_process(process, Signal::KILL)); // it may have ended
    }
}

impl Row {
    fn print(&self) -> Value {
        let [here, worker] = [&self.here, &self.worker].map(|times| p50_and_p95(times));
        let cell = |times: Option<[Duration; 2]>, at: usize| {
            times.map_or_else(|| "-".to_owned(), |times| format!("{:.1?}", times[at]))
        };
        let more = here
            .zip(worker)
            .map(|(here, worker)| (worker[0].as_secs_f64() - here[0].as_secs_f64()) * 1e6);
        println!(
            "{:<28}{:>9}{:>10}{:>12}{:>10}{:>14}",
            self.name,
            cell(here, 0),
            cell(here, 1),
            cell(worker, 0),
            cell(worker, 1),
            more.map_or_else(String::new, |more| format!("{more:+.1} µs"))
        );
        let seconds = |times: Option<[Duration; 2]>| {
            times.map(|[p50, p95]| json!({"p50": p50.as_secs_f64(), "p95": p95.as_secs_f64()}))
        };
        json!({"in_process": seconds(here), "worker": seconds(worker), "more_us": more})
    }
}
