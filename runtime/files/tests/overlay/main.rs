//! Overlays over folders that are opened here or by somebody else, and what is saved.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::duplicate_mod, reason = "the same cases for both ways to a folder")]

mod local;
mod served;
#[path = "../sources/mod.rs"]
mod sources;
