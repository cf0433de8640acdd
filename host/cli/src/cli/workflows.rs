//! `pcm-sandbox workflows`: stored coroutines.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use pcm_sandbox::storage::{Storage, Workflow, WorkflowName};

use super::exit::Failure;
use super::host::{self, ShownHostArgs, failed, first_line, show};
use super::table;

/// Look at, add and remove the workflows that code in the sandbox can run
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct WorkflowsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the workflows
    List {
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Show the workflows that a query is about, the best match first
    Search {
        /// What to look for
        query: String,
        /// How many to show at most
        #[arg(long, value_name = "COUNT", default_value_t = 10)]
        limit: usize,
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Print the source of a workflow
    Show {
        /// The workflow
        name: WorkflowName,
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Store a workflow, in place of one of the same name. Nothing of it is executed
    Add {
        /// The workflow
        name: WorkflowName,
        /// The Python file with its `async def run(...)`
        file: PathBuf,
        /// What it is for; its docstring if it is not said
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Remove a workflow
    Remove {
        /// The workflow
        name: WorkflowName,
        #[command(flatten)]
        common: ShownHostArgs,
    },
}

pub(crate) fn main(args: WorkflowsArgs) -> Result<ExitCode, Failure> {
    host::run(act(args.command))
}

async fn act(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { common } => {
            let storage = common.host.open_storage()?;
            let found = storage.workflows().list().await.map_err(|error| failed(&error))?;
            show_all(common.json, &found);
        }
        Command::Search { query, limit, common } => {
            let storage = common.host.open_storage()?;
            let found = storage.workflows().search(&query, limit).await;
            show_all(common.json, &found.map_err(|error| failed(&error))?);
        }
        Command::Show { name, common } => {
            let storage = common.host.open_storage()?;
            let workflow = existing(&*storage, &name).await?;
            show(common.json, &workflow, || workflow.source.clone());
        }
        Command::Add { name, file, description, common } => {
            let source = std::fs::read_to_string(&file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
            let storage = common.host.open_storage()?;
            let stored = storage.workflows().create(&name, &source, &description).await;
            let stored = stored.map_err(|error| failed(&error))?;
            show(common.json, stored.summary(), || format!("stored {name}\n"));
        }
        Command::Remove { name, common } => {
            let storage = common.host.open_storage()?;
            existing(&*storage, &name).await?;
            let removed =
                storage.workflows().delete(&name).await.map_err(|error| failed(&error))?;
            show(common.json, removed, || format!("removed {name}\n"));
        }
    }
    Ok(())
}

async fn existing(storage: &dyn Storage, name: &WorkflowName) -> Result<Arc<Workflow>, Failure> {
    let found = storage.workflows().get(name).await.map_err(|error| failed(&error))?;
    found.ok_or_else(|| Failure::usage(format!("there is no workflow {name}")))
}

fn show_all(json: bool, found: &[Arc<Workflow>]) {
    let summaries: Vec<_> = found.iter().map(|workflow| workflow.summary()).collect();
    show(json, &summaries, || {
        let row = |workflow: &Arc<Workflow>| {
            let parameters: Vec<&str> =
                workflow.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let call = format!("{}({})", workflow.name, parameters.join(", "));
            [call, first_line(&workflow.description)]
        };
        let rows: Vec<[String; 2]> = found.iter().map(row).collect();
        if rows.is_empty() { "no workflows\n".to_owned() } else { table::aligned(&rows) }
    });
}
