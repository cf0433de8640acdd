//! `pcm-sandbox store`: between folders of files and what sessions share.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use pcm_sandbox::storage::{
    ChangeKind, DepsStore, FileStorage, Listed, RedisDeps, RedisServer, RedisStorage,
    RedisWorkflows, Report, Storage as _, StoredTools, WorkflowStore, bootstrap_deps,
    bootstrap_tools, bootstrap_workflows, diff_deps, diff_tools, diff_workflows, list_deps,
    list_tools, list_workflows, pull_deps, pull_tools, pull_workflows,
};
use pcm_sandbox::{StoragePlace, Value, json};

use super::exit::{self, Failure};
use super::host::{failed, show};
use super::output::{Stream, Streams};
use super::table;

/// Copy workflows, tools and packages between files and a storage, and compare them
///
/// A storage is Redis or the folder of a `--base`. In Redis, --prefix is all of a key before its last
/// part: sessions with `--storage redis://… --prefix app` find their workflows under `app:workflows`,
/// their packages under `app`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put the files of a folder into a storage
    Bootstrap {
        /// The folder with the .py or .yaml files, or the file of requirements
        #[arg(long, value_name = "FOLDER|FILE", required_unless_present = "deps")]
        source: Option<PathBuf>,
        /// Packages, in place of a file
        #[arg(long, value_name = "SPEC", num_args = 1.., conflicts_with = "source")]
        deps: Vec<String>,
        /// Remove from the storage what the source has not
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Show what is in a storage
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Write what is in a storage into a folder
    Pull {
        /// The folder
        #[arg(long, value_name = "FOLDER")]
        dest: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Compare files with a storage: + only there, - only here, ~ differs, = the same
    ///
    /// Succeeds if nothing differs.
    Diff {
        /// The folder with the .py or .yaml files, or the file of requirements
        #[arg(long, value_name = "FOLDER|FILE")]
        source: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

/// A storage, and what of it.
#[derive(Debug, clap::Args)]
struct Target {
    /// The storage
    #[arg(long = "target", value_name = "FOLDER|redis://HOST:PORT/DB")]
    place: StoragePlace,

    /// How the keys in Redis begin; `workflows`, `tools`, or `py_code_mode` for packages if it is not
    /// said
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// What is meant
    #[arg(long = "type", value_enum, default_value_t = Kind::Workflows)]
    kind: Kind,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Workflows,
    Tools,
    Deps,
}

pub(crate) fn main(args: StoreArgs) -> Result<ExitCode, Failure> {
    super::runtime()?.block_on(act(args.command))
}

async fn act(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Bootstrap { source, deps, clear, target } => {
            let stores = target.open()?;
            let report = match (target.kind, source) {
                (Kind::Deps, Some(file)) => {
                    bootstrap_deps(&read(&file)?, stores.deps(), clear).await
                }
                (Kind::Deps, None) => bootstrap_deps(&deps.join("\n"), stores.deps(), clear).await,
                (_, None) => {
                    return Err(Failure::usage("--deps goes with --type deps; name a --source"));
                }
                (Kind::Workflows, Some(source)) => {
                    bootstrap_workflows(&folder(source)?, stores.workflows(), clear).await
                }
                (Kind::Tools, Some(source)) => {
                    bootstrap_tools(&folder(source)?, stores.tools(), clear).await
                }
            };
            tell(&target, &report.map_err(|error| failed(&error))?, &changed_lines);
        }
        Command::List { target } => {
            let stores = target.open()?;
            let listed = match target.kind {
                Kind::Workflows => list_workflows(stores.workflows()).await,
                Kind::Tools => list_tools(stores.tools()).await,
                Kind::Deps => list_deps(stores.deps()).await,
            };
            show_listed(target.json, &listed.map_err(|error| failed(&error))?);
        }
        Command::Pull { dest, target } => {
            std::fs::create_dir_all(&dest).map_err(|error| {
                Failure::usage(format!("cannot make the folder {}: {error}", dest.display()))
            })?;
            let stores = target.open()?;
            let report = match target.kind {
                Kind::Workflows => pull_workflows(stores.workflows(), &dest).await,
                Kind::Tools => pull_tools(stores.tools(), &dest).await,
                Kind::Deps => pull_deps(stores.deps(), &dest).await,
            };
            tell(&target, &report.map_err(|error| failed(&error))?, &changed_lines);
        }
        Command::Diff { source, target } => {
            let stores = target.open()?;
            let report = match target.kind {
                Kind::Workflows => diff_workflows(&folder(source)?, stores.workflows()).await,
                Kind::Tools => diff_tools(&folder(source)?, stores.tools()).await,
                Kind::Deps => diff_deps(&read(&source)?, stores.deps()).await,
            };
            let report = report.map_err(|error| failed(&error))?;
            tell(&target, &report, &signed_lines);
            let same = report.changes.iter().all(|change| change.kind == ChangeKind::Same);
            return Ok(ExitCode::from(if same { 0 } else { exit::CODE_FAILED }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in a storage, part by part.
enum Stores {
    Folder { storage: FileStorage, tools: StoredTools },
    Redis { workflows: RedisWorkflows, tools: StoredTools, deps: RedisDeps },
}

impl Stores {
    fn workflows(&self) -> &dyn WorkflowStore {
        match self {
            Self::Folder { storage, .. } => storage.workflows(),
            Self::Redis { workflows, .. } => workflows,
        }
    }

    fn tools(&self) -> &StoredTools {
        match self {
            Self::Folder { tools, .. } | Self::Redis { tools, .. } => tools,
        }
    }

    fn deps(&self) -> &dyn DepsStore {
        match self {
            Self::Folder { storage, .. } => storage.deps(),
            Self::Redis { deps, .. } => deps,
        }
    }
}

impl Target {
    fn open(&self) -> Result<Stores, Failure> {
        match &self.place {
            StoragePlace::Redis { url, .. } => {
                let server = RedisServer::open(url).map_err(|error| failed(&error))?;
                let prefix = self.prefix.as_deref().unwrap_or(match self.kind {
                    Kind::Workflows => "workflows",
                    Kind::Tools => "tools",
                    Kind::Deps => RedisStorage::DEFAULT_PREFIX,
                });
                Ok(Stores::Redis {
                    workflows: RedisWorkflows::new(&server, prefix),
                    tools: StoredTools::in_redis(&server, prefix),
                    deps: RedisDeps::new(&server, prefix),
                })
            }
            StoragePlace::Folder(_) if self.prefix.is_some() => {
                Err(Failure::usage("--prefix is for a storage in Redis"))
            }
            StoragePlace::Folder(folder) => {
                if let Some((scheme, _)) = folder.to_string_lossy().split_once("://") {
                    let known = "a folder, redis://, rediss:// or unix://";
                    return Err(Failure::usage(format!("{scheme}:// is no storage: name {known}")));
                }
                let storage = FileStorage::open(folder).map_err(|error| failed(&error))?;
                Ok(Stores::Folder { storage, tools: StoredTools::in_folder(&folder.join("tools")) })
            }
        }
    }
}

fn folder(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.is_dir() {
        Ok(path)
    } else {
        Err(Failure::usage(format!("{} is no folder", path.display())))
    }
}

fn read(file: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

fn tell(target: &Target, report: &Report, lines: &dyn Fn(&Report) -> String) {
    let mut streams = Streams::standard();
    for skipped in &report.skipped {
        let line = format!("skipped {}: {}\n", skipped.name, skipped.reason);
        streams.write_text(Stream::Err, &line);
    }
    streams.flush();
    show(target.json, report, || lines(report));
}

fn changed_lines(report: &Report) -> String {
    let mut lines = Vec::new();
    for change in &report.changes {
        let word = match change.kind {
            ChangeKind::Added => "Added",
            ChangeKind::Changed => "Changed",
            ChangeKind::Removed => "Removed",
            ChangeKind::Same => continue,
        };
        lines.push(format!("{word}: {}", change.name));
    }
    let kept = report.changes.iter().filter(|change| change.kind != ChangeKind::Removed).count();
    lines.push(format!("Total: {kept}\n"));
    lines.join("\n")
}

fn signed_lines(report: &Report) -> String {
    report.changes.iter().fold(String::new(), |mut text, change| {
        text.push(change.kind.sign());
        text.push(' ');
        text.push_str(&change.name);
        text.push('\n');
        text
    })
}

fn show_listed(json: bool, listed: &[Listed]) {
    let value: Value = listed
        .iter()
        .map(|one| json!({"name": one.name, "description": one.description}))
        .collect();
    show(json, value, || {
        let rows: Vec<[String; 2]> =
            listed.iter().map(|one| [one.name.clone(), one.description.clone()]).collect();
        table::aligned(&rows) + &format!("Total: {}\n", rows.len())
    });
}
