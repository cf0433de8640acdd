//! What is measured.

use std::fmt;

/// What the samples of a scenario are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time; less is better.
    Seconds,
    /// Memory; less is better.
    Bytes,
    /// Runs a second; more is better.
    PerSecond,
}

impl Unit {
    /// Whether a larger sample is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::PerSecond
    }

    /// Its name in records.
    pub fn key(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::PerSecond => "per-second",
        }
    }
}

/// How samples come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// A process is started and waited for from outside.
    Process,
    /// The driver is asked for samples.
    Samples,
    /// The driver is asked for samples of a program, whose output is compared with that of the others.
    Program(&'static str),
    /// The driver holds sessions, and its processes are looked at from outside.
    Memory(u32),
    /// The driver is asked for samples, each of which takes long by itself.
    Throughput,
}

/// One thing that is measured, of every contestant that can do it.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line and in records.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What a sample is, in a sentence.
    pub about: &'static str,
    /// What its samples are.
    pub unit: Unit,
    /// Whether a quick run has it.
    pub quick: bool,
    pub(crate) how: How,
}

impl Scenario {
    /// The scenario of that name.
    pub fn find(key: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.key == key)
    }

    /// The source of a program that computes, where it is about one.
    pub fn program(&self) -> Option<&'static str> {
        match self.how {
            How::Program(source) => Some(source),
            _ => None,
        }
    }

    /// What drivers call the group it is in, where they take part in all of it or none.
    pub(crate) fn group(&self) -> &'static str {
        match self.how {
            How::Program(_) => "programs",
            How::Throughput => "throughput",
            _ if self.key.starts_with("pooled-") => "pooled",
            _ => self.key,
        }
    }

    /// The texts that a driver needs for it.
    pub(crate) fn text(&self) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match (self.how, self.key) {
            (How::Program(source), _) => one(source),
            (_, "agent-run") => AGENT_BLOCKS.map(str::to_owned).to_vec(),
            (_, "imports") => one(IMPORTS),
            (_, "fork" | "checkpoint" | "roll-back") => one(DATA),
            _ => Vec::new(),
        }
    }

    /// What the code of every contestant has to print.
    pub(crate) fn printed(&self) -> Option<&'static str> {
        (self.key == "agent-run").then_some(AGENT_PRINTS)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.key)
    }
}

/// Ten blocks in one session, each of which needs those before it. The method and what comes out are
/// those of the monty project's benchmark of agents; the code is our own.
pub(crate) const AGENT_BLOCKS: [&str; 10] = [
    "orders = [dict(sku='A1', amount=2, each=3.5), dict(sku='B2', amount=1, each=12.0), \
     dict(sku='C3', amount=5, each=1.0)]",
    "def cost(order):\n    return order['amount'] * order['each']",
    "costs = [cost(order) for order in orders]",
    "total = sum(costs)",
    "biggest = max(orders, key=cost)['sku']",
    "import json\nnote = json.dumps({'total': total, 'biggest': biggest})",
    "rebate = total / 10 if total > 10 else 0",
    "due = round(total - rebate, 2)",
    "report = f'{len(orders)} orders, total {due}, biggest {biggest}'",
    "print(report)",
];
const AGENT_PRINTS: &str = "3 orders, total 21.6, biggest B2";

const IMPORTS: &str = "import argparse, collections, csv, dataclasses, datetime, decimal, \
     fractions, functools, hashlib, json, random, re, statistics, textwrap, urllib.parse";

/// A megabyte that belongs to the session alone, page by page.
const DATA: &str = "data = bytearray(range(256)) * 4096";

const fn seconds(
    key: &'static str,
    title: &'static str,
    about: &'static str,
    how: How,
    quick: bool,
) -> Scenario {
    Scenario { key, title, about, unit: Unit::Seconds, quick, how }
}

const fn program(key: &'static str, title: &'static str, source: &'static str) -> Scenario {
    let about = "One run of a program that computes, in a session that has run it before";
    seconds(key, title, about, How::Program(source), false)
}

const fn memory(key: &'static str, title: &'static str, about: &'static str, of: u32) -> Scenario {
    Scenario { key, title, about, unit: Unit::Bytes, quick: of == 10, how: How::Memory(of) }
}

const fn throughput(key: &'static str, title: &'static str, about: &'static str) -> Scenario {
    Scenario { key, title, about, unit: Unit::PerSecond, quick: false, how: How::Throughput }
}

const EACH: &str = "Memory of the processes, shared pages by their share: what each session more than \
     the first adds";

/// All of them, in the order in which they are measured: what is asked for most comes first.
pub static SCENARIOS: [Scenario; 32] = [
    seconds(
        "process-start",
        "Process start to first result",
        "From starting a program until it has printed the result of 1 + 1",
        How::Process,
        true,
    ),
    seconds(
        "fresh-session",
        "Fresh session to first result",
        "From nothing to the result of 1 + 1 in a session; its end is not counted",
        How::Samples,
        true,
    ),
    seconds(
        "pooled-checkout",
        "Pooled checkout to first result",
        "The same where something waits that was made ahead of time",
        How::Samples,
        false,
    ),
    seconds(
        "trivial-run",
        "Trivial run",
        "1 + 1 in a session that has run before",
        How::Samples,
        true,
    ),
    seconds(
        "tool-call",
        "Tool call",
        "One call of the host with two arguments that come back; 100 in a run, one after the other",
        How::Samples,
        true,
    ),
    seconds(
        "tool-gather",
        "Tool call, gathered",
        "The same with 100 calls in one asyncio.gather; the time of all, divided by 100",
        How::Samples,
        false,
    ),
    seconds(
        "agent-run",
        "Ten-block agent run",
        "A session is opened and ten blocks run in it, each on what those before it left",
        How::Samples,
        true,
    ),
    seconds(
        "data-in",
        "1 MiB in",
        "A run takes a text of 1 MiB from the host, by a call",
        How::Samples,
        false,
    ),
    seconds(
        "data-out",
        "1 MiB out",
        "A run makes a text of 1 MiB, which is its result",
        How::Samples,
        false,
    ),
    seconds(
        "imports",
        "Import of 15 modules",
        "Modules of the standard library, in a session that has run 1 + 1 and nothing else",
        How::Samples,
        false,
    ),
    seconds(
        "timeout",
        "Timeout latency",
        "From a deadline of 50 ms until the host has its endless loop back",
        How::Samples,
        false,
    ),
    seconds(
        "reset",
        "Reset to first result",
        "A session that has run is made fresh, and runs 1 + 1",
        How::Samples,
        false,
    ),
    seconds(
        "pooled-reset",
        "Pooled reset to first result",
        "The same where something waits that was made ahead of time",
        How::Samples,
        false,
    ),
    seconds("fork", "Fork", "A session with 1 MiB of data is doubled", How::Samples, false),
    seconds(
        "checkpoint",
        "Checkpoint",
        "The state of a session with 1 MiB of data is kept",
        How::Samples,
        false,
    ),
    seconds(
        "roll-back",
        "Roll-back to first result",
        "A session with 1 MiB of data goes back to what was kept, and runs 1 + 1",
        How::Samples,
        false,
    ),
    seconds(
        "cpu-fib",
        "Computing: fib",
        "One run of a program that computes, in a session that has run it before",
        How::Program(include_str!("../programs/fib.py")),
        true,
    ),
    program("cpu-nbody", "Computing: nbody", include_str!("../programs/nbody.py")),
    program("cpu-json", "Computing: json", include_str!("../programs/json_text.py")),
    program("cpu-regex", "Computing: regex", include_str!("../programs/regex.py")),
    program("cpu-dicts", "Computing: dicts", include_str!("../programs/dicts.py")),
    program("cpu-strings", "Computing: strings", include_str!("../programs/strings.py")),
    program("cpu-sorts", "Computing: sorts", include_str!("../programs/sorts.py")),
    program("cpu-digests", "Computing: sha256", include_str!("../programs/digests.py")),
    memory(
        "memory-1",
        "Memory with one session",
        "Memory of the processes, shared pages by their share: host, engine and the first session",
        1,
    ),
    memory("memory-10", "Memory per session, 10 live", EACH, 10),
    memory("memory-100", "Memory per session, 100 live", EACH, 100),
    memory("memory-1000", "Memory per session, 1000 live", EACH, 1000),
    throughput("throughput-1", "Throughput of 1 session", "Trivial runs a second, on all cores"),
    throughput(
        "throughput-8",
        "Throughput of 8 sessions",
        "Trivial runs a second of all together, on all cores",
    ),
    throughput(
        "throughput-64",
        "Throughput of 64 sessions",
        "Trivial runs a second of all together, on all cores",
    ),
    throughput(
        "throughput-64-one-thread",
        "Throughput of 64 sessions, one thread",
        "Trivial runs a second of all together, on one core",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_there_once_and_are_found() {
        let keys: HashSet<&str> = SCENARIOS.iter().map(|scenario| scenario.key).collect();
        assert_eq!(keys.len(), SCENARIOS.len());
        assert!(keys.iter().all(|key| Scenario::find(key).is_some_and(|found| found.key == *key)));
        assert!(Scenario::find("nothing").is_none());
    }
}
