//! What it costs that Python can be stopped.
//!
//! Each program of the command `bench` runs in turn in every column: compiled without any metering, on an
//! engine that only this benchmark has; as the wasm wall has it; the same counting fuel. Processor time, not
//! time on the clock: it says the same while the machine does other things, as far as anything does. How
//! this compares with Python on the machine, `pcm-sandbox bench --scenario cpu` tells.

#![expect(clippy::print_stdout, reason = "a program for people")]

mod unmetered;
mod wall;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use pcm_bench::SCENARIOS;
use pcm_benches::{machine, median_and_most};
use serde_json::{Value, json};

use crate::unmetered::Unmetered;
use crate::wall::Wall;

/// Runs the programs that compute in all columns.
#[derive(Debug, Parser)]
struct Options {
    /// Which benchmark; this one is called metering.
    name: Option<String>,
    /// Times that every program runs in every column.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Writes the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A source of Python, and the only thing that may differ between columns: how long it took.
struct Program {
    name: &'static str,
    source: &'static str,
}

/// One way of running programs.
trait Column {
    fn name(&self) -> &'static str;

    /// The processor time and what was printed.
    fn run(&self, program: &Program) -> Result<(Duration, String)>;
}

fn main() -> Result<()> {
    let options = Options::parse();
    if !options.name.as_ref().is_none_or(|part| "metering".contains(part)) {
        return Ok(());
    }
    println!("{}\n{}\n", machine(), wall::version()?);
    let columns: Vec<Box<dyn Column>> = vec![
        Box::new(Unmetered::compile()?),
        Box::new(Wall::plain()?),
        Box::new(Wall::with_fuel()?),
    ];
    let programs = programs();
    let times = measure(&programs, &columns, options.rounds)?;
    let figures = figures(&programs, &columns, &times);
    print_table(&figures);
    if let Some(path) = options.json {
        fs::write(&path, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn programs() -> Vec<Program> {
    let program =
        |one: &'static pcm_bench::Scenario| Some(Program { name: one.key, source: one.program()? });
    SCENARIOS.iter().filter_map(program).collect()
}

/// By program and column, the seconds of all rounds. The column that begins changes.
fn measure(
    programs: &[Program],
    columns: &[Box<dyn Column>],
    rounds: usize,
) -> Result<Vec<Vec<Vec<f64>>>> {
    let mut times = vec![vec![Vec::new(); columns.len()]; programs.len()];
    for round in 0..rounds {
        for (program, times) in programs.iter().zip(&mut times) {
            let mut printed: Option<String> = None;
            for turn in 0..columns.len() {
                let number = (round + turn) % columns.len();
                let column = &columns[number];
                let (time, output) = column
                    .run(program)
                    .with_context(|| format!("{} in {}", program.name, column.name()))?;
                times[number].push(time.as_secs_f64());
                let first = printed.get_or_insert_with(|| output.clone());
                ensure!(*first == output, "{}: {first:?} is not {output:?}", program.name);
            }
        }
    }
    Ok(times)
}

fn figures(programs: &[Program], columns: &[Box<dyn Column>], times: &[Vec<Vec<f64>>]) -> Value {
    let mut rows = Vec::new();
    let mut logarithms = vec![0.0; columns.len()];
    for (program, times) in programs.iter().zip(times) {
        let medians: Vec<f64> =
            times.iter().map(|times| median_and_most(times.clone()).0).collect();
        let ratios: Vec<f64> = medians.iter().map(|median| median / medians[0]).collect();
        for (sum, ratio) in logarithms.iter_mut().zip(&ratios) {
            *sum += ratio.ln();
        }
        rows.push(json!({"program": program.name, "seconds": medians, "ratios": ratios}));
    }
    let count = programs.len().max(1) as f64;
    let means: Vec<f64> = logarithms.iter().map(|sum| (sum / count).exp()).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    json!({"machine": machine(), "columns": names, "rows": rows, "geometric_means": means})
}

fn print_table(figures: &Value) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let cell = |value: &Value, scale| value.as_f64().unwrap_or_default() * scale;
    print!("{:<12}", "ms");
    for name in list(&figures["columns"]) {
        print!("{:>20}", name.as_str().unwrap_or_default());
    }
    println!();
    for row in list(&figures["rows"]) {
        print!("{:<12}", row["program"].as_str().unwrap_or_default());
        for (seconds, ratio) in list(&row["seconds"]).iter().zip(list(&row["ratios"])) {
            print!("{:>12.1}{:>6.2} x", cell(seconds, 1e3), cell(&ratio, 1.0));
        }
        println!();
    }
    print!("{:<12}", "geom. mean");
    for mean in list(&figures["geometric_means"]) {
        print!("{:>18.2} x", cell(&mean, 1.0));
    }
    println!();
}
