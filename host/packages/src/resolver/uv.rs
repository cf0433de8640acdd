//! `uv` as the resolver.
//!
//! It chooses in the form of `pylock.toml`. It has no command that only gets a wheel, so that wheels
//! are installed, into a folder of their own and with a cache of their own, where what they unpack to
//! is bounded by [`command`](super::command); from there they are taken file by file, by the hashes
//! in their records.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::command::{Ended, run};
use super::{Fetched, Found, FoundWheel, MAX_ANSWER, NoChoice, Request, Tool, Wheels};
use crate::PackagesError;
use crate::folder::open_plain;
use crate::links::Link;

const QUIET: [&str; 4] = ["--no-progress", "--color=never", "--no-python-downloads", "--no-build"];

/// Which Python the wheels are for.
fn platform(tool: &Tool, wheels: Wheels) -> Vec<OsString> {
    let mut arguments = vec![format!("--python-version={}", tool.target.full_python()).into()];
    match (wheels, &tool.interpreter) {
        (Wheels::Any, _) => arguments.push("--python-platform=x86_64-manylinux_2_40".into()),
        (Wheels::Fitting, Some(interpreter)) => {
            arguments.extend(["--python".into(), interpreter.into()]);
        }
        // Wheels for that platform are native too, and refused; indexes have next to none.
        (Wheels::Fitting, None) => {
            arguments.push("--python-platform=wasm32-pyodide2024".into());
        }
    }
    arguments
}

pub(super) async fn choose(tool: &Tool, request: &Request<'_>) -> Result<Vec<Found>, NoChoice> {
    let answer = request.folder.join("pylock.toml");
    let mut arguments: Vec<OsString> = ["pip", "compile", "--format=pylock.toml", "--no-header"]
        .iter()
        .chain(&QUIET)
        .map(OsString::from)
        .collect();
    arguments.extend(platform(tool, request.wheels));
    let folders = request.beside.folders.iter().map(OsString::from);
    arguments.extend(beside(tool, "UV_FIND_LINKS", ',', "--find-links", folders));
    let constraints = request.constraints(pin)?.map(OsString::from);
    arguments.extend(beside(tool, "UV_CONSTRAINT", ' ', "--constraints", constraints.into_iter()));
    arguments.push("--output-file".into());
    arguments.push(answer.clone().into());
    arguments.push(request.file()?.into());
    let ended = run(tool, &arguments, request.folder).await?;
    if !ended.success {
        return Err(no_choice(&ended));
    }
    let lock = read(&answer).map_err(PackagesError::cache("read the resolver's answer"))?;
    let lock: Lock = toml::from_str(&lock)
        .map_err(|_| NoChoice::Failed("its answer is no pylock.toml".to_owned()))?;
    Ok(lock.packages.into_iter().map(Found::from).collect())
}

pub(super) async fn fetch(
    tool: &Tool,
    request: &Request<'_>,
    count: usize,
) -> Result<Vec<Fetched>, PackagesError> {
    let (prefix, cache) = (request.folder.join("prefix"), request.folder.join("cache"));
    let mut arguments: Vec<OsString> =
        ["pip", "install", "--no-deps", "--require-hashes", "--no-compile-bytecode"]
            .iter()
            .chain(&QUIET)
            .map(OsString::from)
            .collect();
    arguments.push("--link-mode=hardlink".into()); // to the cache beside it, which goes with it
    arguments.extend(platform(tool, request.wheels));
    arguments.extend(["--prefix".into(), prefix.clone().into()]);
    arguments.extend(["--cache-dir".into(), cache.into()]);
    arguments.push("--requirements".into());
    arguments.push(request.file()?.into());
    let ended = run(tool, &arguments, request.folder).await?;
    let packages = site_packages(&prefix).filter(|_| ended.success);
    let packages = packages.ok_or_else(|| request.failed(tool, &ended))?;
    Ok((0..count).map(|_| Fetched::Installed(packages.clone())).collect())
}

/// `lib/python3.x/site-packages` of whichever Python uv thinks that it installs for.
fn site_packages(prefix: &Path) -> Option<PathBuf> {
    let folders = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    folders(prefix.to_owned())
        .flat_map(|lib| folders(lib.path()))
        .flat_map(|python| {
            [python.path().join("site-packages"), python.path().join("dist-packages")]
        })
        .find(|path| path.is_dir())
}

/// Ours beside those of the environment, which an option alone would replace.
fn beside(
    tool: &Tool,
    variable: &str,
    separator: char,
    option: &str,
    ours: impl Iterator<Item = OsString>,
) -> Vec<OsString> {
    let mut ours = ours.peekable();
    if ours.peek().is_none() {
        return Vec::new();
    }
    let theirs = tool.variables.iter().find(|(name, _)| name == variable);
    let theirs = theirs.and_then(|(_, value)| value.to_str()).unwrap_or_default();
    theirs
        .split(separator)
        .filter(|value| !value.is_empty())
        .map(OsString::from)
        .chain(ours)
        .flat_map(|value| [option.into(), value])
        .collect()
}

/// Of one version, uv takes the wheel in a folder before that of the index.
#[expect(clippy::unnecessary_wraps, reason = "another resolver writes paths, which may be no text")]
fn pin(link: &Link) -> Option<String> {
    Some(format!("{}=={}", link.wheel.name, link.wheel.version))
}

fn no_choice(ended: &Ended) -> NoChoice {
    let reason = super::redact::reason(ended);
    if ended.errors.contains("No solution found") {
        NoChoice::Unsatisfiable(reason)
    } else {
        NoChoice::Failed(reason)
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    open_plain(path)?.take(MAX_ANSWER).read_to_string(&mut text)?;
    Ok(text)
}

/// What is wanted of a `pylock.toml`.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    wheels: Vec<Wheel>,
}

#[derive(Deserialize)]
struct Wheel {
    #[serde(default)]
    url: String,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

impl From<Package> for Found {
    fn from(package: Package) -> Self {
        let wheels = package.wheels.into_iter();
        Self {
            name: package.name,
            version: package.version,
            wheels: wheels
                .map(|wheel| FoundWheel { url: wheel.url, sha256: wheel.hashes.sha256 })
                .collect(),
        }
    }
}
