//! The command line: one module per subcommand, and what they share.
//!
//! Arguments come in through clap, code runs in a [`pcm_sandbox::Session`], and everything that is
//! written goes through [`output`]. What a run means for the shell is in [`exit`].

mod approve;
mod arguments;
mod artifacts;
mod audit;
#[cfg(feature = "bench")]
mod bench;
mod cache;
mod common;
mod config;
mod deps;
mod doctor;
#[cfg(any(feature = "mcp", feature = "server"))]
mod ending;
mod exit;
mod host;
#[cfg(feature = "wasm")]
mod image;
#[cfg(feature = "container")]
mod images;
mod indexes;
mod interrupt;
mod join;
mod key;
mod limits;
#[cfg(any(feature = "mcp", feature = "server"))]
mod log;
#[cfg(feature = "mcp")]
mod mcp;
mod network;
mod output;
mod packages;
mod policy;
mod printer;
mod progress;
mod repl;
mod run;
#[cfg(feature = "server")]
mod serve;
mod session;
mod shell;
mod source;
mod store;
mod table;
mod tools;
mod wall;
mod workflows;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Failure;

/// Run Python that language models write, where it can do no harm.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    /// Read this file of settings, in place of your own; `pcm-sandbox config` tells what it may say
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  pcm-sandbox run -c '6 * 7'
  pcm-sandbox run script.py --timeout 5s
  pcm-sandbox run --dep jinja2 script.py
  pcm-sandbox doctor";

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Repl(Box<repl::ReplArgs>),
    #[cfg(feature = "server")]
    Serve(Box<serve::ServeArgs>),
    #[cfg(feature = "mcp")]
    Mcp(Box<mcp::McpArgs>),
    #[cfg(feature = "wasm")]
    Image(image::ImageArgs),
    #[cfg(feature = "container")]
    Images(images::ImagesArgs),
    Tools(tools::ToolsArgs),
    Workflows(workflows::WorkflowsArgs),
    Artifacts(artifacts::ArtifactsArgs),
    Deps(deps::DepsArgs),
    Store(store::StoreArgs),
    Policy(policy::PolicyCommand),
    Audit(audit::AuditArgs),
    Doctor(doctor::DoctorArgs),
    Limits(limits::LimitsArgs),
    #[cfg(feature = "bench")]
    Bench(Box<bench::BenchArgs>),
    Cache(cache::CacheArgs),
    Config(config::ConfigArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Does what the arguments of this process say.
pub(crate) fn main() -> ExitCode {
    let cli = match config::parse() {
        Ok(cli) => cli,
        Err(failure) => return failure.report(),
    };
    let done = match cli.command {
        Command::Run(args) => run::main(*args),
        Command::Repl(args) => repl::main(&args),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::main(*args),
        #[cfg(feature = "mcp")]
        Command::Mcp(args) => mcp::main(*args),
        #[cfg(feature = "wasm")]
        Command::Image(args) => image::main(args),
        #[cfg(feature = "container")]
        Command::Images(args) => images::main(args),
        Command::Tools(args) => tools::main(args),
        Command::Workflows(args) => workflows::main(args),
        Command::Artifacts(args) => artifacts::main(args),
        Command::Deps(args) => deps::main(args),
        Command::Store(args) => store::main(args),
        Command::Policy(args) => policy::main(args),
        Command::Audit(args) => audit::main(args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Limits(args) => Ok(limits::main(&args)),
        #[cfg(feature = "bench")]
        Command::Bench(args) => bench::main(&args),
        Command::Cache(args) => cache::main(args),
        Command::Config(args) => config::main(args, cli.config),
        Command::Completions(args) => Ok(shell::completions(&args)),
        Command::Man(args) => shell::man(&args),
    };
    done.unwrap_or_else(Failure::report)
}

/// One thread: code runs on it, and nobody else is served.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::startup(format!("cannot start the event loop: {error}")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
