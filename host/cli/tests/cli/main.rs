//! The `pcm-sandbox` command as a user runs it: the built binary, its streams and its exit codes.

mod approve;
mod backends;
#[cfg(feature = "bench")]
mod bench;
mod command;
mod completions;
mod ending;
mod examples;
mod exit_codes;
mod facts;
mod formats;
mod host;
mod image;
mod images;
mod packages;
mod placement;
mod policy;
mod pyodide;
mod redis;
mod repl;
mod sources;
mod states;
mod store;
mod terminal;
#[path = "../../../packages/src/wheel/testing.rs"]
#[expect(dead_code, reason = "the tests of pcm-packages need more of it")]
mod testing;
mod world;

type TestResult = Result<(), Box<dyn std::error::Error>>;
