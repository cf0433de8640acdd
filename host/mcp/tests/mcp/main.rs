//! The server as clients see it, message by message, with sandboxes that do what the test says.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod approvals;
mod bounds;
mod data;
mod http;
mod newest;
mod puppet;
mod run;
mod suite;
mod support;
