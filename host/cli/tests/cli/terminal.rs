//! The command with somebody at a terminal.

use std::process::Command;

use crate::command::Ended;
use crate::world::World;

/// Runs the arguments on a terminal of their own, and types each answer when what it waits for is there.
const DRIVER: &str = r#"
import json, os, pty, select, sys, time

program, answers = sys.argv[1:-1], json.loads(sys.argv[-1])
child, terminal = pty.fork()
if child == 0:
    os.execv(program[0], program)
shown, seen = b"", 0
deadline = time.time() + 50

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
    os.write(terminal, answer.encode())
while time.time() < deadline and read():
    pass
if time.time() >= deadline:
    os.kill(child, 9)
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// What the terminal showed. Each answer is typed when what it waits for was shown since the last one.
pub(crate) fn talk(
    world: &World,
    arguments: &[&str],
    answers: &[(&str, String)],
) -> Result<Ended, Box<dyn std::error::Error>> {
    let program = [&[env!("CARGO_BIN_EXE_pcm-sandbox")], arguments].concat();
    talk_to(world, &program, answers)
}

/// The same with any program, by its absolute path.
pub(crate) fn talk_to(
    world: &World,
    program: &[&str],
    answers: &[(&str, String)],
) -> Result<Ended, Box<dyn std::error::Error>> {
    let mut driver = Command::new("python3");
    driver.args(["-c", DRIVER]).args(program).arg(serde_json::to_string(answers)?);
    driver.env("XDG_STATE_HOME", world.path("state")).env("TERM", "xterm");
    Ok(driver.output()?.into())
}
