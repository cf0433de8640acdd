//! `pcm-sandbox doctor`: what works on this machine, found out by doing it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bytesize::ByteSize;
use clap::builder::styling::AnsiColor;
use pcm_sandbox::worker::{self, JailReport, Pool, WorkerError};
use pcm_sandbox::{
    BackendKind, ExecutionResult, Map, Placement, Session, SessionBuilder, Value, json,
};
use serde::Serialize;

use super::exit::{self, Failure};
use super::output::{self, Stream, Streams};
use super::progress::Waiting;
use super::{cache, table};

/// Try every backend and tell what is missing
///
/// Starts a sandbox of each backend and runs code in it. Succeeds if the default backend works.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What was found out.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    default_backend: BackendKind,
    ok: bool,
    /// Where is kept what was made once; null if that is nowhere.
    cache_folder: Option<PathBuf>,
    /// What of it there is, as `pcm-sandbox cache list --json` has it.
    cache: Vec<Value>,
    backends: Vec<Check>,
    jail: Jail,
}

/// What was found out about the jail of workers.
#[derive(Debug, Serialize)]
struct Jail {
    /// Its parts, and which of them this machine permits; null where no worker starts.
    parts: Option<JailReport>,
    problem: Option<String>,
}

/// What was found out about one backend.
#[derive(Debug, Serialize)]
struct Check {
    backend: BackendKind,
    /// Which process its engine runs in unless told otherwise.
    placement: Placement,
    available: bool,
    /// Loading the engine and starting a sandbox.
    start_ms: Option<f64>,
    /// Running `1 + 1` in it.
    run_ms: Option<f64>,
    /// What it consists of.
    versions: Option<Map<String, Value>>,
    problem: Option<String>,
    help: Option<&'static str>,
}

pub(crate) fn main(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let mut streams = Streams::standard();
    // What it tries is in its report; only somebody who waits for that wants to hear it before.
    let is_watched = streams.is_terminal(Stream::Err);
    let waiting = Waiting::default();
    let runtime = super::runtime()?;
    let report = if is_watched {
        runtime.block_on(waiting.during(examine(waiting.listener())))
    } else {
        runtime.block_on(examine(|_| ()))
    };
    if args.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::startup(format!("cannot write JSON: {error}")))?;
        streams.write_text(Stream::Out, &text);
    } else {
        let text = as_text(&report, streams.is_terminal(Stream::Out));
        streams.write_own(Stream::Out, &text);
    }
    streams.end_line(Stream::Out);
    streams.flush();
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(exit::NO_BACKEND) })
}

async fn examine(say: impl Fn(&str)) -> Report {
    let default_backend = BackendKind::default();
    let mut backends = Vec::new();
    for kind in BackendKind::ALL {
        say(&format!("trying {kind}"));
        backends.push(check(kind).await);
    }
    let cache_folder = pcm_sandbox::cache_root().ok();
    Report {
        version: env!("CARGO_PKG_VERSION"),
        default_backend,
        ok: backends.iter().any(|check| check.available && check.backend == default_backend),
        cache: cache_folder.as_deref().map(cache::contents).unwrap_or_default(),
        cache_folder,
        backends,
        jail: match jail(default_backend).await {
            Ok(parts) => Jail { parts, problem: None },
            Err(error) => Jail { parts: None, problem: Some(error.to_string()) },
        },
    }
}

/// Starts a worker, and asks what surrounds it.
async fn jail(backend: BackendKind) -> Result<Option<JailReport>, WorkerError> {
    let pool = Pool::new(worker::config(backend))?;
    pool.warm().await?;
    Ok(pool.jail().cloned())
}

async fn check(backend: BackendKind) -> Check {
    let mut check = Check {
        backend,
        placement: Placement::of(backend),
        available: false,
        start_ms: None,
        run_ms: None,
        versions: None,
        problem: None,
        help: None,
    };
    if !backend.is_built_in() {
        check.problem = Some("not in this build".to_owned());
        check.help = Some(backend.how_to_get());
        return check;
    }
    let began = Instant::now();
    let session = match builder(backend).start().await {
        Ok(session) => session,
        Err(error) => {
            check.problem = Some(error.to_string());
            // An engine is not a part of every machine.
            if backend == BackendKind::Container {
                check.help = Some("docs/container.md says what it needs");
            }
            return check;
        }
    };
    check.start_ms = Some(milliseconds(began));
    let began = Instant::now();
    let result = session.run("1 + 1").await;
    check.run_ms = Some(milliseconds(began));
    check.available = result.is_ok() && result.value == json!(2);
    check.problem = (!check.available).then(|| complaint(&result));
    check.versions = versions(&session).await;
    session.close().await;
    check
}

/// A session as it is unless told otherwise; but to look at a machine makes no image on it.
fn builder(backend: BackendKind) -> SessionBuilder {
    let builder = Session::builder().backend(backend);
    #[cfg(feature = "container")]
    if backend == BackendKind::Container {
        return builder.container_settings(settings());
    }
    builder
}

#[cfg(feature = "container")]
fn settings() -> pcm_sandbox::ContainerSettings {
    let default = pcm_sandbox::ContainerSettings::default();
    pcm_sandbox::ContainerSettings { auto_build: false, warm: 0, ..default }
}

fn complaint(result: &ExecutionResult) -> String {
    match &result.error {
        Some(error) => format!("it starts, but 1 + 1 fails: {error}"),
        None => format!("it starts, but 1 + 1 is {}", result.value),
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// What it consists of: the Python, as it says itself, and what is around it.
async fn versions(session: &Session) -> Option<Map<String, Value>> {
    let python = session.run("import sys; '.'.join(map(str, sys.version_info[:3]))").await.value;
    let mut versions = Map::from_iter([("python".to_owned(), python)]);
    let mut add = |name: &str, version: String| versions.insert(name.to_owned(), version.into());
    match session.backend() {
        #[cfg(feature = "wasm")]
        BackendKind::Wasm => {
            let engine = pcm_runtime_wasm::WasmEngine::shared().ok()?;
            let info = engine.info();
            add("wasmtime", info.wasmtime.clone());
            add("image", info.image.clone());
            add("allocation", info.allocation.to_string());
        }
        #[cfg(feature = "deno")]
        BackendKind::DenoSandbox => {
            let info = pcm_sandbox::DenoEngine::info();
            add("pyodide", info.pyodide.clone());
            add("v8", info.v8.clone());
        }
        BackendKind::Subprocess => {
            let ipython = session.run("import IPython; IPython.__version__").await.value;
            add("ipython", ipython.as_str().unwrap_or_default().to_owned());
        }
        #[cfg(feature = "container")]
        BackendKind::Container => {
            let info = pcm_sandbox::ContainerEngine::new(settings()).info().await.ok()?;
            add("engine", info.engine);
            add("image", info.image);
        }
        _ => {}
    }
    Some(versions)
}

fn as_text(report: &Report, terminal: bool) -> String {
    let mut rows = Vec::new();
    for check in &report.backends {
        let (word, color) = match (check.available, check.help) {
            (true, _) => ("ok", AnsiColor::Green),
            (false, Some(_)) => ("missing", AnsiColor::Yellow),
            (false, None) => ("broken", AnsiColor::Red),
        };
        let name = check.backend.to_string();
        // Padded here: the table would count the codes of the colour.
        let state = output::painted(&format!("{word:<7}"), color, terminal);
        rows.push([name, state, describe(check, report.default_backend)]);
        if let Some(versions) = &check.versions {
            let about = versions
                .iter()
                .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()));
            rows.push([String::new(), " ".repeat(7), about.collect::<Vec<_>>().join(", ")]);
        }
    }
    let cache = match &report.cache_folder {
        Some(folder) => {
            let bytes = report.cache.iter().filter_map(|part| part["bytes"].as_u64()).sum();
            format!("{} in {}", ByteSize(bytes).display().iec(), folder.display())
        }
        None => "none; what an engine needs is unpacked at every start".to_owned(),
    };
    let (version, table, jail) = (report.version, table::aligned(&rows), report.jail.as_text());
    format!("pcm-sandbox {version}\n\n{table}\njail:  {jail}\ncache: {cache}\n")
}

impl Jail {
    fn as_text(&self) -> String {
        let Some(parts) = &self.parts else {
            let problem = self.problem.as_deref().unwrap_or("it says nothing");
            return format!("no worker starts: {problem}");
        };
        let missing: Vec<String> =
            parts.missing().map(|(part, reason)| format!("\n       no {part}: {reason}")).collect();
        let (all, held) = (parts.parts().count(), parts.parts().count() - missing.len());
        if missing.is_empty() {
            return format!("all {all} parts of it hold for engines in a process of their own");
        }
        format!("{held} of {all} parts of it hold{}", missing.concat())
    }
}

fn describe(check: &Check, default: BackendKind) -> String {
    let marker = if check.backend == default { " (default)" } else { "" };
    match (&check.problem, check.start_ms, check.run_ms) {
        (Some(problem), ..) => match check.help {
            Some(help) => format!("{problem}: {help}{marker}"),
            None => format!("{problem}{marker}"),
        },
        (None, Some(start), Some(run)) => {
            let place = match check.placement {
                Placement::Worker => " in a process of its own",
                _ => "",
            };
            format!("started in {start:.1} ms{place}, ran 1 + 1 in {run:.2} ms{marker}")
        }
        _ => marker.trim_start().to_owned(),
    }
}
