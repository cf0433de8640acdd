//! Nobody outlives whom it should not.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::FromRawFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pcm_runtime_jail::{JailMode, JailReport, Part};

use crate::stage::{Probe, Stage, Test};

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("sleep", |_, _| sleep()),
    Probe::new("exit", |_, _| std::process::exit(7)),
    Probe::new("abort", |_, _| std::process::abort()),
    Probe::new("hang up", hang_up),
];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("death::when_the_parent_is_killed_nobody_is_left", parent_is_killed),
        ("death::when_the_child_is_killed_nobody_is_left", child_is_killed),
        ("death::an_exit_and_a_crash_are_seen_by_the_parent", ends),
        ("death::what_the_inner_process_closes_is_closed", closed),
        ("death::an_orphan_does_not_go_on", orphan),
        ("death::the_outer_process_holds_one_descriptor_and_no_environment", outer),
    ]
}

fn sleep() {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// The report of a probe that goes on.
fn report(child: &mut Child) -> (JailReport, BufReader<std::process::ChildStdout>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    (serde_json::from_str(&line).unwrap(), output)
}

/// Waits until nobody has the other end, or the test is stopped.
fn wait_for_end(mut output: impl std::io::Read) {
    output.read_to_end(&mut Vec::new()).unwrap();
}

/// Starts a probe with its standard input, says who it is, and waits.
pub(crate) fn be_parent(_: &[String]) {
    // SAFETY: nothing else in this process uses its standard input.
    let stdin = unsafe { std::os::fd::OwnedFd::from_raw_fd(0) };
    let mut child = Stage::new(JailMode::Default).stdin(stdin).start("sleep", &[]);
    let (report, _output) = report(&mut child);
    println!("{} {}", child.id(), report.holds(Part::ParentDeath));
    sleep();
}

fn parent_is_killed() {
    // The probe holds its end of this pair, and so does nobody else once the parent is gone.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg("parent")
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (child, holds) = line.trim().split_once(' ').unwrap();
    assert_eq!(holds, "true");
    assert!(is_alive(child));
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for_end(ours);
    while is_alive(child) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Neither gone nor waiting for somebody to ask how it ended.
fn is_alive(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn child_is_killed() {
    let stage = || Stage::new(JailMode::Default);
    for stage in [stage(), stage().without("user namespaces"), stage().without("namespaces")] {
        let mut child = stage.start("sleep", &[]);
        let (_, output) = report(&mut child);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        // The inner process had the other end.
        wait_for_end(output);
    }
}

fn ends() {
    let outcome = Stage::new(JailMode::Default).run("exit", &[]);
    assert_eq!(outcome.status.code(), Some(7), "{}", outcome.errors);
    let outcome = Stage::new(JailMode::Default).run("abort", &[]);
    // The first process of a namespace ignores SIGABRT of its own, and then faults.
    let signal = outcome.status.signal();
    assert!(matches!(signal, Some(libc::SIGABRT | libc::SIGSEGV | libc::SIGILL | libc::SIGTRAP)));
    assert!(!outcome.status.core_dumped());
}

fn hang_up(_: Option<File>, _: &[String]) {
    // SAFETY: nothing else in this process uses its standard input.
    drop(unsafe { File::from_raw_fd(0) });
    sleep();
}

fn closed() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Stage::new(JailMode::Default).stdin(theirs).start("hang up", &[]);
    wait_for_end(ours);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn orphan() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["probe", "sleep", "default", "1", ""])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(errors.contains("Orphan"), "{errors}");
}

fn outer() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let stage = Stage::new(JailMode::Default).environment("PCM_TEST_SECRET", "hunter2");
    let mut child = stage.stdin(theirs).start("sleep", &[]);
    let (report, _output) = report(&mut child);
    ours.write_all(b"x").unwrap();
    let place = format!("/proc/{}", child.id());
    // Who may not look cannot tell.
    if report.holds(Part::PidNamespace)
        && let Ok(descriptors) = fs::read_dir(format!("{place}/fd"))
    {
        assert_eq!(descriptors.count(), 1);
        let environment = fs::read(format!("{place}/environ")).unwrap();
        assert!(environment.iter().all(|byte| *byte == 0));
        let status = fs::read_to_string(format!("{place}/status")).unwrap();
        // None, or the one to end what is inside.
        let has = |rights| status.contains(&format!("CapEff:\t{rights}"));
        assert!(has("0000000000000000") || has("0000000000000020"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
