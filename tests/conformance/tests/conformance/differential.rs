//! The same programs here and in the CPython of this machine: value, output and type of the error are the same.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Completion, Failed, Trial};
use pcm_conformance::MemoryHost;
use pcm_runtime_api::{ExecutionResult, HostPort, Limits, RunRequest};
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::Found;

/// Names the Python that has hypothesmith; `./x` sets it.
const GENERATOR: &str = "PCM_HYPOTHESMITH";
/// How many programs are made of each number: about as many as take ten seconds with their runs.
const GENERATED: usize = 40;
/// Chooses other generated programs.
const SEED: &str = "PCM_GENERATED_SEED";
/// The walls that run what was written, and those among them that run what was generated too. The others hold
/// the evaluator of one of these.
const WRITTEN: [&str; 3] = ["wasm", "deno-sandbox", "in-process"];
const ALSO_GENERATED: [&str; 2] = ["wasm", "deno-sandbox"];

/// A program and its name.
type Program = (String, String);

/// What CPython says.
#[derive(Debug, Deserialize)]
struct Said {
    version: [u32; 3],
    /// None where it ended without a word, or took too long.
    programs: Vec<(String, Option<Seen>)>,
}

/// What a program does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Seen {
    /// The `repr` of its value.
    value: Option<String>,
    stdout: String,
    /// The type of the exception that ended it.
    error: Option<String>,
}

pub(crate) fn trials(found: &Arc<Found>, runtime: &Arc<Runtime>) -> Vec<Trial> {
    let wall = found.wall;
    let mut trials = Vec::new();
    if WRITTEN.contains(&wall.name) {
        let (found, runtime) = (Arc::clone(found), Arc::clone(runtime));
        trials.push(Trial::test(format!("{wall}::differential"), move || {
            Ok(runtime.block_on(compare(&found, written()?))?)
        }));
    }
    if ALSO_GENERATED.contains(&wall.name) {
        let (found, runtime) = (Arc::clone(found), Arc::clone(runtime));
        trials.push(Trial::ignorable_test(format!("{wall}::generated"), move || {
            let Some(programs) = generated()? else {
                return Ok(Completion::ignored_with(format!(
                    "{GENERATOR} names no Python; ./x does"
                )));
            };
            runtime.block_on(compare(&found, programs))?;
            Ok::<_, Failed>(Completion::Completed)
        }));
    }
    trials
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../differential")
}

fn written() -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for entry in fs::read_dir(folder().join("corpus"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        programs.push((name, fs::read_to_string(&path)?));
    }
    programs.sort();
    Ok(programs)
}

fn generated() -> Result<Option<Vec<Program>>> {
    let Some(python) = env::var_os(GENERATOR) else { return Ok(None) };
    let seed = env::var(SEED).unwrap_or_else(|_| "1".to_owned());
    let mut command = Command::new(python);
    command.arg(folder().join("generate.py")).arg(seed).arg(GENERATED.to_string());
    Ok(Some(serde_json::from_slice(&output_of(command, b"")?)?))
}

/// What a program of Python writes.
fn output_of(mut command: Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(output.stdout)
}

/// The Python that is asked: the one that the other backends start.
fn said(programs: &[Program]) -> Result<Said> {
    let mut command = Command::new("python3");
    command.arg("-I").arg(folder().join("reference.py"));
    let told =
        output_of(command, &serde_json::to_vec(programs)?).context("CPython of this machine")?;
    Ok(serde_json::from_slice(&told)?)
}

async fn compare(found: &Found, programs: Vec<Program>) -> Result<()> {
    let said = said(&programs)?;
    let mut different = Vec::new();
    let mut compared = 0_usize;
    for ((name, source), (_, expected)) in programs.iter().zip(&said.programs) {
        let Some(expected) = expected else { continue };
        if let Some(reason) = excepted(source, found.wall.key) {
            eprintln!("{name} differs: {reason}");
            continue;
        }
        compared += 1;
        let seen = seen(&run(found, source).await?);
        let (seen, expected) = (seen.without_addresses(), expected.clone().without_addresses());
        if seen != expected {
            let version = said.version;
            different.push(format!(
                "{name}\n{source}\nCPython {version:?}: {expected:?}\nhere: {seen:?}"
            ));
        }
    }
    eprintln!("{compared} of {} programs compared", programs.len());
    ensure!(different.is_empty(), "{} differ\n\n{}", different.len(), different.join("\n\n"));
    ensure!(compared * 2 > programs.len(), "CPython says nothing of most programs");
    Ok(())
}

/// Why a program differs on a backend: a line `# differs on KEY: REASON` says so.
fn excepted<'a>(source: &'a str, key: &str) -> Option<&'a str> {
    let begin = format!("# differs on {key}: ");
    source.lines().find_map(|line| line.strip_prefix(begin.as_str()))
}

async fn run(found: &Found, source: &str) -> Result<ExecutionResult> {
    let backend = found.backend.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))?;
    let limits = Limits { timeout: Some(Duration::from_secs(30)), ..Limits::default() };
    let session = backend.open(limits).await?;
    session.start(Arc::new(MemoryHost::default()) as Arc<dyn HostPort>).await?;
    let mut request = RunRequest::new(source.as_bytes().to_vec());
    request.repr = true;
    let result = session.run(request).await;
    session.close().await;
    Ok(result)
}

fn seen(result: &ExecutionResult) -> Seen {
    let error = result.error.as_ref().map(|error| error.error_type.clone());
    let ended = error.is_some() || result.value_repr.is_none();
    let value = if ended { None } else { result.value_repr.clone() };
    Seen { value, stdout: result.stdout.clone(), error }
}

impl Seen {
    /// What two runs of one Python have in common: no address, and None for no value.
    fn without_addresses(mut self) -> Self {
        self.value = self.value.map(|value| plain(&value)).filter(|value| value != "None");
        self.stdout = plain(&self.stdout);
        self
    }
}

/// ` at 0x7f…` becomes ` at 0x`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" at 0x") {
        plain.push_str(before);
        plain.push_str(" at 0x");
        rest = after.trim_start_matches(|char: char| char.is_ascii_hexdigit());
    }
    plain.push_str(rest);
    plain
}
