//! `pcm-sandbox limits`: what a run may use.

use std::process::ExitCode;

use pcm_sandbox::{LimitName, Limits, Value, json};

use super::output::{Stream, Streams};
use super::table;

/// Show every limit: its default, what it bounds, and the option that sets it
#[derive(Debug, clap::Args)]
pub(crate) struct LimitsArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &LimitsArgs) -> ExitCode {
    let defaults = Limits::default();
    let mut streams = Streams::standard();
    let text = if args.json { format!("{:#}\n", as_json(&defaults)) } else { as_text(&defaults) };
    streams.write_own(Stream::Out, &text);
    streams.flush();
    ExitCode::SUCCESS
}

fn as_text(defaults: &Limits) -> String {
    let mut rows = vec![["LIMIT", "DEFAULT", "OPTION", "MEANING"].map(str::to_owned)];
    rows.extend(LimitName::ALL.map(|name| {
        [
            name.to_string(),
            defaults.describe(name),
            name.flag().unwrap_or("-").to_owned(),
            name.meaning().to_owned(),
        ]
    }));
    table::aligned(&rows) + "\nA program that embeds the sandbox sets all of them in `Limits`.\n"
}

fn as_json(defaults: &Limits) -> Value {
    let row = |name: LimitName| {
        json!({
            "name": name,
            "default": defaults.describe(name),
            "meaning": name.meaning(),
            "flag": name.flag(),
            "field": name.field(),
        })
    };
    LimitName::ALL.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_limit_is_told() {
        let text = as_text(&Limits::default());
        for name in LimitName::ALL {
            assert!(text.lines().any(|line| line.starts_with(&name.to_string())), "{name}");
        }
    }

    #[test]
    fn the_options_exist() {
        let command = crate::cli::Cli::command();
        let run = command.find_subcommand("run").map(clap::Command::get_arguments);
        let options: Vec<String> = run
            .into_iter()
            .flatten()
            .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
            .collect();
        for flag in LimitName::ALL.into_iter().filter_map(LimitName::flag) {
            assert!(options.iter().any(|option| option == flag), "{flag}");
        }
    }
}
