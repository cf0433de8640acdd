//! `pip` as the resolver.
//!
//! Its report (`--dry-run --report`) is the choice, and `pip download` brings the wheels. It is
//! started by `pip_for_sandbox.py`, which makes it think that it runs where the packages will.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use super::command::{Ended, run};
use super::{Choice, Fetched, Found, FoundWheel, MAX_ANSWER, NoChoice, Request, Tool, Wheels};
use crate::PackagesError;
use crate::folder::open_plain;
use crate::links::Link;
use crate::target::Target;

const PIP: &str = include_str!("pip_for_sandbox.py");

const QUIET: [&str; 3] = ["--progress-bar=off", "--no-color", "--only-binary=:all:"];

/// The platforms, the better first. Those of Linux are glibc 2.5 to 2.40, newest first, under both
/// kinds of names.
fn platform(target: Target, wheels: Wheels) -> Vec<String> {
    let mut platform: Vec<String> = match (target, wheels) {
        (Target::Wasi, Wheels::Fitting) => vec!["--implementation=py", "--abi=none"],
        (Target::Wasi, Wheels::Any) => vec!["--implementation=cp"],
        (Target::Pyodide, _) => {
            vec!["--implementation=cp", "--abi=cp314", "--abi=abi3", "--abi=none"]
        }
    }
    .into_iter()
    .map(str::to_owned)
    .collect();
    platform.extend(target.platforms().iter().map(|name| format!("--platform={name}")));
    match wheels {
        Wheels::Fitting => platform.push("--platform=any".to_owned()),
        Wheels::Any => {
            let minors = (5..=40).rev();
            platform.extend(minors.map(|minor| format!("--platform=manylinux_2_{minor}_x86_64")));
            let names = ["2014", "2010", "1"];
            platform.extend(names.map(|name| format!("--platform=manylinux{name}_x86_64")));
        }
    }
    platform
}

fn arguments(
    tool: &Tool,
    command: &str,
    request: &Request<'_>,
) -> Result<Vec<OsString>, PackagesError> {
    let target = tool.target;
    let mut arguments: Vec<OsString> = ["-c", PIP, target.full_python(), command]
        .iter()
        .chain(&QUIET)
        .map(OsString::from)
        .collect();
    arguments.push(format!("--python-version={}", target.full_python()).into());
    arguments.extend(platform(target, request.wheels).into_iter().map(OsString::from));
    arguments.push("--requirement".into());
    arguments.push(request.file()?.into());
    Ok(arguments)
}

pub(super) async fn choose(tool: &Tool, request: &Request<'_>) -> Result<Vec<Found>, NoChoice> {
    let answer = request.folder.join("report.json");
    let mut arguments = arguments(tool, "install", request)?;
    arguments.extend(["--dry-run", "--ignore-installed", "--no-user"].map(OsString::from));
    // Without a target pip refuses to think of other platforms; nothing is put there.
    arguments.extend(["--target".into(), request.folder.join("none").into()]);
    arguments.extend(["--report".into(), answer.clone().into()]);
    // Both add to the user's own.
    for folder in request.beside.folders {
        arguments.extend(["--find-links".into(), folder.into()]);
    }
    if let Some(constraints) = request.constraints(pin)? {
        arguments.extend(["--constraint".into(), constraints.into()]);
    }
    let ended = run(tool, &arguments, request.folder).await?;
    if !ended.success {
        return Err(no_choice(&ended));
    }
    let report = read(&answer).map_err(PackagesError::cache("read the resolver's answer"))?;
    let report: Report = serde_json::from_slice(&report)
        .map_err(|_| NoChoice::Failed("its answer is no report".to_owned()))?;
    Ok(report.install.into_iter().map(Found::from).collect())
}

pub(super) async fn fetch(
    tool: &Tool,
    request: &Request<'_>,
    choices: &[&Choice],
) -> Result<Vec<Fetched>, PackagesError> {
    let wheels = request.folder.join("wheels");
    let mut arguments = arguments(tool, "download", request)?;
    arguments.extend(["--no-deps", "--require-hashes", "--dest"].map(OsString::from));
    arguments.push(wheels.clone().into());
    let ended = run(tool, &arguments, request.folder).await?;
    if !ended.success {
        return Err(request.failed(tool, &ended));
    }
    let files = choices.iter().map(|choice| Fetched::Wheel(wheels.join(choice.wheel.to_string())));
    Ok(files.collect())
}

/// The file itself: of two wheels of one version, pip would take that of the index.
fn pin(link: &Link) -> Option<String> {
    let path = link.path.to_str()?;
    let encoded = path.bytes().map(|byte| match byte {
        b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    Some(format!("{} @ file://{}", link.wheel.name, encoded.collect::<String>()))
}

fn no_choice(ended: &Ended) -> NoChoice {
    let reason = super::redact::reason(ended);
    let says = |text: &str| ended.errors.contains(text) || ended.output.contains(text);
    // Without an answer from the index pip says that there are no versions.
    let unanswered = says("Retry(") || says("connection error") || says("Could not fetch URL");
    if !unanswered && (says("No matching distribution found") || says("ResolutionImpossible")) {
        NoChoice::Unsatisfiable(reason)
    } else {
        NoChoice::Failed(reason)
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_plain(path)?.take(MAX_ANSWER).read_to_end(&mut content)?;
    Ok(content)
}

/// What is wanted of a report.
#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    install: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct DownloadInfo {
    url: String,
    #[serde(default)]
    archive_info: ArchiveInfo,
}

#[derive(Default, Deserialize)]
struct ArchiveInfo {
    #[serde(default)]
    hashes: Hashes,
    /// `sha256=…`; pip before 23.1 has no `hashes`.
    hash: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

impl From<Item> for Found {
    fn from(item: Item) -> Self {
        let ArchiveInfo { hashes, hash } = item.download_info.archive_info;
        let older = hash.and_then(|hash| hash.strip_prefix("sha256=").map(str::to_owned));
        let wheel = FoundWheel { url: item.download_info.url, sha256: hashes.sha256.or(older) };
        Self { name: item.metadata.name, version: item.metadata.version, wheels: vec![wheel] }
    }
}
