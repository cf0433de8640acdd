//! What the command says, to the letter: `cmd/*.md` are commands and what they print.
//!
//! `TRYCMD=overwrite cargo nextest run --workspace --test cmd` writes down what they print now.

use std::collections::BTreeSet;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_pcm-sandbox");
/// Every command has its help here.
const HELP: &str = include_str!("cmd/help.md");

#[test]
fn the_command_says_what_is_written_down() {
    let cases = trycmd::TestCases::new();
    // What this machine says of itself is another test's business.
    cases.env("COLUMNS", "100").env("NO_COLOR", "1").env("PCM_CONFIG", "/dev/null");
    cases.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    cases.register_bin("pcm-sandbox", std::path::Path::new(PROGRAM));
    cases.case("tests/cmd/*.md");
}

#[test]
fn the_help_of_every_command_is_written_down() -> Result<(), Box<dyn std::error::Error>> {
    let mut all = BTreeSet::new();
    let mut left = vec![String::new()];
    while let Some(command) = left.pop() {
        let words: Vec<&str> = command.split_whitespace().collect();
        let help = Command::new(PROGRAM).args(&words).arg("--help").output()?.stdout;
        let help = String::from_utf8(help)?;
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        let listed = listed.lines().take_while(|line| line.starts_with("  "));
        let names = listed.filter(|line| !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next());
        left.extend(names.filter(|name| *name != "help").map(|name| format!("{command} {name}")));
        all.insert(format!("$ pcm-sandbox{command} --help"));
    }
    let missing: Vec<&String> =
        all.iter().filter(|line| !HELP.lines().any(|written| written == line.as_str())).collect();
    assert!(all.len() > 30 && missing.is_empty(), "cmd/help.md is without {missing:?}");
    Ok(())
}
