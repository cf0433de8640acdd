//! What has to hold of arbitrary bytes, at every border where bytes come from somebody who may be hostile.
//!
//! What lives here: the oracles. Each takes bytes, does with them what the product does, and panics where
//! something does not hold: that a reader reads what an independent one reads, that what is read can be
//! written and read again, that what is refused does nothing, that no text outgrows its bound. And the
//! mutator that makes new bytes of known ones, the same ones from the same number.
//!
//! What must never live here: what decides about bytes. That is in the crates that are tried.
//!
//! In: bytes, from `seeds/` and the mutator (`tests/fuzz.rs`, in `./x test`), or from libFuzzer (`fuzz/` at
//! the root, by `./x fuzz`). Out: nothing, or a panic.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "an oracle says by a panic that something does not hold"
)]

mod argv;
mod condition;
mod frames;
mod http;
mod mutator;
mod names;
pub mod wire;
mod yaml;

pub use argv::argv;
pub use condition::condition;
pub use frames::{outcome, request};
pub use http::http;
pub use mutator::Mutator;
pub use names::names;
pub use yaml::{policy, tokens, tools};

/// An oracle by its name, which is that of its folder in `seeds/` and of its target in `fuzz/`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// The oracle.
    pub try_it: fn(&[u8]),
    /// How many mutated inputs `./x test` tries: about as many as take a second.
    pub rounds: usize,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "wire", try_it: wire::wire, rounds: 40_000 },
    Target { name: "request", try_it: request, rounds: 10_000 },
    Target { name: "outcome", try_it: outcome, rounds: 20_000 },
    Target { name: "tools", try_it: tools, rounds: 10_000 },
    Target { name: "policy", try_it: policy, rounds: 20_000 },
    Target { name: "tokens", try_it: tokens, rounds: 5_000 },
    Target { name: "names", try_it: names, rounds: 40_000 },
    Target { name: "argv", try_it: argv, rounds: 40_000 },
    Target { name: "condition", try_it: condition, rounds: 40_000 },
    Target { name: "http", try_it: http, rounds: 100 },
];
