//! `pcm-sandbox cache`: what was made once and is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::{Subcommand, ValueEnum};
use pcm_sandbox::{Value, json};

use super::exit::Failure;
use super::host::{failed, show};
use super::table;

/// Show and delete what is kept to be faster the next time
///
/// All of it is made again when it is needed. Programs that run keep what they have open.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is kept, and how large it is
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete it
    Clear {
        /// What; all of it unless something is named
        #[arg(value_enum)]
        parts: Vec<Part>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Engine,
    Deno,
    Images,
    Packages,
    Subprocess,
    Container,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Engine, Self::Deno, Self::Images, Self::Packages, Self::Subprocess, Self::Container];

    /// Its folder in the cache.
    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Deno => "deno",
            Self::Images => "images",
            Self::Packages => "packages",
            Self::Subprocess => "subprocess",
            Self::Container => "container",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Engine => "compiled Python of the wasm backend",
            Self::Deno => "snapshots of the deno-sandbox backend",
            Self::Images => "images of sessions that were unpacked",
            Self::Packages => "packages that were fetched and compiled",
            Self::Subprocess => "environments of the subprocess backend",
            Self::Container => "what images of containers are made of",
        }
    }
}

pub(crate) fn main(args: CacheArgs) -> Result<ExitCode, Failure> {
    let root = pcm_sandbox::cache_root().map_err(|error| failed(&error))?;
    match args.command {
        Command::List { json } => list(&root, json),
        Command::Clear { parts, json } => clear(&root, &parts, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is kept, in the order in which it is listed.
pub(super) fn contents(root: &Path) -> Vec<Value> {
    let row = |part: Part| {
        let size = size(&root.join(part.name()));
        json!({"part": part.name(), "bytes": size.bytes, "files": size.files, "meaning": part.meaning()})
    };
    Part::ALL.map(row).into()
}

fn list(root: &Path, json: bool) {
    let parts = contents(root);
    let text = || {
        let mut rows = vec![["PART", "SIZE", "FILES", "MEANING"].map(str::to_owned)];
        rows.extend(parts.iter().map(|part| {
            let text = |field: &str| part[field].as_str().unwrap_or_default().to_owned();
            let bytes = ByteSize(part["bytes"].as_u64().unwrap_or_default()).display().iec();
            [text("part"), bytes.to_string(), part["files"].to_string(), text("meaning")]
        }));
        format!("{}\n{}\n", table::aligned(&rows), root.display())
    };
    show(json, json!({"folder": root.display().to_string(), "parts": &parts}), text);
}

fn clear(root: &Path, parts: &[Part], json: bool) -> Result<(), Failure> {
    let parts = if parts.is_empty() { &Part::ALL[..] } else { parts };
    let mut freed = Size::default();
    for part in parts {
        let folder = root.join(part.name());
        let size = size(&folder);
        match remove(&folder) {
            Ok(()) => freed.add(size),
            Err(error) => {
                return Err(Failure::failed(format!(
                    "cannot delete {}: {error}",
                    folder.display()
                )));
            }
        }
    }
    let value = json!({"bytes": freed.bytes, "files": freed.files});
    show(json, value, || {
        let bytes = ByteSize(freed.bytes).display().iec();
        format!("deleted {} files, {bytes}\n", freed.files)
    });
    Ok(())
}

/// Under another name first: nobody finds half of it.
fn remove(folder: &Path) -> io::Result<()> {
    let aside: PathBuf = folder.with_extension(format!("{}.deleted", std::process::id()));
    match fs::rename(folder, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::remove_dir_all(&aside),
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    bytes: u64,
    files: u64,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.files += other.files;
    }
}

/// What is in a folder, links not followed. What goes away meanwhile does not count.
fn size(folder: &Path) -> Size {
    let mut all = Size::default();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => all.add(size(&entry.path())),
            Ok(metadata) => all.add(Size { bytes: metadata.len(), files: 1 }),
            Err(_) => {}
        }
    }
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_is_counted_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let engine = root.path().join("engine");
        fs::create_dir_all(engine.join("a")).unwrap();
        fs::write(engine.join("a/b"), [0; 10]).unwrap();
        let own = root.path().join("own");
        fs::write(&own, [0; 1000]).unwrap();
        std::os::unix::fs::symlink(&own, engine.join("link")).unwrap();
        assert_eq!(size(&engine).files, 2);
        assert!(size(&engine).bytes < 1000);
        remove(&engine).unwrap();
        remove(&engine).unwrap();
        assert!(own.exists() && !engine.exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
