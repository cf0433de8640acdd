//! The `pcm-sandbox` command as a user runs it: the built binary, its streams and its exit codes.

mod command;
mod ending;
mod exit_codes;
mod facts;
mod formats;
mod image;
mod sources;
mod states;

type TestResult = Result<(), Box<dyn std::error::Error>>;
