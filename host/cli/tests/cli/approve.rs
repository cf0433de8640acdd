//! `run --approve`, with somebody at a terminal.

use std::fs;
use std::process::Command;

use crate::TestResult;
use crate::command::Ended;
use crate::policy::PAY;
use crate::world::World;

/// Runs the arguments on a terminal of their own, and types each answer when its question is there.
const DRIVER: &str = r#"
import json, os, pty, select, sys, time

program, answers = sys.argv[1:-1], json.loads(sys.argv[-1])
child, terminal = pty.fork()
if child == 0:
    os.execv(program[0], program)
shown, seen = b"", 0
deadline = time.time() + 60

def read():
    global shown
    if not select.select([terminal], [], [], 1)[0]:
        return True
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        return False
    shown += piece
    return bool(piece)

for question, answer in answers:
    while question.encode() not in shown[seen:] and time.time() < deadline and read():
        pass
    seen = len(shown)
    os.write(terminal, answer.encode() + b"\n")
while time.time() < deadline and read():
    pass
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

const QUESTION: &str = "allow it?";

/// What the terminal showed for `tools.pay(amount=5000)`.
fn answered(answers: &[(&str, &str)]) -> Result<Ended, Box<dyn std::error::Error>> {
    let world = World::new()?;
    fs::create_dir_all(world.path("base/tools"))?;
    fs::write(world.path("base/tools/pay.yaml"), PAY)?;
    let mut driver = Command::new("python3");
    driver.args(["-c", DRIVER, env!("CARGO_BIN_EXE_pcm-sandbox"), "run", "--approve"]);
    driver.arg("--base").arg(world.path("base")).args(["-c", "tools.pay(amount=5000)"]);
    driver.arg(serde_json::to_string(answers)?);
    Ok(driver.output()?.into())
}

#[test]
fn a_call_is_made_when_somebody_says_yes() -> TestResult {
    let ended = answered(&[(QUESTION, "y")])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("tools.pay wants to be called"), "{ended:?}");
    assert!(ended.stdout.contains("amount = 5000") && ended.stdout.contains("'5000"), "{ended:?}");
    Ok(())
}

#[test]
fn a_call_is_not_made_when_somebody_says_no() -> TestResult {
    let ended = answered(&[(QUESTION, "perhaps"), (QUESTION, "n")])?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("ApprovalRejected"), "{ended:?}");
    Ok(())
}

#[test]
fn arguments_can_be_edited() -> TestResult {
    let json = "as JSON:";
    let edits = [(QUESTION, "e"), (json, "[7]"), (QUESTION, "e"), (json, r#"{"amount": 7}"#)];
    let ended = answered(&edits)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("that is no object") && ended.stdout.contains("'7"), "{ended:?}");
    Ok(())
}
