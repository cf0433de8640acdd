//! The store as the facade uses it, with the resolvers that this machine has.
//!
//! `offline` and `pyodide` make their own wheels and need no index. `registry` asks the index that this machine's
//! pip is configured with. Each test runs with pip and, where it is found, with uv; what is skipped
//! says so.

#[path = "../../src/wheel/testing.rs"]
mod testing;

mod offline;
mod pyodide;
mod registry;
mod world;

type TestResult = Result<(), Box<dyn std::error::Error>>;
