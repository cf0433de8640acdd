//! The deno-sandbox wall beside what it replaces: an external Deno process, a worker with Pyodide in
//! it, and a line of JSON a message. That is `peers/deno`, which `./x bench deno` installs; without
//! it the figures of the wall stand alone.
//!
//! Both sides do the same work under the same load, in turns where a round takes long.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod peer;
mod wall;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use pcm_benches::{machine, p50_and_p95};
use pcm_runtime_deno::DenoEngine;
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::wall::Wall;

/// Measures the deno-sandbox wall and its peer.
#[derive(Debug, Parser)]
struct Options {
    /// Which benchmark; this one is called deno.
    name: Option<String>,
    /// Times that each thing is done that takes long.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Trivial runs that are measured.
    #[arg(long, default_value_t = 1000)]
    runs: usize,
    /// Writes the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long something took, every time.
type Times = Vec<Duration>;

/// The same work on both sides, as far as they could do it.
struct Row {
    name: &'static str,
    wall: Option<Times>,
    peer: Option<Times>,
}

/// What one more session takes, in bytes.
#[derive(Debug, Clone, Copy)]
struct Memory {
    /// The growth of the resident set.
    resident: u64,
    /// The same with shared pages by their share.
    proportional: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.name.as_ref().is_none_or(|part| "deno".contains(part)) {
        return Ok(());
    }
    let info = DenoEngine::info();
    println!("{}", machine());
    println!("the wall: Pyodide {} on V8 {}", info.pyodide, info.v8);
    let found = Peer::find();
    match &found {
        Ok(peer) => println!("the peer: {}\n", peer.version),
        Err(reason) => println!("no figures of the peer: {reason:#}\n"),
    }
    let peer = found.as_ref().ok();
    let wall = Wall::new()?;
    // First, while the process holds nothing that an earlier part has left.
    let memory = [Some(wall.memory()?), peer.map(Peer::memory).transpose()?];
    let rows = measure(&wall, peer, &options)?;
    print_rows(&rows);
    print_memory(memory);
    println!("\nafterwards: {}", machine());
    if let Some(path) = options.json {
        let figures = json!({
            "machine": machine(),
            "pyodide": info.pyodide,
            "v8": info.v8,
            "peer": peer.map(|peer| peer.version.as_str()),
            "rows": rows.iter().map(Row::figures).collect::<Vec<_>>(),
            "bytes_per_session": memory.map(|memory| memory.map(Memory::figures)),
        });
        fs::write(&path, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn measure(wall: &Wall, peer: Option<&Peer>, options: &Options) -> Result<Vec<Row>> {
    let &Options { rounds, runs, .. } = options;
    let mut rows = vec![processes(peer, rounds)?];
    // The peer has neither a second session in its process nor one that waits: it starts a process,
    // or a worker.
    let of_peer = rows.first().and_then(|row| row.peer.clone());
    let mut row = |name, wall, peer| rows.push(Row { name, wall: Some(wall), peer });
    row("a session more, first result", wall.first_results(0, rounds)?, of_peer.clone());
    row("the same, a spare waiting", wall.first_results(1, rounds)?, of_peer);
    let resets = peer.map(|peer| peer.resets(rounds)).transpose()?;
    row("reset", wall.resets(0, rounds)?, resets.clone());
    row("the same, a spare waiting", wall.resets(1, rounds)?, resets);
    row("run of 1 + 1", wall.runs(runs)?, peer.map(|peer| peer.runs(runs)).transpose()?);
    for (name, of_wall, of_peer) in [
        ("tool call", "tools.echo(a=i, text='hi')", "tools.call_tool(ECHO)"),
        (
            "tool call, awaited",
            "await tools.echo(a=i, text='hi')",
            "await tools.call_tool_async(ECHO)",
        ),
    ] {
        let of_peer = of_peer.replace("ECHO", "'echo', {'a': i, 'text': 'hi'}");
        let of_peer = peer.map(|peer| peer.calls(&of_peer, rounds)).transpose()?;
        row(name, wall.calls(of_wall, rounds)?, of_peer);
    }
    Ok(rows)
}

/// From the start of a process to the first result; of the wall to the end of the whole command.
fn processes(peer: Option<&Peer>, rounds: usize) -> Result<Row> {
    let mut of_wall = wall::whole_command().map(|_| Times::new());
    let mut of_peer = peer.map(|_| Times::new());
    if let Some(peer) = peer {
        peer.first_result()?; // fills its caches
    }
    for _ in 0..rounds {
        if let Some(times) = &mut of_wall {
            times.extend(wall::whole_command());
        }
        if let (Some(peer), Some(times)) = (peer, &mut of_peer) {
            times.push(peer.first_result()?);
        }
    }
    if of_wall.is_none() {
        println!("no figure for the whole command: build pcm-sandbox first\n");
    }
    Ok(Row { name: "a process, first result", wall: of_wall, peer: of_peer })
}

impl Row {
    /// Percentiles of both sides.
    fn percentiles(&self) -> [Option<[Duration; 2]>; 2] {
        [&self.wall, &self.peer].map(|times| times.as_deref().and_then(p50_and_p95))
    }

    /// How many times as long the peer took, in the middle.
    fn ratio(&self) -> Option<f64> {
        let [Some([wall, _]), Some([peer, _])] = self.percentiles() else { return None };
        Some(peer.as_secs_f64() / wall.as_secs_f64())
    }

    fn figures(&self) -> Value {
        let [wall, peer] = self.percentiles().map(|times| {
            times.map(|[p50, p95]| json!({"p50": p50.as_secs_f64(), "p95": p95.as_secs_f64()}))
        });
        json!({"name": self.name, "wall": wall, "peer": peer, "ratio": self.ratio()})
    }
}

impl Memory {
    /// What one of `sessions` takes that came between two measurements.
    fn of_each(sessions: u32, before: Self, after: Self) -> Self {
        let each = |before, after: u64| after.saturating_sub(before) / u64::from(sessions);
        Self {
            resident: each(before.resident, after.resident),
            proportional: each(before.proportional, after.proportional),
        }
    }

    fn figures(self) -> Value {
        json!({"resident": self.resident, "proportional": self.proportional})
    }
}

fn print_rows(rows: &[Row]) {
    let cell =
        |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1?}"));
    println!("{:<30}{:>20}{:>24}", "", "wall", "peer");
    println!("{:<30}{:>10}{:>10}{:>14}{:>10}", "", "p50", "p95", "p50", "p95");
    for row in rows {
        let [wall, peer] = row.percentiles().map(|times| match times {
            Some(times) => times.map(Some),
            None => [None; 2],
        });
        let [wall, peer] = [wall.map(cell), peer.map(cell)];
        print!("{:<30}{:>10}{:>10}{:>14}{:>10}", row.name, wall[0], wall[1], peer[0], peer[1]);
        println!("{}", row.ratio().map_or_else(String::new, |ratio| format!("{ratio:>9.1} x")));
    }
}

fn print_memory(memory: [Option<Memory>; 2]) {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    for (name, memory) in ["wall", "peer"].into_iter().zip(memory) {
        if let Some(Memory { resident, proportional }) = memory {
            println!(
                "\n{name}: {:.1} MiB resident for each session more, {:.1} MiB with shared pages by \
                 their share",
                mebibytes(resident),
                mebibytes(proportional)
            );
        }
    }
}
