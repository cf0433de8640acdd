//! `pcm-sandbox artifacts`: stored data.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use pcm_sandbox::Map;
use pcm_sandbox::storage::{ArtifactData, ArtifactInfo, ArtifactName, MAX_ARTIFACT_BYTES};

use super::exit::Failure;
use super::host::{self, HostArgs, ShownHostArgs, failed, first_line, show};
use super::table;

/// Look at, load, save and remove the data that code in the sandbox has stored
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ArtifactsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is stored
    List {
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Write an artifact to a file, or to standard output, as its bytes
    Load {
        /// The artifact
        name: ArtifactName,
        /// The file; standard output if it is not said
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Store a file, or standard input, in place of an artifact of the same name
    Save {
        /// The artifact
        name: ArtifactName,
        /// The file; `-` is standard input
        file: PathBuf,
        /// What it is
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        #[command(flatten)]
        common: ShownHostArgs,
    },
    /// Remove an artifact
    Remove {
        /// The artifact
        name: ArtifactName,
        #[command(flatten)]
        common: ShownHostArgs,
    },
}

pub(crate) fn main(args: ArtifactsArgs) -> Result<ExitCode, Failure> {
    host::run(act(args.command))
}

async fn act(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { common } => {
            let storage = common.host.open_storage()?;
            let found = storage.artifacts().list().await.map_err(|error| failed(&error))?;
            show(common.json, &found, || as_text(&found));
        }
        Command::Load { name, output, host } => {
            let storage = host.open_storage()?;
            let data = storage.artifacts().load(&name).await.map_err(|error| failed(&error))?;
            write(output.as_deref(), &bytes(data))?;
        }
        Command::Save { name, file, description, common } => {
            let content = read(&file)?;
            let storage = common.host.open_storage()?;
            let data = match String::from_utf8(content) {
                Ok(text) => ArtifactData::Text(text),
                Err(error) => ArtifactData::Bytes(error.into_bytes()),
            };
            let saved = storage.artifacts().save(&name, data, &description, Map::new()).await;
            let saved = saved.map_err(|error| failed(&error))?;
            show(common.json, &saved, || format!("saved {name}\n"));
        }
        Command::Remove { name, common } => {
            let storage = common.host.open_storage()?;
            if !storage.artifacts().delete(&name).await.map_err(|error| failed(&error))? {
                return Err(Failure::usage(format!("there is no artifact {name}")));
            }
            show(common.json, true, || format!("removed {name}\n"));
        }
    }
    Ok(())
}

fn as_text(found: &[ArtifactInfo]) -> String {
    let row = |info: &ArtifactInfo| {
        [info.name.to_string(), info.created_at.clone(), first_line(&info.description)]
    };
    let rows: Vec<[String; 3]> = found.iter().map(row).collect();
    if rows.is_empty() { "no artifacts\n".to_owned() } else { table::aligned(&rows) }
}

/// What is in the file of an artifact.
fn bytes(data: ArtifactData) -> Vec<u8> {
    match data {
        ArtifactData::Bytes(bytes) => bytes,
        ArtifactData::Text(text) => text.into_bytes(),
        ArtifactData::Json(value) => format!("{value:#}\n").into_bytes(),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let done = if file == Path::new("-") {
        io::stdin().lock().take(MAX_ARTIFACT_BYTES + 1).read_to_end(&mut content)
    } else {
        let file = std::fs::File::open(file);
        file.and_then(|file| file.take(MAX_ARTIFACT_BYTES + 1).read_to_end(&mut content))
    };
    match done {
        Ok(_) => Ok(content),
        Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", file.display()))),
    }
}

fn write(file: Option<&Path>, content: &[u8]) -> Result<(), Failure> {
    let done = match file {
        Some(file) => std::fs::write(file, content),
        None => io::stdout().lock().write_all(content),
    };
    let name = || file.map_or_else(|| "standard output".into(), Path::to_string_lossy);
    done.map_err(|error| Failure::usage(format!("cannot write {}: {error}", name())))
}
