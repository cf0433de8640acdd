//! `repl`, with somebody at a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::TestResult;
use crate::command::Ended;
use crate::policy::PAY;
use crate::terminal;
use crate::world::World;

/// A prompt that nothing was typed at yet: what is typed before it is there may be lost.
const PROMPT: &str = ">>> \r\u{1b}[4C";

/// What the terminal showed when these lines were typed, each at a prompt.
fn typed(
    world: &World,
    arguments: &[&str],
    lines: &[&str],
) -> Result<Ended, Box<dyn std::error::Error>> {
    let arguments = [&["repl"], arguments].concat();
    let end = [(PROMPT, ":quit\r".to_owned())];
    let lines = lines.iter().map(|line| (PROMPT, format!("{line}\r"))).chain(end);
    terminal::talk(world, &arguments, &lines.collect::<Vec<_>>())
}

#[test]
fn variables_stay_and_values_are_shown() -> TestResult {
    let world = World::new()?;
    let ended =
        typed(&world, &[], &["x = 40", "x + 2", "None", "'a' 'b'", "print('no end', end='')"])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for shown in ["\n42", "'ab'", "no end\r\n"] {
        assert!(ended.stdout.contains(shown), "{shown}: {ended:?}");
    }
    assert!(!ended.stdout.contains("\nNone"), "{ended:?}");
    Ok(())
}

#[test]
fn a_block_goes_on_until_an_empty_line() -> TestResult {
    let block = "for i in range(2):\r    print('line', i)\r";
    let ended = typed(
        &World::new()?,
        &[],
        &[block, "(1 +\r 1)", "await __import__('asyncio').sleep(0, 7)"],
    )?;
    for shown in ["line 0\r\nline 1\r\n", "\n2\r\n", "\n7\r\n"] {
        assert!(ended.stdout.contains(shown), "{shown}: {ended:?}");
    }
    Ok(())
}

#[test]
fn ctrl_c_stops_the_code_and_not_the_session() -> TestResult {
    let lines = [
        (PROMPT, "x = 42\r".to_owned()),
        (PROMPT, "print('be' + 'gun'); import time; time.sleep(60)\r".to_owned()),
        ("begun", "\u{3}".to_owned()),
        (PROMPT, "x\r".to_owned()),
        (PROMPT, ":quit\r".to_owned()),
    ];
    let ended = terminal::talk(&World::new()?, &["repl"], &lines)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\n42"), "{ended:?}");
    Ok(())
}

#[test]
fn tab_completes_names_of_variables_attributes_and_tools() -> TestResult {
    let world = World::new()?;
    fs::create_dir_all(world.path("base/tools"))?;
    fs::write(world.path("base/tools/pay.yaml"), PAY)?;
    let base = world.path("base").display().to_string();
    let lines = ["wanted = 41", "want\t + 1", "wanted.bit_le\t() + 100", "tools.p\t"];
    let ended = typed(&world, &["--base", &base], &lines)?;
    for shown in ["\n42", "\n106", "tools.pay"] {
        assert!(ended.stdout.contains(shown), "{shown}: {ended:?}");
    }
    Ok(())
}

#[test]
fn tab_completes_what_can_be_imported() -> TestResult {
    let lines = ["import jso\t; json.dumps([41])", "from json import JSONE\t as E; E.__name__"];
    let ended = typed(&World::new()?, &[], &lines)?;
    for shown in ["\n'[41]'", "\n'JSONEncoder'"] {
        assert!(ended.stdout.contains(shown), "{shown}: {ended:?}");
    }
    Ok(())
}

#[test]
fn commands_are_no_python_and_what_was_typed_is_kept_for_its_user_alone() -> TestResult {
    let world = World::new()?;
    let ended =
        typed(&world, &[], &["x = 1", ":reset", "'x' in globals()", ":tools", ":nonsense"])?;
    for shown in ["forgotten", "False", "there are none", "there is no :nonsense"] {
        assert!(ended.stdout.contains(shown), "{shown}: {ended:?}");
    }
    let history = world.path("state/pcm-sandbox/history");
    assert!(fs::read_to_string(&history)?.contains("x = 1"));
    assert_eq!(fs::metadata(&history)?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[test]
fn without_a_terminal_it_says_what_to_use() -> TestResult {
    let ended: Ended = World::new()?.command(&["repl"]).output()?.into();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("pcm-sandbox run"), "{ended:?}");
    Ok(())
}
