//! One test for each case and backend, as `wasm::C1::while_true`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pcm_escapes::lines::page;
use pcm_escapes::mutations::take_down;
use pcm_escapes::{
    Canaries, Case, Echo, Wall, attack, canary, load_cases, load_fences, load_lines,
};
use pcm_sandbox::worker;
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
    let trials = walls.iter().flat_map(|wall| {
        let cases = cases.iter().filter(|case| {
            case.is_for(wall.backend.key()) && (wall.is_usual() || !case.is_about_host())
        });
        cases.map(|case| trial(*wall, case.clone(), Arc::clone(&runtime), &canaries, echo))
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
    case: Case,
    runtime: Arc<Runtime>,
    canaries: &Arc<Canaries>,
    echo: Echo,
) -> Trial {
    let canaries = Arc::clone(canaries);
    let name = format!("{wall}::{}::{}", case.line, case.name);
    let is_missing = wall.is_missing();
    Trial::ignorable_test(name, move || {
        if let Some(reason) = is_missing {
            return Ok(Completion::ignored_with(reason));
        }
        let outcome = runtime.block_on(attack(wall, &case, &canaries, echo));
        outcome.map(|()| Completion::Completed).map_err(Failed::from)
    })
    .with_ignored_flag(is_missing.is_some())
}
