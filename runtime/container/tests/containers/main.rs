//! Sessions in containers of a real engine: what they are owed, and what holds when the code in one does its
//! worst.
//!
//! An engine has to be there, and a Debian underneath, whose files the image is made of. Where there is no
//! engine the tests are ignored, unless `DOCKER_HOST` names one.

mod behaviour;
mod ends;
mod fixture;
mod limits;
mod network;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::fixture::Fixture;

fn main() -> ExitCode {
    pcm_runtime_worker::init(&[pcm_runtime_container::entry()]);
    if ends::be_a_small_host() {
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // Each has a container or two.
    arguments.test_threads = Some(2);
    let fixture = Fixture::find();
    let groups: [&[(&'static str, fixture::Test)]; 4] =
        [&behaviour::TESTS, &limits::TESTS, &network::TESTS, &ends::TESTS];
    let trials = groups.into_iter().flatten().map(|&(name, test)| {
        let (fixture, missing) = (fixture.clone(), fixture.missing());
        Trial::ignorable_test(name, move || fixture.run(test)).with_ignored_flag(missing)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
