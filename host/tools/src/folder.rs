//! A folder of declarations.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use rustix::fs::OFlags;

use crate::declaration::Head;
use crate::problem::Problem;
use crate::registry::Registry;
use crate::variables::Variables;
use crate::yaml::{self, Field, Report};
use crate::{Adapter, CliTool, HttpTools, McpServer, McpServerConfig, ToolsError, cli, http, mcp};

/// The longest file that is read.
const MOST_BYTES: u64 = 1 << 20;
/// The most files that are read.
const MOST_FILES: usize = 1_000;
const KINDS: [&str; 3] = ["cli", "http", "mcp"];

/// How declarations are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// What `${NAME}` stands for, and what programs get of the host's environment.
    pub variables: Variables,
}

/// What a declaration makes.
pub(crate) enum Declared {
    Cli(CliTool),
    Http(HttpTools),
    Mcp(McpServerConfig),
}

impl Registry {
    /// Reads the declarations of a folder: the regular files named `*.yaml` and `*.yml`, by name,
    /// without those in folders below. One that is broken hides no other; what was wrong is told
    /// beside the registry.
    pub async fn load(
        folder: &Path,
        options: LoadOptions,
    ) -> Result<(Self, Vec<Problem>), ToolsError> {
        let read = {
            let (folder, options) = (folder.to_owned(), options.clone());
            tokio::task::spawn_blocking(move || read(&folder, &options))
        };
        let read = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let (declared, mut problems) = read.map_err(|reason| ToolsError::Folder {
            folder: folder.display().to_string(),
            reason,
        })?;
        let registry = Self::new();
        // Servers take their time to start; together they take that of the slowest.
        let opened = declared.into_iter().map(async |(file, declared)| {
            let opened = declared.open().await;
            (file, opened)
        });
        for (file, opened) in join_all(opened).await {
            let added = match opened {
                Ok((adapter, left_out)) => {
                    problems.extend(left_out.iter().map(|text| Problem::warning(&file, text)));
                    registry.add(adapter)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = added {
                problems.push(Problem::error(&file, error.to_string()));
            }
        }
        Ok((registry, problems))
    }
}

/// Looks for what is wrong with the declarations of a folder, without connecting to anything.
pub fn check(folder: &Path, options: &LoadOptions) -> Vec<Problem> {
    let (declared, mut problems) = match read(folder, options) {
        Ok(read) => read,
        Err(error) => {
            let message = format!("the folder cannot be read: {}", error.kind());
            return vec![Problem::error("", message)];
        }
    };
    let mut names: Vec<(String, String)> = Vec::new();
    for (file, declared) in declared {
        let name = declared.name();
        if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
            let error = ToolsError::Duplicate { name, first: first.clone(), second: file.clone() };
            problems.push(Problem::error(&file, error.to_string()));
            continue;
        }
        if let Declared::Cli(tool) = &declared
            && !tool.is_there()
        {
            let command = tool.command();
            let message = format!("the program {command:?} is not on this host now");
            problems.push(Problem::warning(&file, message));
        }
        names.push((name, file));
    }
    problems.sort_by(|one, other| one.file.cmp(&other.file));
    problems
}

impl Declared {
    /// The adapter, and what of it cannot be called.
    async fn open(self) -> Result<(Arc<dyn Adapter>, Vec<String>), ToolsError> {
        Ok(match self {
            Self::Cli(tool) => (Arc::new(tool), Vec::new()),
            Self::Http(tools) => (Arc::new(tools), Vec::new()),
            Self::Mcp(config) => {
                let (server, left_out) = McpServer::connect(config).await?;
                (Arc::new(server), left_out)
            }
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Cli(tool) => tool.name().to_owned(),
            Self::Http(tools) => tools.name().to_owned(),
            Self::Mcp(config) => config.name().to_owned(),
        }
    }
}

/// A declaration and the name of its file.
type Named = (String, Declared);

/// Reads one declaration from its text.
pub(crate) fn parse_as<T>(
    yaml: &str,
    folder: Option<&Path>,
    options: &LoadOptions,
    pick: impl FnOnce(Declared) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let mut problems = Vec::new();
    let declared = declare("", yaml, folder, options, &mut problems);
    match declared.and_then(pick) {
        Some(tool) => Ok(tool),
        None if problems.is_empty() => {
            Err(vec![Problem::error("", "this declares a tool of another type")])
        }
        None => Err(problems),
    }
}

/// The declarations of a folder that are whole, and the problems of all.
fn read(folder: &Path, options: &LoadOptions) -> io::Result<(Vec<Named>, Vec<Problem>)> {
    let mut problems = Vec::new();
    let mut declared = Vec::new();
    let files = match files(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = "the folder of tools is not there, so there are no tools";
            return Ok((declared, vec![Problem::warning("", message)]));
        }
        files => files?,
    };
    if files.len() > MOST_FILES {
        let message =
            format!("the folder has {} declarations; the first {MOST_FILES} are read", files.len());
        problems.push(Problem::error("", message));
    }
    for (name, path) in files.into_iter().take(MOST_FILES) {
        let text = match text(&path) {
            Ok(text) => text,
            Err(reason) => {
                problems.push(Problem::error(&name, reason));
                continue;
            }
        };
        if let Some(tool) = declare(&name, &text, Some(folder), options, &mut problems) {
            declared.push((name, tool));
        }
    }
    Ok((declared, problems))
}

fn files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, path));
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a regular file, also behind a link.
fn text(path: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("cannot be read: {}", error.kind());
    // Opening a pipe would otherwise wait for somebody to write into it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file: File =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("is longer than {MOST_BYTES} bytes, the most for a declaration"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

fn declare(
    file: &str,
    text: &str,
    folder: Option<&Path>,
    options: &LoadOptions,
    problems: &mut Vec<Problem>,
) -> Option<Declared> {
    let node = yaml::parse(file, text).map_err(|problem| problems.push(problem)).ok()?;
    let mut report = Report::new(file);
    let declared = declare_node(file, &Field::root(&node), folder, options, &mut report);
    let whole = declared.filter(|_| !report.has_errors());
    problems.append(&mut report.into_problems());
    whole
}

fn declare_node(
    file: &str,
    root: &Field<'_>,
    folder: Option<&Path>,
    options: &LoadOptions,
    report: &mut Report,
) -> Option<Declared> {
    let mut fields = root.fields(report)?;
    let kind = match fields.take("type") {
        None => "cli".to_owned(),
        Some(field) => {
            let kind = field.text(report)?;
            if !KINDS.contains(&kind.as_str()) {
                let kinds = KINDS.join(", ");
                field.error(
                    report,
                    format!("there is no type {kind:?} of tools; there are: {kinds}"),
                );
                return None;
            }
            kind
        }
    };
    let origin = if file.is_empty() { "a declaration" } else { file };
    let head = Head::read(&mut fields, origin, folder, &options.variables, report);
    // Without a name there is still more to say about the rest, but no tool to say it of.
    let head = head?;
    match kind.as_str() {
        "mcp" => mcp::declare(head, fields, report).map(Declared::Mcp),
        "http" => http::declare(head, fields, report).map(Declared::Http),
        _ => cli::declare(head, fields, report).map(Declared::Cli),
    }
}
