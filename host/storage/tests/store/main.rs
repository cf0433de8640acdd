//! Stores over files, Redis and memory, as sessions and other programs use them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod crash;
mod full;
mod hostile;
mod layout;
mod outage;
mod place;
mod records;
mod server;
mod sharing;
mod sync;
mod tls;
mod workspaces;
