//! `pcm-sandbox audit`: logs of calls.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use pcm_sandbox::json;
use pcm_sandbox::middleware::{Anchor, Verified, verify_since};

use super::exit::Failure;
use super::host::show;

/// Look at logs of calls
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that nothing was changed in a log whose lines are tied together (--audit-chain)
    ///
    /// Lines that are missing at the end can only be noticed by what an earlier check has printed:
    /// keep that elsewhere.
    Verify {
        /// The log
        file: PathBuf,
        /// How many lines there were at an earlier check
        #[arg(long, value_name = "COUNT")]
        entries: Option<u64>,
        /// The hash of the last line at an earlier check
        #[arg(long, value_name = "HEX")]
        last_hash: Option<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn main(args: AuditArgs) -> Result<ExitCode, Failure> {
    let Command::Verify { file, entries, last_hash, json } = args.command;
    let log = File::open(&file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    let verified = verify_since(log, &Anchor { entries, hash: last_hash })
        .map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    let Verified { entries, last_hash, torn_bytes, .. } = &verified;
    let value = json!({"entries": entries, "last_hash": last_hash, "torn_bytes": torn_bytes});
    show(json, value, || {
        let torn = match torn_bytes {
            0 => String::new(),
            bytes => format!("after them {bytes} bytes of a line that was cut off\n"),
        };
        format!("{entries} lines, nothing changed\n{torn}last hash {last_hash}\n")
    });
    Ok(ExitCode::SUCCESS)
}
