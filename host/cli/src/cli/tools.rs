//! `pcm-sandbox tools`: the tools that code can call.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use pcm_sandbox::tools::{self, CallOptions, LoadOptions, Problem, Tool, ToolPath};
use pcm_sandbox::{Value, json};

use super::arguments::arguments;
use super::exit::{self, Failure};
use super::host::{self, HostArgs, ShownHostArgs, failed, first_line, show};
use super::table;

/// Look at, check and call the tools that code in the sandbox can use
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArgs),
    Search(SearchArgs),
    Check(CheckArgs),
    Stubs(StubsArgs),
    Call(CallArgs),
}

/// Show the tools and their recipes
#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    shown: ShownHostArgs,
}

/// Show the tools that a query is about, the best match first
#[derive(Debug, clap::Args)]
struct SearchArgs {
    /// What to look for
    query: String,

    /// How many to show at most
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    limit: usize,

    #[command(flatten)]
    shown: ShownHostArgs,
}

/// Check the declarations of tools without running anything
///
/// Succeeds if no tool is left out.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The folder with the YAML files
    folder: PathBuf,

    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// Print Python signatures of all tools, to put into a model's prompt
#[derive(Debug, clap::Args)]
struct StubsArgs {
    #[command(flatten)]
    host: HostArgs,
}

/// Call a tool and print what it gives
///
/// The tool runs as it would for code in the sandbox, but for the layers of a policy.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  pcm-sandbox tools call --base . curl.get url=https://example.org timeout=5"
)]
struct CallArgs {
    /// The tool, or a recipe of it: `curl`, `curl.get`
    name: String,

    /// Its arguments; a value that is JSON is taken as that, any other as text
    #[arg(value_name = "KEY=VALUE")]
    args: Vec<String>,

    #[command(flatten)]
    shown: ShownHostArgs,
}

pub(crate) fn main(args: ToolsArgs) -> Result<ExitCode, Failure> {
    if let Command::Check(args) = &args.command {
        return Ok(check(args));
    }
    super::runtime()?.block_on(async {
        match args.command {
            Command::List(args) => {
                let registry = args.shown.host.load_tools().await?;
                show_tools(args.shown.json, &registry.list());
                registry.close().await;
            }
            Command::Search(args) => {
                let registry = args.shown.host.load_tools().await?;
                show_tools(args.shown.json, &registry.search(&args.query, args.limit));
                registry.close().await;
            }
            Command::Stubs(args) => {
                let registry = args.host.load_tools().await?;
                show(false, Value::Null, || registry.stubs());
                registry.close().await;
            }
            Command::Call(args) => return call(args).await,
            Command::Check(_) => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn show_tools(json: bool, tools: &[Arc<Tool>]) {
    let tools: Vec<&Tool> = tools.iter().map(AsRef::as_ref).collect();
    show(json, &tools, || {
        let mut rows = Vec::new();
        for tool in &tools {
            rows.push([tool.name.clone(), first_line(&tool.description)]);
            for callable in &tool.callables {
                rows.push([
                    format!("  {}", callable.signature()),
                    first_line(&callable.description),
                ]);
            }
        }
        if rows.is_empty() { "no tools\n".to_owned() } else { table::aligned(&rows) }
    });
}

fn check(args: &CheckArgs) -> ExitCode {
    let problems = tools::check(&args.folder, &LoadOptions::default());
    show(args.json, as_json(&problems), || as_text(&args.folder, &problems));
    ExitCode::from(if problems.iter().any(host::is_error) { exit::CODE_FAILED } else { 0 })
}

fn as_json(problems: &[Problem]) -> Value {
    let row = |problem: &Problem| {
        json!({
            "severity": if host::is_error(problem) { "error" } else { "warning" },
            "file": problem.file,
            "line": problem.place.map(|place| place.line),
            "column": problem.place.map(|place| place.column),
            "key": problem.key,
            "message": problem.message,
        })
    };
    problems.iter().map(row).collect()
}

fn as_text(folder: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n") + "\n";
    let errors = problems.iter().filter(|problem| host::is_error(problem)).count();
    match (problems.len(), errors) {
        (0, _) => format!("{}: nothing to complain about\n", folder.display()),
        (_, 0) => lines,
        (_, 1) => lines + "1 error: what it is in is left out\n",
        (_, errors) => lines + &format!("{errors} errors: what they are in is left out\n"),
    }
}

async fn call(args: CallArgs) -> Result<ExitCode, Failure> {
    let named = arguments(&args.args)?;
    let path: ToolPath = args.name.parse().map_err(|error| failed(&error))?;
    let registry = args.shown.host.load_tools().await?;
    let answer = registry.call(&path, named, CallOptions::default()).await;
    registry.close().await;
    let answer = answer.map_err(|error| Failure::failed(error.to_string()))?;
    show(args.shown.json, &answer, || match &answer.value {
        Value::String(text) => text.clone(),
        other => format!("{other:#}\n"),
    });
    Ok(ExitCode::SUCCESS)
}
