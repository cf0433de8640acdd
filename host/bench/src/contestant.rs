//! Whoever is measured: a program that speaks the protocol, and how it is spoken to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::protocol::{Hello, LONGEST_LINE, ProcessSpec, Reply, Request};

/// Which side a contestant is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A backend of ours.
    Backend,
    /// What it is compared with.
    Peer,
}

/// Whoever is to be measured.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// Its name on the command line and in records.
    pub key: String,
    /// Which side it is on.
    pub kind: Kind,
    /// The program that drives it and its arguments, or why it cannot take part.
    pub driver: Result<Vec<OsString>, String>,
    /// What the driver's environment has besides.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether its work is done by processes that are not below its driver, as those of an engine.
    pub works_elsewhere: bool,
}

impl Contestant {
    fn command(&self, words: &[OsString]) -> Option<Command> {
        let (program, arguments) = words.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Options of this command are not meant for what it measures.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PCM_") {
                command.env_remove(name);
            }
        }
        Some(command)
    }
}

/// A driver that runs.
#[derive(Debug)]
pub(crate) struct Driver {
    name: String,
    process: Ended,
    replies: Receiver<Vec<u8>>,
    said: Arc<Mutex<VecDeque<u8>>>,
    pub(crate) hello: Hello,
}

impl Driver {
    /// Starts it and asks who it is.
    pub(crate) fn start(contestant: &Contestant, patience: Duration) -> Result<Self, BenchError> {
        let name = contestant.key.clone();
        let words = match &contestant.driver {
            Ok(words) => words,
            Err(reason) => return Err(BenchError::Failed { reason: reason.clone() }),
        };
        let nothing = || protocol(&name, "there is no program");
        let mut command = contestant.command(words).ok_or_else(nothing)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |source| BenchError::Start { contestant: name.clone(), source };
        let mut process = Ended(command.spawn().map_err(failed)?);
        let (Some(output), Some(errors)) = (process.0.stdout.take(), process.0.stderr.take())
        else {
            return Err(protocol(&name, "there are no pipes"));
        };
        let (sender, replies) = sync_channel(1);
        thread::spawn(move || read_lines(output, &sender));
        let said = Arc::default();
        let keeps = Arc::clone(&said);
        thread::spawn(move || keep_end(errors, &keeps));
        let mut driver = Self { name, process, replies, said, hello: Hello::default() };
        let reply = driver.ask(&Request::Hello, patience)?;
        driver.hello = reply.hello.ok_or_else(|| protocol(&driver.name, "no word of who it is"))?;
        Ok(driver)
    }

    /// Its process, below which are all others that it has.
    pub(crate) fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// Asks, and waits for the reply.
    pub(crate) fn ask(
        &mut self,
        request: &Request,
        patience: Duration,
    ) -> Result<Reply, BenchError> {
        let broken =
            |reason: String| BenchError::Protocol { contestant: self.name.clone(), reason };
        let mut line = serde_json::to_vec(request).map_err(|error| broken(error.to_string()))?;
        line.push(b'\n');
        let requests = self.process.0.stdin.as_mut();
        if requests.is_none_or(|requests| requests.write_all(&line).is_err()) {
            return Err(self.ended());
        }
        let line = match self.replies.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => {
                // It hears no more of what it would have to end for.
                let _ = self.process.0.kill();
                let contestant = self.name.clone();
                return Err(BenchError::TooLong { contestant, patience });
            }
        };
        let reply: Reply =
            serde_json::from_slice(&line).map_err(|error| broken(error.to_string()))?;
        match reply.error {
            Some(reason) => Err(BenchError::Failed { reason }),
            None => Ok(reply),
        }
    }

    fn ended(&mut self) -> BenchError {
        // What it said last may still be on its way.
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        thread::sleep(Duration::from_millis(20));
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<u8> = said.iter().copied().collect();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let last = said.lines().last().unwrap_or("it said nothing").to_owned();
        BenchError::Ended { contestant: self.name.clone(), said: last }
    }
}

fn protocol(name: &str, reason: &str) -> BenchError {
    BenchError::Protocol { contestant: name.to_owned(), reason: reason.to_owned() }
}

/// Hands on lines until there are no more, or one is too long.
fn read_lines(output: impl Read, lines: &SyncSender<Vec<u8>>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let read = output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || !line.ends_with(b"\n") || lines.send(line).is_err() {
            return;
        }
    }
}

/// Keeps the last of what is said, for a message.
fn keep_end(mut errors: impl Read, said: &Mutex<VecDeque<u8>>) {
    const KEPT: usize = 4096;
    let mut part = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut part) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(part.get(..read).unwrap_or_default());
        let more = said.len().saturating_sub(KEPT);
        said.drain(..more);
    }
}

/// How long it takes from the start of a program until it has printed a line with its result.
pub(crate) fn process_start(
    contestant: &Contestant,
    spec: &ProcessSpec,
    patience: Duration,
) -> Result<Duration, BenchError> {
    let name = &contestant.key;
    let words: Vec<OsString> = spec.argv.iter().map(OsString::from).collect();
    let nothing = || protocol(name, "there is no program");
    let mut command = contestant.command(&words).ok_or_else(nothing)?;
    command.envs(&spec.env).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let failed = |source| BenchError::Start { contestant: name.clone(), source };
    let begin = Instant::now();
    let mut process = Ended(command.spawn().map_err(failed)?);
    let mut input = process.0.stdin.take();
    if let Some(input) = &mut input {
        // A program that needs nothing may be gone already.
        let _ = input.write_all(spec.input.as_bytes());
    }
    let Some(output) = process.0.stdout.take() else { return Err(protocol(name, "no pipe")) };
    let (sender, lines) = sync_channel(1);
    thread::spawn(move || read_lines(output, &sender));
    let mut last = Vec::new();
    loop {
        match lines.recv_timeout(patience.saturating_sub(begin.elapsed())) {
            Ok(line) if holds(&line, &spec.expect) => return Ok(begin.elapsed()),
            Ok(line) => last = line,
            Err(RecvTimeoutError::Timeout) => {
                return Err(BenchError::TooLong { contestant: name.clone(), patience });
            }
            Err(RecvTimeoutError::Disconnected) => {
                let said = String::from_utf8_lossy(&last).trim().to_owned();
                let said = format!("without its result; the last it printed is {said:?}");
                return Err(BenchError::Ended { contestant: name.clone(), said });
            }
        }
    }
}

fn holds(line: &[u8], expected: &str) -> bool {
    String::from_utf8_lossy(line).contains(expected)
}

/// A process that is gone when this is: by itself, as soon as it has nothing more to read, or else killed.
#[derive(Debug)]
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        const GRACE: Duration = Duration::from_secs(2);
        // A driver takes with it what it has started, if it is let.
        drop(self.0.stdin.take());
        let begin = Instant::now();
        while begin.elapsed() < GRACE {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Contestant {
        Contestant {
            key: "fake".to_owned(),
            kind: Kind::Peer,
            driver: Ok(["sh", "-c", script].map(OsString::from).to_vec()),
            environment: Vec::new(),
            works_elsewhere: false,
        }
    }

    const HELLO: &str =
        r#"read line; echo '{"hello":{"name":"Fake","version":"1","scenarios":[]}}';"#;

    #[test]
    fn a_driver_that_ends_is_told_with_its_last_words() {
        let ended = Driver::start(&shell("echo first >&2; echo 'no module' >&2"), PATIENCE);
        let told = ended.err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("the driver of fake ended: no module"));
    }

    #[test]
    fn a_driver_answers_and_may_refuse() -> Result<(), BenchError> {
        let script = format!(
            r#"{HELLO} read line; echo '{{"samples":[1.5]}}'; read line; echo '{{"error":"no"}}'"#
        );
        let mut driver = Driver::start(&shell(&script), PATIENCE)?;
        assert_eq!(driver.hello.name, "Fake");
        let reply = driver.ask(&Request::Batch { count: 1 }, PATIENCE)?;
        assert_eq!(reply.samples, Some(vec![1.5]));
        let refused = driver.ask(&Request::End, PATIENCE).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("no"));
        Ok(())
    }

    #[test]
    fn a_driver_that_says_nonsense_or_nothing_is_no_obstacle() -> Result<(), BenchError> {
        let nonsense = Driver::start(&shell("echo hello; sleep 60"), PATIENCE);
        assert!(matches!(nonsense, Err(BenchError::Protocol { .. })), "{nonsense:?}");
        let mut silent = Driver::start(&shell(&format!("{HELLO} exec sleep 60")), PATIENCE)?;
        let late = silent.ask(&Request::End, Duration::from_millis(50));
        assert!(matches!(late, Err(BenchError::TooLong { .. })), "{late:?}");
        let none = Contestant { driver: Err("it is not here".to_owned()), ..shell("") };
        let none = Driver::start(&none, PATIENCE).err().map(|error| error.to_string());
        assert_eq!(none.as_deref(), Some("it is not here"));
        Ok(())
    }

    #[test]
    fn the_first_result_of_a_process_is_the_line_with_it() -> Result<(), BenchError> {
        let spec = |script: &str| ProcessSpec {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            input: "2\n".to_owned(),
            expect: "result 2".to_owned(),
            ..ProcessSpec::default()
        };
        let contestant = shell("");
        process_start(&contestant, &spec("read it; echo begin; echo result $it"), PATIENCE)?;
        let wrong = process_start(&contestant, &spec("echo result 3"), PATIENCE);
        assert!(matches!(wrong, Err(BenchError::Ended { .. })), "{wrong:?}");
        Ok(())
    }
}
