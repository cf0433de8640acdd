//! Where options come from: the command line, or else the environment, or else a file of settings; and
//! `pcm-sandbox config`, which tells.
//!
//! An option that the command line does not have is added to it before it is read again, so that every
//! option can be set in all three ways and means the same in each.

mod file;
mod settings;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ContextKind;
use clap::parser::ValueSource;
use clap::{
    Arg, ArgMatches, Command as Clap, CommandFactory as _, FromArgMatches as _, Subcommand,
};
use pcm_sandbox::{Value, json};

use super::exit::Failure;
use super::host::show;
use super::output::{Stream, Streams};
use super::{Cli, table};
use file::SettingsFile;
use settings::{Setting, Settings};

/// Show where options come from
///
/// An option of a command is set by the command line (`--timeout 5s`), or else by the environment
/// (`PCM_TIMEOUT=5s`), or else by the file of settings (`timeout = "5s"`, or under `[run]` for one command).
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

const EXAMPLE: &str = "\
The file is ${XDG_CONFIG_HOME:-~/.config}/pcm-sandbox/pcm-sandbox.toml, or what --config or PCM_CONFIG name;
never one that happens to lie in the current folder. As an example:

  timeout = \"10s\"
  memory = \"128MiB\"

  [serve]
  tokens = \"/etc/pcm-sandbox/tokens.yaml\"
  hostname = [\"sandbox.example.org\"]";

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show what the options of a command are, and who says so
    Show {
        /// The command
        #[arg(default_value = "run")]
        command: String,
        /// Those that are set only
        #[arg(long)]
        set: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show which file of settings is read
    Path,
}

/// Reads the command line of this process, with what the environment and the file add to it.
pub(crate) fn parse() -> Result<Cli, Failure> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let given =
        Cli::command().try_get_matches_from(&arguments).unwrap_or_else(|error| error.exit());
    let file = file_of(given.get_one::<PathBuf>("config").cloned())?;
    let is_variable = |name: &OsString| name.as_encoded_bytes().starts_with(b"PCM_");
    // As most often: to read it all twice takes a while.
    if !file.is_there() && !std::env::vars_os().any(|(name, _)| is_variable(&name)) {
        return Ok(Cli::from_arg_matches(&given).unwrap_or_else(|error| error.exit()));
    }
    let settings = Settings::new(file, |name| std::env::var_os(name));
    let (whole, said) = with_settings(arguments, &given, &settings)?;
    let matches = Cli::command().try_get_matches_from(whole);
    let matches = matches.unwrap_or_else(|error| refuse(&error, &said));
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// An option, and who says it in place of the command line.
#[derive(Debug)]
struct Said {
    option: String,
    source: String,
}

/// Says what is wrong with a command line that is right without what was added to it, and who added that.
fn refuse(error: &clap::Error, said: &[Said]) -> ! {
    let _ = error.print();
    let refused = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let refused = refused.split([' ', '=']).next().unwrap_or_default();
    let mut streams = Streams::standard();
    for Said { option, source } in said.iter().filter(|said| said.option == refused) {
        streams.write_text(Stream::Err, &format!("{source} says {option}\n"));
    }
    streams.flush();
    std::process::exit(error.exit_code())
}

/// The file that is named, which has to be there, or the user's own, which need not.
fn file_of(named: Option<PathBuf>) -> Result<SettingsFile, Failure> {
    match named.or_else(|| std::env::var_os("PCM_CONFIG").map(PathBuf::from)) {
        Some(file) => SettingsFile::read(file),
        None => SettingsFile::of_user(),
    }
}

/// The command line with the options that it does not have, and who says each of these.
fn with_settings(
    arguments: Vec<OsString>,
    given: &ArgMatches,
    settings: &Settings,
) -> Result<(Vec<OsString>, Vec<Said>), Failure> {
    settings.check(&Cli::command())?;
    let mut command = Cli::command();
    command.build();
    let (mut names, mut matches, mut leaf) = (Vec::new(), given, &command);
    while let Some((name, of_it)) = matches.subcommand() {
        let Some(next) = leaf.find_subcommand(name) else { break };
        names.push(name.to_owned());
        (matches, leaf) = (of_it, next);
    }
    let Some(first) = names.first() else { return Ok((arguments, Vec::new())) };
    let is_given = |argument: &Arg| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let given_arguments: Vec<&Arg> = leaf.get_arguments().filter(|one| is_given(one)).collect();
    let (mut added, mut said) = (Vec::new(), Vec::new());
    for argument in options(leaf) {
        // What the command line says comes first, also against what it excludes.
        let is_excluded = |given: &&Arg| {
            let excluded_by = |one: &Arg, other: &Arg| {
                leaf.get_arg_conflicts_with(one).iter().any(|each| each.get_id() == other.get_id())
            };
            excluded_by(given, argument) || excluded_by(argument, given)
        };
        if is_given(argument) || given_arguments.iter().any(is_excluded) {
            continue;
        }
        if let Some(setting) = settings.of(first, argument)? {
            added.extend(setting.words);
            let option = argument.get_long().unwrap_or_default();
            said.push(Said { option: format!("--{option}"), source: setting.source });
        }
    }
    let at = place(&arguments, &names);
    let mut whole = arguments;
    whole.splice(at..at, added);
    Ok((whole, said))
}

/// The options of a command that can be set from elsewhere.
fn options(command: &Clap) -> impl Iterator<Item = &Arg> {
    let is_own = |argument: &&Arg| {
        let name = argument.get_long();
        name.is_some_and(|name| !matches!(name, "help" | "version" | "config"))
    };
    command.get_arguments().filter(is_own)
}

/// Where the names of the commands end on the command line.
fn place(arguments: &[OsString], names: &[String]) -> usize {
    let (mut at, mut names) = (1, names.iter());
    let mut next = names.next();
    while let (Some(name), Some(word)) = (next, arguments.get(at)) {
        if word == "--config" {
            at += 1; // its value
        } else if word == name.as_str() {
            next = names.next();
        }
        at += 1;
    }
    at.min(arguments.len())
}

pub(crate) fn main(args: ConfigArgs, named: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let file = file_of(named)?;
    match args.command {
        ConfigCommand::Path => {
            let path = file.path().map_or_else(String::new, |path| path.display().to_string());
            show(false, Value::Null, || match (file.is_there(), file.path()) {
                (true, _) => format!("{path}\n"),
                (false, Some(_)) => format!("{path} (it is not there)\n"),
                (false, None) => "there is no home, and so no file\n".to_owned(),
            });
        }
        ConfigCommand::Show { command, set, json } => {
            let settings = Settings::new(file, |name| std::env::var_os(name));
            settings.check(&Cli::command())?;
            show_settings(&command, &settings, set, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_settings(name: &str, settings: &Settings, set: bool, json: bool) -> Result<(), Failure> {
    let mut whole = Cli::command();
    whole.build();
    let Some(command) = whole.find_subcommand(name) else {
        return Err(Failure::usage(format!("there is no command {name:?}")));
    };
    let mut rows = Vec::new();
    for argument in options(command) {
        let option = argument.get_long().unwrap_or_default();
        let row = match settings.of(name, argument)? {
            Some(Setting { shown, source, .. }) => [option.to_owned(), shown, source],
            None if set => continue,
            None => {
                let default = argument.get_default_values().iter();
                let default: Vec<_> = default.map(|value| value.to_string_lossy()).collect();
                let source = if default.is_empty() { "not set" } else { "default" };
                [option.to_owned(), default.join(","), source.to_owned()]
            }
        };
        rows.push(row);
    }
    let value = rows
        .iter()
        .map(|[option, value, source]| json!({"option": option, "value": value, "source": source}));
    show(json, value.collect::<Vec<_>>(), || {
        let heads = ["OPTION", "VALUE", "FROM"].map(str::to_owned);
        table::aligned(&[vec![heads], rows.clone()].concat())
    });
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The command line with what these variables and this file say.
    fn whole(
        words: &[&str],
        variables: &'static [(&str, &str)],
        file: &str,
    ) -> Result<String, String> {
        let words: Vec<OsString> =
            [&["pcm-sandbox"], words].concat().iter().map(OsString::from).collect();
        let given =
            Cli::command().try_get_matches_from(&words).map_err(|error| error.to_string())?;
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let file = SettingsFile::parse("settings.toml".into(), file);
        let settings = Settings::new(file.map_err(|failure| failure.to_string())?, variable);
        let (whole, _) =
            with_settings(words, &given, &settings).map_err(|failure| failure.to_string())?;
        Cli::command().try_get_matches_from(&whole).map_err(|error| error.to_string())?;
        let whole: Vec<_> = whole.iter().map(|word| word.to_str().unwrap()).collect();
        Ok(whole[1..].join(" "))
    }

    #[test]
    fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
        let file = "timeout = '1s'\nmemory = '64MiB'\n[run]\nmemory = '32MiB'";
        assert_eq!(
            whole(&["run", "-c", "1"], &[("PCM_TIMEOUT", "2s")], file).unwrap(),
            "run --timeout=2s --memory=32MiB -c 1"
        );
        let seen = whole(&["run", "-c", "1", "--timeout", "3s"], &[("PCM_TIMEOUT", "2s")], "");
        assert_eq!(seen.unwrap(), "run -c 1 --timeout 3s");
    }

    #[test]
    fn lists_and_switches_are_written_as_they_are_meant() {
        let file = "dep = ['a', 'b']\ndeterministic = true\nrollback = false\n";
        let seen = whole(&["run", "-c", "1"], &[("PCM_NO_RUNTIME_DEPS", "yes")], file).unwrap();
        assert_eq!(seen, "run --deterministic --dep=a --dep=b --no-runtime-deps -c 1");
    }

    #[cfg(feature = "server")]
    #[test]
    fn what_the_command_line_excludes_is_not_added() {
        let file = "[serve]\ntokens = 'tokens.yaml'";
        assert_eq!(whole(&["serve", "--no-auth"], &[], file).unwrap(), "serve --no-auth");
        assert_eq!(whole(&["serve"], &[], file).unwrap(), "serve --tokens=tokens.yaml");
    }

    #[test]
    fn a_setting_that_no_command_has_is_told_with_its_file() {
        for (file, expected) in [
            ("time_out = '1s'", "timeout"),
            ("[runs]\ntimeout = '1s'", "runs"),
            ("[run]\ntokens = 'x'", "tokens"),
            ("timeout = { a = 1 }", "timeout"),
            ("deterministic = 'perhaps'", "deterministic"),
            ("timeout = ", "settings.toml"),
        ] {
            let refused = whole(&["run", "-c", "1"], &[], file).unwrap_err();
            assert!(refused.contains(expected) && refused.contains("settings.toml"), "{refused}");
        }
        let refused = whole(&["run", "-c", "1"], &[("PCM_ROLLBACK", "maybe")], "").unwrap_err();
        assert!(refused.contains("PCM_ROLLBACK"), "{refused}");
    }

    #[test]
    fn commands_below_commands_are_found() {
        let seen = whole(&["policy", "check", "file"], &[("PCM_JSON", "1")], "").unwrap();
        assert_eq!(seen, "policy check --json file");
    }
}
