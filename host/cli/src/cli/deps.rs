//! `pcm-sandbox deps`: the packages that sessions over a storage want.

use std::process::ExitCode;

use clap::Subcommand;
use pcm_sandbox::storage::DepSpec;

use super::exit::Failure;
use super::host::{self, ShownHostArgs, failed, show};

/// Look at and change the list of packages that sessions over a storage want
///
/// Nothing is installed here: a session installs what it is started with, and what it is told to.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct DepsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the packages
    List {
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Add packages, in place of other versions of the same
    Add {
        /// A package, with versions if that matters: jinja2, 'pydantic>=1.10'
        #[arg(value_name = "SPEC", required = true)]
        specs: Vec<DepSpec>,
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Remove packages
    Remove {
        /// A package
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        common: ShownHostArgs,
    },
}

pub(crate) fn main(args: DepsArgs) -> Result<ExitCode, Failure> {
    host::run(act(args.command))
}

async fn act(command: Command) -> Result<(), Failure> {
    let common = match &command {
        Command::List { common } | Command::Add { common, .. } | Command::Remove { common, .. } => {
            common
        }
    };
    let storage = common.host.open_storage()?;
    match &command {
        Command::List { .. } => {}
        Command::Add { specs, .. } => {
            for spec in specs {
                storage.deps().add(spec).await.map_err(|error| failed(&error))?;
            }
        }
        Command::Remove { names, .. } => {
            for name in names {
                if !storage.deps().remove(name).await.map_err(|error| failed(&error))? {
                    return Err(Failure::usage(format!("{name} is not among the packages")));
                }
            }
        }
    }
    let specs = storage.deps().list().await.map_err(|error| failed(&error))?;
    let specs: Vec<String> = specs.iter().map(ToString::to_string).collect();
    show(common.json, &specs, || match specs.as_slice() {
        [] => "no packages\n".to_owned(),
        specs => specs.join("\n") + "\n",
    });
    Ok(())
}
