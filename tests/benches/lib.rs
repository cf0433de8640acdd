//! What the benchmarks share: figures of the machine and of this process.
//!
//! Times in here are for reading, not for passing: nothing fails because a machine was busy.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use pcm_runtime_api::{HostCall, HostError, HostPort, Payload};
use serde_json::Value;

/// Answers every call with its arguments.
#[derive(Debug)]
pub struct Echo;

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        Ok(call.args)
    }
}

/// The machine and how busy it is, in a line.
pub fn machine() -> String {
    let cpu = field("/proc/cpuinfo", "model name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!("{cpu}, {cores} cores, load {}", load.join(" "))
}

/// Whether the benchmark `name` is among those that the command line asks for: it names a part of a
/// benchmark's name, or none.
pub fn is_wanted(name: &str) -> bool {
    let mut arguments = std::env::args().skip(1);
    arguments.find(|argument| !argument.starts_with('-')).is_none_or(|part| name.contains(&part))
}

/// The value in the middle, and the largest one; zero of nothing.
pub fn median_and_most(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2).copied().unwrap_or_default();
    (middle, values.last().copied().unwrap_or_default())
}

/// Python that makes many calls, and tells how many seconds one of them took.
pub fn calls_of(call: &str) -> String {
    const CALLS: usize = 1000;
    format!(
        "from time import perf_counter as now
begin = now()
for i in range({CALLS}):
    {call}
(now() - begin) / {CALLS}"
    )
}

/// The seconds that Python has told.
pub fn time_of(value: &Value) -> Result<Duration> {
    let seconds = value.as_f64().with_context(|| format!("{value} is no time"))?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// The time in the middle, and the one that 95 of 100 do not exceed.
pub fn p50_and_p95(times: &[Duration]) -> Option<[Duration; 2]> {
    let mut times = times.to_vec();
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    Some([at(50)?, at(95)?])
}

/// Memory that belongs to a process alone, in bytes.
pub fn private_bytes_of(process: u32) -> u64 {
    let rollup = format!("/proc/{process}/smaps_rollup");
    let parts = ["Private_Clean", "Private_Dirty"].map(|name| kilobytes(&rollup, name));
    parts.iter().sum::<u64>() << 10
}

/// Memory of this process, shared pages by its share of them, in bytes.
pub fn pss_bytes() -> u64 {
    kilobytes("/proc/self/smaps_rollup", "Pss:") << 10
}

/// Memory of any process that is in RAM, in bytes. Pages that it maps twice count twice.
pub fn resident_bytes_of(process: u32) -> u64 {
    kilobytes(&format!("/proc/{process}/status"), "VmRSS:") << 10
}

fn kilobytes(file: &str, name: &str) -> u64 {
    field(file, name).split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split(':').nth(1)).unwrap_or_default().trim().to_owned()
}
