//! Runs that somebody ends: Ctrl-C, and a reader that goes away.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::TestResult;
use crate::command::{Ended, command};

const FOR_EVER: &str = "print('started')\nwhile True: pass";

/// The first line of what it prints, which arrives while the code still runs.
fn first_line(child: &mut Child) -> std::io::Result<String> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line)?;
        // What is left in the buffer is lost, the pipe stays.
        child.stdout = Some(stdout.into_inner());
    }
    Ok(line)
}

fn press_ctrl_c(child: &Child) -> rustix::io::Result<()> {
    kill_process(Pid::from_child(child), Signal::INT)
}

#[test]
fn ctrl_c_interrupts_the_code() -> TestResult {
    let mut child = command(&["run", "-c", FOR_EVER, "-c", "print('never')"]).spawn()?;
    assert_eq!(first_line(&mut child)?, "started\n");
    press_ctrl_c(&child)?;
    let ended = Ended::from(child.wait_with_output()?);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""));
    assert!(ended.stderr.contains("KeyboardInterrupt\nerror: "), "{}", ended.stderr);
    Ok(())
}

#[test]
fn ctrl_c_leaves_a_result() -> TestResult {
    let mut child = command(&["run", "--format", "jsonl", "-c", FOR_EVER]).spawn()?;
    assert!(first_line(&mut child)?.contains("started"));
    press_ctrl_c(&child)?;
    let ended = Ended::from(child.wait_with_output()?);
    assert_eq!(ended.code, Some(130));
    assert!(ended.stdout.ends_with("\"is_ok\":false}\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\"kind\":\"cancelled\""), "{}", ended.stdout);
    Ok(())
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() -> TestResult {
    let code = "while True: print('x' * 1000)";
    for format in ["text", "jsonl"] {
        let arguments = ["run", "--format", format, "--output-limit", "1GiB", "-c", code];
        let ended = without_reader(&arguments)?;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{format}");
    }
    for arguments in [&["limits"][..], &["doctor"], &["run", "--json", "-c", "1"]] {
        let ended = without_reader(arguments)?;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""), "{arguments:?}");
    }
    Ok(())
}

/// Runs the command with nobody at the other end of its standard output.
fn without_reader(arguments: &[&str]) -> std::io::Result<Ended> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(Ended::from(command(arguments).stdout(writer).spawn()?.wait_with_output()?))
}
