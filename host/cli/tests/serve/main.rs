//! `pcm-sandbox serve` as it is run: the built binary, a port of its own, real sandboxes, over a folder and
//! over a Redis.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod access;
mod approvals;
#[path = "../../../server/tests/http/ask.rs"]
mod ask;
mod balancer;
mod contract;
mod crashes;
mod ending;
mod manifest;
mod program;
#[path = "../../../server/tests/http/redis.rs"]
mod redis;
mod sessions;
mod workspaces;
