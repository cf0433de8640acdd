//! `pcm-sandbox completions` and `pcm-sandbox man`: what shells and manuals want to know.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::exit::Failure;
use super::output::{Stream, Streams};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  source <(pcm-sandbox completions bash)
  pcm-sandbox completions zsh > ~/.zfunc/_pcm-sandbox
  pcm-sandbox completions fish > ~/.config/fish/completions/pcm-sandbox.fish";

/// Print the manual page, or write those of all commands
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder to write them into; it is made if it is missing
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    let text = String::from_utf8_lossy(&text);
    // clap_complete 4.6.11 takes the hyphen in the name of a program for the end of it in half of what it
    // writes for bash, where no command then has options.
    write(text.replace("pcm__subcmd__sandbox", "pcm__sandbox").as_bytes());
    ExitCode::SUCCESS
}

pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let done = match &args.dir {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder)),
        None => page().map(|text| write(&text)),
    };
    done.map_err(|error| Failure::failed(format!("cannot write the manual: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn page() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    Ok(text)
}

fn write(text: &[u8]) {
    let mut streams = Streams::standard();
    streams.write_own(Stream::Out, &String::from_utf8_lossy(text));
    streams.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_command() -> io::Result<()> {
        let page = String::from_utf8_lossy(&page()?).into_owned();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name().replace('-', "\\-");
            assert!(page.contains(&format!("pcm\\-sandbox\\-{name}")), "{name}");
        }
        Ok(())
    }
}
