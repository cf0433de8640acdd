//! Completions, in the shells that they are for.

use std::fs;
use std::path::Path;

use crate::TestResult;
use crate::command::pcm;
use crate::terminal;
use crate::world::World;

/// What a shell shows when Tab was pressed after these, with the program on its path.
fn completed(
    shell: &[&str],
    set_up: &str,
    typed: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    let world = World::new()?;
    let program = Path::new(env!("CARGO_BIN_EXE_pcm-sandbox"));
    let folder = program.parent().ok_or("no folder")?;
    let name = shell.iter().find_map(|word| word.rsplit('/').next()).ok_or("no shell")?;
    let completions = pcm(&["completions", name])?.stdout;
    fs::write(world.path("_pcm-sandbox"), completions)?;
    let set_up = set_up.replace("HERE", &world.path("").display().to_string());
    let begin = format!("PATH={}:$PATH; PS1='rea''dy> '; {set_up}\r", folder.display());
    let mut lines = vec![("", begin)];
    // The prompt as it is shown, not as it is typed.
    lines.extend(typed.iter().map(|text| ("ready> ", format!("{text}\r"))));
    lines.push(("ready> ", "exit\r".to_owned()));
    Ok(terminal::talk_to(&world, shell, &lines)?.stdout)
}

/// Each completes to a command that does something.
const TYPED: [&str; 3] = [
    "pcm-sandbox lim\t | head -n 1",
    "pcm-sandbox --vers\t",
    "pcm-sandbox run --back\twasm -c '6 * 7'",
];

fn check(shown: &str) {
    for seen in ["LIMIT ", "pcm-sandbox 0.", "42\r\n"] {
        assert!(shown.contains(seen), "{seen}: {shown}");
    }
}

#[test]
fn bash_completes_commands_and_options() -> TestResult {
    let set_up = "source HERE/_pcm-sandbox";
    check(&completed(&["/bin/bash", "--norc", "--noprofile", "-i"], set_up, &TYPED)?);
    Ok(())
}

#[test]
fn zsh_completes_commands_and_options() -> TestResult {
    let set_up = "unset zle_bracketed_paste; unsetopt prompt_sp; fpath=(HERE $fpath); autoload -Uz compinit; compinit -u -D";
    check(&completed(&["/bin/zsh", "-f", "-i"], set_up, &TYPED)?);
    Ok(())
}
