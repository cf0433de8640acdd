//! The machine that figures are of.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What a reader has to know of a machine, and how busy it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The model of the processor.
    pub processor: String,
    /// How many of its cores this process may use.
    pub cores: usize,
    /// In bytes.
    pub memory: u64,
    /// The release of the kernel.
    pub kernel: String,
    /// What governs the clock of the processor, where the system tells.
    pub governor: Option<String>,
    /// The load of the last minute before the run.
    pub load_before: f64,
    /// The highest that was seen while it ran. A run makes load itself: about 1, more with throughputs.
    pub load_most: f64,
}

impl Machine {
    /// This one.
    pub fn look() -> Self {
        let load = load();
        let memory = field("/proc/meminfo", "MemTotal");
        let kilobytes: u64 = memory.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
        let line = |file: &str| fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(0, usize::from),
            memory: kilobytes << 10,
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            load_before: load,
            load_most: load,
        }
    }

    /// Remembers the load of now.
    pub(crate) fn look_again(&mut self) {
        self.load_most = self.load_most.max(load());
    }

    /// In a line.
    pub fn describe(&self) -> String {
        let gibibytes = self.memory as f64 / f64::from(1 << 30);
        let governor = self.governor.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
        format!(
            "{}, {} cores, {gibibytes:.0} GiB, Linux {}{governor}; load {:.1} before, at most {:.1}",
            self.processor, self.cores, self.kernel, self.load_before, self.load_most
        )
    }
}

/// Waits until hardly anything runs, so that what one contestant has left behind is not in the figures of
/// the next one; for as long as `patience` lasts, of which it takes what it waited.
pub(crate) fn rest(patience: &mut Duration) {
    const LOOK: Duration = Duration::from_millis(1);
    const LOOKS: u32 = 3;
    const LONGEST: Duration = Duration::from_millis(500);
    let begin = Instant::now();
    let mut quiet = 0;
    while quiet < LOOKS && begin.elapsed() < LONGEST.min(*patience) {
        thread::sleep(LOOK);
        // Who looks is one of them.
        quiet = if running() <= 1 { quiet + 1 } else { 0 };
    }
    *patience = patience.saturating_sub(begin.elapsed());
}

/// How many threads of the machine run, or wait for a processor.
fn running() -> u32 {
    let threads = load_average(3);
    let running = threads.split('/').next().and_then(|count| count.parse().ok());
    running.unwrap_or_default()
}

fn load() -> f64 {
    load_average(0).parse().unwrap_or_default()
}

/// A field of `/proc/loadavg`.
fn load_average(number: usize) -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').nth(number).unwrap_or_default().to_owned()
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split(':').nth(1)).unwrap_or_default().trim().to_owned()
}
