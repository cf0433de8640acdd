//! What a backend costs, and what its peers do: measured side by side, by the same rules.
//!
//! What lives here: the [`Scenario`]s; the [`Wall`] that a backend has to be to take part; the loop that
//! measures one ([`serve`]) in a process of its own, and the drivers of peers that do the same in their
//! own languages (`peers/`); the run that asks all of these for batches of samples in turns ([`Bench`]);
//! statistics, targets, comparisons with an earlier run; and the forms of the report.
//!
//! A run goes in as [`Settings`] and [`Contestant`]s, a [`Record`] comes out. Everything that is shown
//! or compared is made of a record, so that a file of yesterday is as good as a run of today.
//!
//! What must never live here: a backend (the facade is told by `host/cli` how to be a [`Wall`]), a
//! terminal, and a figure that was not measured.

mod bench;
mod compare;
mod contestant;
mod driver;
mod error;
mod format;
mod machine;
mod peers;
mod processes;
mod protocol;
mod record;
mod report;
mod scenario;
mod statistics;
mod table;
mod targets;
mod wall;

pub use bench::{Bench, Progress, Settings};
pub use compare::{Comparison, Difference, compare};
pub use contestant::{Contestant, Kind};
pub use driver::serve;
pub use error::BenchError;
pub use machine::Machine;
pub use peers::{PEERS, Peers, install};
pub use protocol::{Hello, ProcessSpec, Reply, Request};
pub use record::{About, Absence, Entry, Record, Row};
pub use report::html;
pub use scenario::{SCENARIOS, Scenario, Unit};
pub use statistics::{Interval, Summary, mann_whitney, ratio_interval};
pub use table::{comparison_table, table};
pub use targets::{Judged, TARGETS, Target, Verdict, judge};
pub use wall::{Backend, Ran, Sandbox, Wall};
