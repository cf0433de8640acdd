//! The server over real HTTP on loopback, with sandboxes that do what the test says.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod puppet;
mod run;
mod support;
