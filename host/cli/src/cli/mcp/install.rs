//! `pcm-sandbox mcp install`: how clients learn of the server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use pcm_sandbox::mcp::{Client, Installation};

use super::super::exit::Failure;
use super::super::output::{Stream, Streams};
use super::super::{Cli, Command};
use super::failed;

/// Print the configuration with which a client starts this server, or write it
///
/// What else is in the client's file stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// The client
    #[arg(value_name = "CLIENT", value_parser = clients())]
    client: Client,

    /// What the client calls the server
    #[arg(long, value_name = "NAME", default_value = "pcm-sandbox")]
    name: String,

    /// Print the lines; this is what happens where nothing is said
    #[arg(long, conflicts_with = "write")]
    print: bool,

    /// Add the lines to the client's file
    #[arg(long)]
    write: bool,

    /// The file, where it is not where the client usually has it
    #[arg(long, value_name = "FILE", requires = "write")]
    file: Option<PathBuf>,

    /// What `pcm-sandbox mcp` is told. Paths are made absolute
    #[arg(last = true, value_name = "ARGS", required = true)]
    args: Vec<String>,
}

/// The arguments whose values are paths.
const PATHS: [&str; 14] = [
    "--base",
    "--storage",
    "--tools",
    "--policy",
    "--audit",
    "--requirements",
    "--wheels",
    "--image",
    "--image-key",
    "--mount",
    "--venv-path",
    "--venv-dir",
    "--subprocess-venv-path",
    "--deno-dir",
];

pub(super) fn main(args: &InstallArgs) -> Result<ExitCode, Failure> {
    check(&args.args)?;
    let nowhere = |error| Failure::startup(format!("the current folder is not known: {error}"));
    let folder = std::env::current_dir().map_err(nowhere)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::startup(format!("the path of this program is not known: {error}"))
    })?;
    let words = absolute(&args.args, &folder);
    let words = std::iter::once("mcp".to_owned()).chain(words);
    let installation = Installation::new(&args.name, program.display().to_string(), words);
    let mut streams = Streams::standard();
    if args.write {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let file = match &args.file {
            Some(file) => file.clone(),
            None => args.client.file(home.as_deref(), &folder).map_err(|error| failed(&error))?,
        };
        let is_changed = installation.write(args.client, &file).map_err(|error| failed(&error))?;
        let what = if is_changed { "is changed" } else { "said so already" };
        streams.write_text(Stream::Out, &format!("{} {what}\n", file.display()));
    } else {
        streams.write_text(Stream::Out, &installation.text(args.client));
    }
    streams.flush();
    Ok(ExitCode::SUCCESS)
}

/// Whether the server would take the arguments: a client would only say that it does not start.
fn check(args: &[String]) -> Result<(), Failure> {
    let words = ["pcm-sandbox", "mcp"].into_iter().chain(args.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|error| Failure::usage(error.to_string()))?;
    let Command::Mcp(mcp) = cli.command else {
        return Err(Failure::usage("these are no arguments of `pcm-sandbox mcp`"));
    };
    if mcp.command.is_some() {
        return Err(Failure::usage("`install` is not what a client starts"));
    }
    if mcp.serve.server.http.is_some() {
        return Err(Failure::usage("a client that starts a server talks to it without --http"));
    }
    if mcp.serve.common.host.places()?.storage_place().is_none() {
        return Err(Failure::usage("one of --base, --storage and --redis is required"));
    }
    Ok(())
}

/// The arguments with whole paths: a client starts the server from a folder of its own.
fn absolute(args: &[String], folder: &Path) -> Vec<String> {
    let whole = |value: &str| {
        if value.contains("://") {
            return value.to_owned();
        }
        // Joined with what begins with a slash it is that.
        folder.join(value.strip_prefix("./").unwrap_or(value)).display().to_string()
    };
    let mut words = Vec::with_capacity(args.len());
    let mut is_path = false;
    for word in args {
        let joined = word.split_once('=').filter(|(flag, _)| PATHS.contains(flag));
        words.push(match joined {
            _ if is_path => whole(word),
            Some((flag, value)) => format!("{flag}={}", whole(value)),
            None => word.clone(),
        });
        is_path = !is_path && PATHS.contains(&word.as_str());
    }
    words
}

fn clients() -> impl TypedValueParser<Value = Client> {
    PossibleValuesParser::new(Client::ALL.map(Client::key)).try_map(|key| {
        Client::ALL.into_iter().find(|client| client.key() == key).ok_or("there is no such client")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn paths_are_made_absolute() {
        let told =
            "--base ./agent --storage redis://h:1/0 --tools=../t --policy /p.yaml --timeout 5s";
        let expected =
            "--base /w/agent --storage redis://h:1/0 --tools=/w/../t --policy /p.yaml --timeout 5s";
        assert_eq!(absolute(&words(told), Path::new("/w")), words(expected));
        assert_eq!(absolute(&words("--mount data:/d:rw"), Path::new("/w"))[1], "/w/data:/d:rw");
    }

    #[test]
    fn a_server_that_would_not_start_is_not_installed() {
        assert_eq!(check(&words("--base agent")), Ok(()));
        for told in ["--bas agent", "--timeout 5s", "--base a --http 127.0.0.1:1", "install cursor"]
        {
            assert!(check(&words(told)).is_err(), "{told}");
        }
    }
}
