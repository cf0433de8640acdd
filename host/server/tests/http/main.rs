//! The server over real HTTP on loopback, with sandboxes that do what the test says.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod access;
mod approvals;
#[expect(dead_code, reason = "the tests of the command need more of it")]
mod ask;
mod bounds;
mod data;
mod documented;
mod hostile;
mod nodes;
mod puppet;
mod redis;
mod run;
mod support;
