//! Cgroups, where this machine permits them.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;

use pcm_runtime_jail::{Cgroup, CgroupLimits, JailMode};

use crate::stage::{Probe, Stage, Test};

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("wait", |_, _| {
        loop {
            std::thread::park();
        }
    }),
    Probe::new("eat", eat),
];

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("groups::outer_and_inner_process_are_in_the_group_and_it_goes_when_they_do", members),
        ("groups::who_takes_too_much_memory_is_killed", memory),
        ("groups::what_a_killed_program_has_left_is_removed", left),
    ]
}

const LIMITS: CgroupLimits = CgroupLimits { memory: Some(64 << 20), tasks: Some(32) };

/// One byte of standard input, and then memory of every kind without end.
fn eat(_: Option<File>, _: &[String]) {
    use std::io::Read as _;
    std::io::stdin().read_exact(&mut [0]).unwrap();
    let chunks: Vec<Vec<u8>> = (0..64).map(|_| vec![1; 16 << 20]).collect();
    assert_eq!(chunks.len(), 64);
}

/// A child in a group, when its walls are closed; None where there are no groups.
fn child(
    probe: &str,
    stage: Stage,
) -> Option<(Cgroup, Child, BufReader<std::process::ChildStdout>)> {
    let group = Cgroup::make(&LIMITS).ok()?;
    let mut child = stage.start(probe, &[]);
    group.add(child.id()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    Some((group, child, output))
}

fn members() {
    let Some((group, mut child, _output)) = child("wait", Stage::new(JailMode::Default)) else {
        return;
    };
    let process = child.id().to_string();
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    let name = format!("pcm-sandbox-{}-", std::process::id());
    for member in children.split_ascii_whitespace().chain([process.as_str()]) {
        let groups = fs::read_to_string(format!("/proc/{member}/cgroup")).unwrap();
        assert!(groups.contains(&name), "{groups}");
    }
    let folders = folders(&process);
    assert!(!folders.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(group);
    for folder in folders {
        assert!(!folder.exists(), "{}", folder.display());
    }
}

/// Where the groups of this process lie, of those that tests have made.
fn folders(process: &str) -> Vec<std::path::PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap();
    let groups = groups.lines().filter_map(|line| line.rsplit(':').next());
    let names = groups.filter_map(|path| path.rsplit('/').next());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("pcm-sandbox-")).collect();
    names.dedup();
    find("/sys/fs/cgroup".as_ref(), &names, 6)
}

fn find(folder: &std::path::Path, names: &[&str], depth: u32) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .flat_map(|entry| {
            let is_wanted = names.iter().any(|name| entry.file_name() == *name);
            let below = if depth == 0 { Vec::new() } else { find(&entry.path(), names, depth - 1) };
            is_wanted.then(|| entry.path()).into_iter().chain(below)
        })
        .collect()
}

fn memory() {
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let stage = Stage::new(JailMode::Default).stdin(theirs);
    let Some((_group, mut child, _output)) = child("eat", stage) else { return };
    std::io::Write::write_all(&mut ours, b"x").unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

/// The group of a process that is gone; the number is larger than any process has.
fn left() {
    let Some((group, mut child, _output)) = child("wait", Stage::new(JailMode::Default)) else {
        return;
    };
    let folders = folders(&child.id().to_string());
    child.kill().unwrap();
    child.wait().unwrap();
    let left = folders[0].with_file_name("pcm-sandbox-99999999-0");
    fs::create_dir(&left).unwrap();
    drop(group);
    // Once per process, so another one looks.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "groups::outer_and_inner_process_are_in_the_group_and_it_goes_when_they_do",
        ])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert!(!left.exists());
}
