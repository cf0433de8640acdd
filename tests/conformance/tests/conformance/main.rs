//! One test for each topic and wall, as `wasm::evaluation`. A process starts its engine once for all cases of
//! a topic, which is most of the time that a case takes.
//!
//! One case is a test as well, for whoever asks for it by name: `cargo test -p pcm-conformance --test
//! conformance -- wasm::evaluation::1_plus_1`, or as much of that as has both `::`.
//!
//! `conformance matrix` prints what became of the cases, and `conformance matrix --write` writes
//! `docs/compatibility.md`; `./x matrix` is that.
//!
//! `wasm::differential` and `wasm::generated` are programs of `tests/differential`, here and in CPython.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it tells what it compares, and the matrix"
)]

mod differential;
mod lib_test;
mod walls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context as _, Result};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_conformance::{
    Backend, Case, Matrix, Outcome, Row, Sample, Verdict, Wall, compatibility, load_behaviours,
    load_cases, record, run_case,
};
use pcm_sandbox::worker;
use tokio::runtime::{Builder, Runtime};

/// Set where every backend has to be: in CI.
const ALL_BACKENDS: &str = "PCM_ALL_BACKENDS";

fn main() -> Result<ExitCode> {
    worker::init();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = load_cases(&folder.join("cases"))?;
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["matrix"] => return matrix(&cases),
        ["matrix", "--write"] => return write_page(folder, &cases).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let arguments = Arguments::from_args();
    let sample = Sample::of_environment()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let singly = arguments.filter.as_ref().is_some_and(|name| name.matches("::").count() > 1);
    let mut topics: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases {
        topics.entry(case.topic()).or_default().push(case);
    }
    let mut trials = Vec::new();
    for wall in Wall::ALL {
        let found = Arc::new(Found { wall, backend: walls::find(wall) });
        if wall.key != "container" || env::var_os(ALL_BACKENDS).is_some() {
            trials.push(must_be_here(&found));
        }
        for cases in topics.values() {
            let parts: Vec<&[Case]> = if singly { cases.chunks(1).collect() } else { vec![cases] };
            for cases in parts {
                let part =
                    Part { found: Arc::clone(&found), sample, cases: cases.to_vec(), singly };
                trials.push(part.trial(&runtime));
            }
        }
        trials.extend(differential::trials(&found, &runtime));
    }
    trials.extend(lib_test::trials(&runtime));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// Where the rows of the matrix are.
fn rows_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance")
}

fn matrix(cases: &[Case]) -> Result<ExitCode> {
    let matrix = Matrix::new(cases, &record::read(&rows_folder())?);
    println!("{matrix}");
    Ok(if matrix.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_page(folder: &Path, cases: &[Case]) -> Result<()> {
    let behaviours = load_behaviours(&folder.join("behaviours.toml"))?;
    let file = folder.join("../../docs/compatibility.md");
    fs::write(&file, compatibility(cases, &behaviours))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// A backend of this machine, or the reason why there is none.
struct Found {
    wall: Wall,
    backend: Result<Arc<dyn Backend>, String>,
}

/// Fails when a backend is missing that no machine is without: else all its cases were ignored and
/// nobody would see it.
fn must_be_here(found: &Found) -> Trial {
    let outcome = found.backend.as_ref().map(drop).map_err(Failed::from);
    Trial::test(format!("{}::is_here", found.wall), move || outcome)
}

/// Cases of one topic on one wall, one after the other.
struct Part {
    found: Arc<Found>,
    sample: Sample,
    cases: Vec<Case>,
    /// Whether it is one case that somebody asked for: it runs whatever the sample says, and writes no rows.
    singly: bool,
}

impl Part {
    fn trial(self, runtime: &Arc<Runtime>) -> Trial {
        let topic = self.cases.first().map(Case::topic).unwrap_or_default();
        let name = match self.cases.as_slice() {
            [case] if self.singly => format!("{}::{topic}::{}", self.found.wall, case.id),
            _ => format!("{}::{topic}", self.found.wall),
        };
        let runtime = Arc::clone(runtime);
        Trial::ignorable_test(name, move || {
            runtime.block_on(self.run(&topic)).map_err(Failed::from)
        })
    }

    async fn run(self, topic: &str) -> Result<Completion> {
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for case in &self.cases {
            let (row, failure) = self.row(case).await;
            rows.push(row);
            failures.extend(failure);
        }
        if !self.singly {
            record::write(&rows_folder(), self.found.wall, topic, &rows)?;
        }
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
        let idle = rows.iter().find(|row| row.outcome == Outcome::Skipped);
        let all =
            rows.iter().all(|row| matches!(row.outcome, Outcome::Skipped | Outcome::NotInSample));
        Ok(match idle.and_then(|row| row.reason.clone()).filter(|_| all) {
            Some(reason) => Completion::ignored_with(reason),
            None => Completion::Completed,
        })
    }

    /// Runs a case, and says how that failed.
    async fn row(&self, case: &Case) -> (Row, Option<String>) {
        let wall = self.found.wall;
        if !self.singly && !self.sample.has(wall, case) {
            return (Row::new(wall, case, Outcome::NotInSample), None);
        }
        let backend = match &self.found.backend {
            Ok(backend) => backend,
            Err(reason) => {
                let reason = Some(reason.clone());
                return (Row { reason, ..Row::new(wall, case, Outcome::Skipped) }, None);
            }
        };
        // For whoever wants to know what ran when the process ended.
        eprintln!("{wall}::{}::{}", case.topic(), case.id);
        let begin = Instant::now();
        let verdict = run_case(&**backend, case).await;
        let ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (outcome, reason, failure) = match verdict {
            Ok(Verdict::Passed) => match case.exception(wall.key) {
                Some(exception) => (Outcome::Different, Some(exception.reason.clone()), None),
                None => (Outcome::Passed, None, None),
            },
            Ok(Verdict::Skipped { reason }) => (Outcome::Skipped, Some(reason), None),
            Err(failure) => (Outcome::Failed, None, Some(format!("{wall}: {failure}"))),
        };
        (Row { reason, ms, ..Row::new(wall, case, outcome) }, failure)
    }
}
