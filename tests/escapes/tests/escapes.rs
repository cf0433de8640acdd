//! One test for each line of the list of attacks and wall, as `wasm::C1`: to start a process and its engine
//! takes longer than most attacks. Where code shares this process with its host each case is a test.
//!
//! One case is a test as well, for whoever asks for it by name: `cargo test --workspace --test escapes --
//! wasm::C1::while_true`, or as much of that as has both `::`.

#![expect(clippy::print_stderr, reason = "it says which program comes")]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_escapes::lines::page;
use pcm_escapes::mutations::take_down;
use pcm_escapes::{
    Canaries, Case, Echo, Sibling, Wall, attack, canary, load_cases, load_fences, load_lines,
};
use pcm_sandbox::{BackendKind, worker};
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<ExitCode> {
    worker::init();
    if std::env::var_os(canary::VARIABLE).is_none() {
        return Err(with_secret());
    }
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("mutations") => return mutations(&words.collect::<Vec<_>>()),
        Some("page") => return write_page(),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    // They measure the memory of the process, and what a session left in its place.
    arguments.test_threads = Some(1);
    let cases = load_cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.context("cannot start the tokio runtime")?);
    let canaries = Arc::new(Canaries::place()?);
    let echo = Echo::start()?;
    let walls = Wall::all();
    let by_name = arguments.filter.as_ref().is_some_and(|name| name.matches("::").count() > 1);
    let trials = walls.iter().flat_map(|wall| {
        let singly = by_name || wall.backend == BackendKind::InProcess;
        let mut parts: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for case in cases.iter().filter(|case| {
            case.is_for(wall.backend.key()) && (wall.is_usual() || !case.is_about_host())
        }) {
            let whole = format!("{wall}::{}", case.line);
            let name = if singly { format!("{whole}::{}", case.name) } else { whole };
            parts.entry(name).or_default().push(case.clone());
        }
        let trial = |(name, cases)| trial(*wall, name, cases, &runtime, &canaries, echo);
        parts.into_iter().map(trial).collect::<Vec<_>>()
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

/// The table of lines and cases.
fn write_page() -> Result<ExitCode> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (lines, cases) = (load_lines(&here.join("lines.toml"))?, load_cases(&here.join("cases"))?);
    std::fs::write(here.join("README.md"), page(&lines, &cases, &here.join("../.."))?)?;
    Ok(ExitCode::SUCCESS)
}

/// `./x mutations`: the fences of these names, or all.
fn mutations(names: &[String]) -> Result<ExitCode> {
    ensure!(
        cfg!(feature = "mutations"),
        "fences can be taken down with the feature `mutations` only"
    );
    let mut fences = load_fences(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fences.toml"))?;
    fences.retain(|fence| names.is_empty() || names.contains(&fence.name));
    ensure!(!fences.is_empty(), "there is no such fence");
    let all_stand = take_down(&std::env::current_exe()?, &fences)?;
    Ok(if all_stand { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts this program again, with a secret in its environment. Comes back only when that failed.
fn with_secret() -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    let arguments = std::env::args_os().skip(1);
    Command::new(program).args(arguments).env(canary::VARIABLE, canary::secret()).exec().into()
}

fn trial(
    wall: Wall,
    name: String,
    cases: Vec<Case>,
    runtime: &Arc<Runtime>,
    canaries: &Arc<Canaries>,
    echo: Echo,
) -> Trial {
    let (runtime, canaries) = (Arc::clone(runtime), Arc::clone(canaries));
    let is_missing = wall.is_missing();
    Trial::ignorable_test(name, move || {
        if let Some(reason) = is_missing {
            return Ok(Completion::ignored_with(reason));
        }
        let told = runtime.block_on(async {
            let sibling = Sibling::start(wall).await.map_err(|error| format!("{error:#}"))?;
            let mut told = String::new();
            for case in &cases {
                eprintln!("{}-{}", case.line, case.name); // the last word, if it ends the process
                if let Err(breach) = attack(wall, case, &canaries, echo, &sibling).await {
                    told += &breach.to_string();
                }
            }
            sibling.close().await;
            Ok::<_, String>(told)
        })?;
        if told.is_empty() { Ok(Completion::Completed) } else { Err(Failed::from(told)) }
    })
    .with_ignored_flag(is_missing.is_some())
}
