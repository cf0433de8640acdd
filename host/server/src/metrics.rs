//! The server's figures, as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pcm_runtime_api::ErrorKind;

use crate::state::State;

/// The upper ends of the classes of durations, in seconds.
const CLASSES: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// What was counted since the server started.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    durations: Mutex<BTreeMap<&'static str, Durations>>,
    runs: Mutex<BTreeMap<String, u64>>,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) connections_refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Durations {
    classes: [u64; CLASSES.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts a request that was answered.
    pub(crate) fn request(
        &self,
        method: &'static str,
        path: &'static str,
        status: u16,
        took: Duration,
    ) {
        *lock(&self.requests).entry((method, path, status)).or_default() += 1;
        let mut durations = lock(&self.durations);
        let durations = durations.entry(path).or_default();
        let seconds = took.as_secs_f64();
        durations.count += 1;
        durations.seconds += seconds;
        for (count, end) in durations.classes.iter_mut().zip(CLASSES) {
            *count += u64::from(seconds <= end);
        }
    }

    /// Counts a run by how it ended.
    pub(crate) fn run(&self, error: Option<ErrorKind>) {
        let outcome = error.map_or_else(|| "ok".to_owned(), |kind| kind.to_string());
        *lock(&self.runs).entry(outcome).or_default() += 1;
    }
}

/// All figures.
pub(crate) fn text(state: &State) -> String {
    let mut out = String::new();
    let metrics = &state.metrics;
    let mut figure = |name: &str, kind: &str, help: &str, lines: &[(String, f64)]| {
        // Writing to a string does not fail.
        let _ = writeln!(out, "# HELP pcm_{name} {help}\n# TYPE pcm_{name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(out, "pcm_{name}{labels} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    let uptime = state.started.elapsed().as_secs_f64();
    figure("uptime_seconds", "gauge", "Since the server started.", &one(uptime));
    let sessions = state.live.count() as f64;
    figure("sessions", "gauge", "Sessions that live here.", &one(sessions));
    let started = load(&state.live.started);
    figure("sessions_started_total", "counter", "Sessions that were started.", &one(started));
    let expired = load(&state.live.expired);
    figure("sessions_expired_total", "counter", "Sessions that expired.", &one(expired));
    let in_flight = metrics.in_flight.load(Ordering::Relaxed) as f64;
    figure("requests_in_flight", "gauge", "Requests that are being answered.", &one(in_flight));
    let connections = metrics.connections.load(Ordering::Relaxed) as f64;
    figure("connections", "gauge", "Connections that are open.", &one(connections));
    let refused = load(&metrics.connections_refused);
    let help = "Connections that were closed because there were too many.";
    figure("connections_refused_total", "counter", help, &one(refused));
    let pending = state.approvals.as_ref().map_or(0, |approvals| approvals.pending().len());
    let help = "Calls that wait for an approval here.";
    figure("approvals_pending", "gauge", help, &one(pending as f64));
    let runs = lock(&metrics.runs);
    let runs: Vec<_> = runs
        .iter()
        .map(|(outcome, count)| (format!("{{outcome=\"{outcome}\"}}"), *count as f64))
        .collect();
    figure("runs_total", "counter", "Runs of code, by how they ended.", &runs);
    let requests = lock(&metrics.requests);
    let requests: Vec<_> = requests
        .iter()
        .map(|((method, path, status), count)| {
            let labels = format!("{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}}");
            (labels, *count as f64)
        })
        .collect();
    figure("requests_total", "counter", "Requests that were answered.", &requests);
    write_durations(&mut out, &lock(&metrics.durations));
    out
}

fn write_durations(out: &mut String, durations: &BTreeMap<&'static str, Durations>) {
    let name = "pcm_request_duration_seconds";
    let _ = writeln!(out, "# HELP {name} How long requests took.\n# TYPE {name} histogram");
    for (path, Durations { classes, count, seconds }) in durations {
        for (class, end) in classes.iter().zip(CLASSES) {
            let _ = writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"{end}\"}} {class}");
        }
        let _ = writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{name}_sum{{path=\"{path}\"}} {seconds}");
        let _ = writeln!(out, "{name}_count{{path=\"{path}\"}} {count}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
