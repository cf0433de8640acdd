//! `run --approve`, with somebody at a terminal.

use std::fs;

use crate::TestResult;
use crate::command::Ended;
use crate::policy::PAY;
use crate::terminal;
use crate::world::World;

const QUESTION: &str = "allow it?";

/// What the terminal showed for `tools.pay(amount=5000)`.
fn answered(answers: &[(&str, &str)]) -> Result<Ended, Box<dyn std::error::Error>> {
    let world = World::new()?;
    fs::create_dir_all(world.path("base/tools"))?;
    fs::write(world.path("base/tools/pay.yaml"), PAY)?;
    let base = world.path("base").display().to_string();
    let run = ["run", "--approve", "--base", &base, "-c", "tools.pay(amount=5000)"];
    let lines: Vec<_> =
        answers.iter().map(|(question, answer)| (*question, format!("{answer}\n"))).collect();
    terminal::talk(&world, &run, &lines)
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
