//! Workers, with engines of native code in place of V8 or wasmtime: what a session is owed, and what
//! holds when the code in a worker has escaped from its engine and may do whatever a process can.
//!
//! A worker is the same program, so this has a `main`: a worker comes back from `init` never.
//!
//! `PCM_SOAK=100000` makes the soak as long as that; with `--nocapture` it prints its figures.

mod act;
mod behaviour;
mod chaos;
mod crashes;
mod engine;
mod fixture;
mod forged;
mod forgery;
mod jail;
mod probe;
mod soak;
mod starting;
mod system;

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use libtest_mimic::Arguments;

use crate::fixture::{Fixture, SECRET};

fn main() -> ExitCode {
    starting::pose();
    pcm_runtime_worker::init(&engine::ENGINES);
    jail::be_a_small_host();
    if env::var_os(SECRET).is_none() {
        return with_secret();
    }
    let mut arguments = Arguments::from_args();
    // They count the processes and descriptors of this one, and measure its memory.
    arguments.test_threads = Some(1);
    let fixture = match Fixture::new() {
        Ok(fixture) => fixture,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program that cannot go on")]
            {
                eprintln!("no worker can be started: {error}");
            }
            return ExitCode::FAILURE;
        }
    };
    let groups = [
        behaviour::trials(&fixture),
        starting::trials(&fixture),
        crashes::trials(&fixture),
        forged::trials(&fixture),
        jail::trials(&fixture),
        chaos::trials(&fixture),
        soak::trials(&fixture),
    ];
    libtest_mimic::run(&arguments, groups.into_iter().flatten().collect()).exit_code()
}

/// Starts this program again, with a secret in its environment that no worker may come to know. Comes
/// back only when that failed.
fn with_secret() -> ExitCode {
    let Ok(program) = env::current_exe() else { return ExitCode::FAILURE };
    let secret = format!("secret-of-{}", std::process::id());
    let failed = Command::new(program).args(env::args_os().skip(1)).env(SECRET, secret).exec();
    drop(failed);
    ExitCode::FAILURE
}
