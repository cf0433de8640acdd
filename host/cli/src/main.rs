//! The `pcm-sandbox` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    pcm_sandbox::worker::init();
    cli::main()
}
