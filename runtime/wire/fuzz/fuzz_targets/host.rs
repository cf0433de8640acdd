//! Arbitrary bytes from a worker, heard by its host. `../../tests/oracle/mod.rs` says what has to hold.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/oracle/mod.rs"]
mod oracle;

fuzz_target!(|input: &[u8]| drop(oracle::host(input)));
