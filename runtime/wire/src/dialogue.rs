//! Who may say what, and when.

use std::collections::BTreeMap;

use pcm_runtime_api::{Limits, RunEvent, SessionState};

use crate::{Bounds, News, Order, ProtocolError};

/// How many times the text that a run may keep it may stream: what is no UTF-8 becomes longer.
const STREAMED: u64 = 3;
/// What says that text was dropped.
const MARKER: u64 = 4096;
/// The longest name of an operation; the same as where a guest's own requests are read.
const LONGEST_OP: usize = 64;
/// The most rich results of a run; the same as where a guest's own are taken.
const MAX_BUNDLES: u64 = 1000;
/// The calls that may wait for their answers: those that a guest can have, and some on their way.
const MAX_OPEN: usize = 256;
/// How many times the most that one call takes all that wait may take together.
const HELD: u64 = 2;

/// The host's side of the talk with one worker. What the worker says goes through
/// [`hear`](Self::hear) before anything is done about it.
#[derive(Debug)]
pub struct Dialogue {
    stage: Stage,
    /// The last number of a call: every further one is larger.
    last_call: u64,
    /// The calls that were not answered, and what each takes.
    open: BTreeMap<u64, u64>,
    /// The calls that the worker did not give up so far, answered or not.
    wanted: u64,
    /// What the run may still do.
    left: Left,
    limits: Limits,
    /// The longest file or state that is waited for.
    expected_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Warming,
    Idle,
    Working,
    Running,
}

#[derive(Debug, Default)]
struct Left {
    calls: u64,
    streamed: u64,
    bundles: u64,
    /// What they may take.
    shown: u64,
    hears: bool,
}

impl Default for Dialogue {
    fn default() -> Self {
        Self {
            stage: Stage::Starting,
            last_call: 0,
            open: BTreeMap::new(),
            wanted: 0,
            left: Left::default(),
            limits: Limits::default(),
            expected_bytes: 0,
        }
    }
}

impl Dialogue {
    /// The longest thing that the worker can say now.
    pub fn bounds(&self) -> Bounds {
        match self.stage {
            Stage::Starting | Stage::Warming | Stage::Idle => News::GREETING,
            Stage::Working => Bounds { bytes: self.expected_bytes, ..News::GREETING },
            Stage::Running => News::bounds(&self.limits),
        }
    }

    /// Whether the worker waits for an order.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// The host gives an order, of the answer to which it takes at most so many bytes.
    pub fn tell(&mut self, order: &Order, expected_bytes: u64) {
        match order {
            Order::Run(running) => {
                let limits = running.limits.clone();
                self.left = Left {
                    calls: limits.tool_calls,
                    streamed: longest_output(&limits),
                    bundles: MAX_BUNDLES,
                    shown: News::longest_call(&limits).saturating_mul(HELD),
                    hears: running.events,
                };
                (self.stage, self.limits) = (Stage::Running, limits);
            }
            Order::Reply { call, .. } => {
                self.open.remove(call);
            }
            Order::Interrupt | Order::AddFuel(_) => {}
            _ => (self.stage, self.expected_bytes) = (Stage::Working, expected_bytes),
        }
    }

    /// Whether the call still waits for its answer.
    pub fn waits(&self, call: u64) -> bool {
        self.open.contains_key(&call)
    }

    /// The calls that the run made so far.
    pub fn calls(&self) -> u64 {
        self.limits.tool_calls - self.left.calls
    }

    /// The worker says something, whose values take so many bytes here: see `json_cost`.
    pub fn hear(&mut self, news: &News, cost: u64) -> Result<(), ProtocolError> {
        match (self.stage, news) {
            (Stage::Starting, News::Hello { .. }) => self.stage = Stage::Warming,
            // Whatever it was doing, it does no more.
            (Stage::Warming, News::Progress(_)) | (_, News::Failed(_)) => {}
            (Stage::Warming, News::Ready) | (Stage::Working, News::Done { .. }) => {
                self.stage = Stage::Idle;
            }
            (Stage::Running, News::Call { call, op, .. }) => self.hear_call(*call, op, cost)?,
            (Stage::Running, News::Cancel { call }) => {
                // The answer may be on its way: then it was the host who was too fast.
                if *call > self.last_call {
                    return Err(ProtocolError::Number { what: news.name(), call: *call });
                }
                let wanted = self.wanted.checked_sub(1);
                self.wanted = wanted.ok_or(ProtocolError::TooMany("calls given up"))?;
                self.open.remove(call);
            }
            (Stage::Running, News::Event(event)) => self.hear_event(event, cost)?,
            (Stage::Running, News::Ran { result, .. }) => {
                let longest = longest_output(&self.limits);
                if (result.stdout.len() + result.stderr.len()) as u64 > longest {
                    return Err(ProtocolError::TooMany("output"));
                }
                if result.display.len() as u64 > MAX_BUNDLES {
                    return Err(ProtocolError::TooMany("rich results"));
                }
                if result.session == SessionState::Lost {
                    return Err(self.out_of_turn("that its session is lost"));
                }
                self.open.clear();
                self.stage = Stage::Idle;
            }
            _ => return Err(self.out_of_turn(news.name())),
        }
        Ok(())
    }

    fn hear_call(&mut self, call: u64, op: &str, cost: u64) -> Result<(), ProtocolError> {
        if call <= self.last_call {
            return Err(ProtocolError::Number { what: "a call", call });
        }
        if op.len() > LONGEST_OP {
            return Err(ProtocolError::Malformed(
                "the name of an operation is too long".to_owned(),
            ));
        }
        self.left.calls = self.left.calls.checked_sub(1).ok_or(ProtocolError::TooMany("calls"))?;
        let most = News::longest_call(&self.limits);
        if cost > most {
            return Err(ProtocolError::TooManyParts { cost, most });
        }
        let held = self.open.values().fold(cost, |sum, cost| sum.saturating_add(*cost));
        if self.open.len() >= MAX_OPEN || held > most.saturating_mul(HELD) {
            return Err(ProtocolError::TooMany("calls that wait"));
        }
        self.last_call = call;
        self.wanted = self.wanted.saturating_add(1);
        self.open.insert(call, cost);
        Ok(())
    }

    fn hear_event(&mut self, event: &RunEvent, cost: u64) -> Result<(), ProtocolError> {
        if !self.left.hears {
            return Err(self.out_of_turn("what happens, which nobody hears,"));
        }
        match event {
            RunEvent::Output { text, .. } => {
                // Nothing costs something: else there might be any number of it.
                let left = self.left.streamed.checked_sub((text.len() as u64).max(1));
                self.left.streamed = left.ok_or(ProtocolError::TooMany("output"))?;
            }
            RunEvent::Display { .. } => {
                let left = self.left.bundles.checked_sub(1);
                self.left.bundles = left.ok_or(ProtocolError::TooMany("rich results"))?;
                let left = self.left.shown.checked_sub(cost);
                self.left.shown = left.ok_or(ProtocolError::TooMany("rich results"))?;
            }
            // The host sees the calls itself, and nothing else happens in a worker.
            _ => return Err(self.out_of_turn("what it cannot know")),
        }
        Ok(())
    }

    fn out_of_turn(&self, what: &'static str) -> ProtocolError {
        let stage = match self.stage {
            Stage::Starting => "starting",
            Stage::Warming => "getting ready",
            Stage::Idle => "idle",
            Stage::Working => "working",
            Stage::Running => "running code",
        };
        ProtocolError::OutOfTurn { what, stage }
    }
}

/// The most text that a run with these limits gives or streams.
fn longest_output(limits: &Limits) -> u64 {
    limits.output_bytes.saturating_mul(STREAMED).saturating_add(MARKER)
}

#[cfg(test)]
mod tests {
    use pcm_runtime_api::{ExecutionResult, Namespace, OutputStream, Payload};

    use super::*;
    use crate::{Answer, Running};

    type Heard = Result<(), ProtocolError>;

    fn hello() -> News {
        News::Hello { version: String::new(), jail: serde_json::Value::Null }
    }

    fn call(call: u64) -> News {
        let (namespace, op) = (Namespace::Tools, "call".to_owned());
        News::Call { call, namespace, op, args: Payload::default() }
    }

    fn ran() -> News {
        News::Ran { result: Box::new(ExecutionResult::new("")), fuel: None }
    }

    fn done() -> News {
        News::Done { answer: Ok(Answer::Done), fuel: None }
    }

    fn output(text: &str) -> News {
        News::Event(RunEvent::Output { stream: OutputStream::Stdout, text: text.to_owned() })
    }

    fn idle() -> Result<Dialogue, ProtocolError> {
        let mut dialogue = Dialogue::default();
        dialogue.hear(&hello(), 1)?;
        dialogue.hear(&News::Ready, 1)?;
        Ok(dialogue)
    }

    fn running(limits: Limits, events: bool) -> Result<Dialogue, ProtocolError> {
        let mut dialogue = idle()?;
        dialogue.tell(&Order::Run(Box::new(Running { limits, repr: false, events })), 0);
        Ok(dialogue)
    }

    #[test]
    fn a_run_calls_and_ends() -> Heard {
        let mut dialogue = running(Limits::default(), true)?;
        dialogue.hear(&call(1), 1)?;
        dialogue.hear(&call(5), 1)?;
        assert!(dialogue.waits(1) && dialogue.waits(5) && !dialogue.waits(2));
        let answer = Ok(Payload::default());
        dialogue.tell(&Order::Reply { call: 1, answer }, 0);
        dialogue.hear(&News::Cancel { call: 1 }, 1)?;
        dialogue.hear(&News::Cancel { call: 5 }, 1)?;
        let again = dialogue.hear(&News::Cancel { call: 5 }, 1);
        assert_eq!(again, Err(ProtocolError::TooMany("calls given up")));
        dialogue.hear(&output("text"), 1)?;
        assert_eq!(dialogue.calls(), 2);
        dialogue.hear(&ran(), 1)?;
        assert!(dialogue.is_idle());
        Ok(())
    }

    #[test]
    fn nothing_is_said_out_of_turn() -> Heard {
        let all = [hello(), News::Ready, done(), call(9), output(""), ran()];
        let refused = |dialogue: fn() -> Result<Dialogue, ProtocolError>| {
            let tried = all.iter().map(|news| Ok(dialogue()?.hear(news, 1).is_err()));
            tried.collect::<Result<Vec<_>, ProtocolError>>()
        };
        assert_eq!(refused(|| Ok(Dialogue::default()))?, [false, true, true, true, true, true]);
        assert_eq!(refused(idle)?, [true; 6]);
        let run = || running(Limits::default(), true);
        assert_eq!(refused(run)?, [true, true, true, false, false, false]);
        let quiet = || running(Limits::default(), false);
        assert_eq!(refused(quiet)?, [true, true, true, false, true, false]);
        let working = || {
            let mut dialogue = idle()?;
            dialogue.tell(&Order::Checkpoint, 0);
            Ok(dialogue)
        };
        assert_eq!(refused(working)?, [true, true, false, true, true, true]);
        Ok(())
    }

    #[test]
    fn numbers_are_used_once() -> Heard {
        let mut dialogue = running(Limits::default(), false)?;
        dialogue.hear(&call(3), 1)?;
        for number in [0, 2, 3] {
            assert!(matches!(dialogue.hear(&call(number), 1), Err(ProtocolError::Number { .. })));
        }
        assert!(dialogue.hear(&News::Cancel { call: 4 }, 1).is_err());
        dialogue.hear(&ran(), 1)?;
        assert!(!dialogue.waits(3), "the run is over");
        Ok(())
    }

    #[test]
    fn calls_that_wait_are_bounded_in_number_and_size() -> Heard {
        let mut dialogue = running(Limits::default(), false)?;
        for number in 1..=MAX_OPEN as u64 {
            dialogue.hear(&call(number), 1)?;
        }
        let waits = Err(ProtocolError::TooMany("calls that wait"));
        assert_eq!(dialogue.hear(&call(1000), 1), waits);
        let mut dialogue = running(Limits::default(), false)?;
        let most = News::longest_call(&Limits::default());
        dialogue.hear(&call(1), most)?;
        dialogue.hear(&call(2), most)?;
        assert_eq!(dialogue.hear(&call(3), 1), waits);
        let mut dialogue = running(Limits::default(), false)?;
        let more = dialogue.hear(&call(1), most + 1);
        assert!(matches!(more, Err(ProtocolError::TooManyParts { .. })));
        Ok(())
    }

    #[test]
    fn a_run_has_so_many_calls_and_so_much_output() -> Heard {
        let limits = Limits { tool_calls: 2, output_bytes: 10, ..Limits::default() };
        let mut dialogue = running(limits.clone(), true)?;
        dialogue.hear(&call(1), 1)?;
        dialogue.hear(&call(2), 1)?;
        assert_eq!(dialogue.hear(&call(3), 1), Err(ProtocolError::TooMany("calls")));
        dialogue.hear(&output(&"x".repeat(4000)), 1)?;
        let more = dialogue.hear(&output(&"x".repeat(4000)), 1);
        assert_eq!(more, Err(ProtocolError::TooMany("output")));
        let mut dialogue = running(limits, true)?;
        let result = ExecutionResult { stdout: "x".repeat(5000), ..ExecutionResult::new("") };
        let ran = News::Ran { result: Box::new(result), fuel: None };
        assert_eq!(dialogue.hear(&ran, 1), Err(ProtocolError::TooMany("output")));
        Ok(())
    }

    #[test]
    fn limits_that_are_none_are_no_overflow() -> Heard {
        let limits =
            Limits { output_bytes: u64::MAX, host_call_bytes: u64::MAX, ..Limits::default() };
        let mut dialogue = running(limits, true)?;
        dialogue.hear(&call(1), 1)?;
        let result = ExecutionResult { stdout: "x".repeat(9000), ..ExecutionResult::new("") };
        dialogue.hear(&News::Ran { result: Box::new(result), fuel: None }, 1)
    }
}
