//! Asking the person at the terminal whether a call may be made.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::thread;

use async_trait::async_trait;
use pcm_sandbox::middleware::{ApprovalRequest, Approver, Outcome};
use pcm_sandbox::{Payload, Value};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::exit::Failure;
use super::output::escape_controls;

const TERMINAL: &str = "/dev/tty";
/// The longest value that is shown whole.
const MOST_SHOWN: usize = 2000;
const MOST_LINES: usize = 40;

/// Asks one call after the other, on the terminal and not on the standard streams: those may be the
/// code and its output.
#[derive(Debug)]
pub(crate) struct Terminal(Mutex<Lines>);

#[derive(Debug)]
struct Lines {
    writes: File,
    typed: UnboundedReceiver<String>,
}

impl Terminal {
    pub(crate) fn open() -> Result<Self, Failure> {
        let no_terminal = |error| {
            Failure::usage(format!(
                "there is no terminal to ask on ({error}): leave --approve out, or let the policy \
                 decide"
            ))
        };
        let writes = OpenOptions::new().write(true).open(TERMINAL).map_err(no_terminal)?;
        let reads = BufReader::new(File::open(TERMINAL).map_err(no_terminal)?);
        let (send, typed) = unbounded_channel();
        // On a thread of its own: nothing ends the wait for a line.
        thread::spawn(move || {
            for line in reads.lines() {
                if line.map_or(true, |line| send.send(line).is_err()) {
                    break;
                }
            }
        });
        Ok(Self(Mutex::new(Lines { writes, typed })))
    }
}

#[async_trait]
impl Approver for Terminal {
    async fn decide(&self, request: &ApprovalRequest) -> Outcome {
        let mut lines = self.0.lock().await;
        while lines.typed.try_recv().is_ok() {} // typed before the question
        if lines.say(&question(request)).is_err() {
            return nobody();
        }
        loop {
            let Some(line) = lines.ask("allow it? [y]es, [n]o, [e]dit the arguments: ").await
            else {
                return nobody();
            };
            match line.trim().to_lowercase().as_str() {
                "y" | "yes" => return Outcome::Approve,
                "n" | "no" => return Outcome::Reject("the user said no".to_owned()),
                "e" | "edit" => match lines.ask("the arguments as JSON: ").await {
                    None => return nobody(),
                    Some(text) => match edited(&text) {
                        Ok(args) => return Outcome::ApproveWith(args),
                        Err(wrong) => drop(lines.say(&wrong)),
                    },
                },
                _ => {}
            }
        }
    }
}

impl Lines {
    fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.writes.write_all(escape_controls(text).as_bytes())?;
        self.writes.flush()
    }

    async fn ask(&mut self, prompt: &str) -> Option<String> {
        self.say(prompt).ok()?;
        self.typed.recv().await
    }
}

fn nobody() -> Outcome {
    Outcome::Reject("nobody answers at the terminal".to_owned())
}

/// What is asked, in lines for a person. The model chose the arguments.
fn question(request: &ApprovalRequest) -> String {
    let mut lines = vec![String::new(), format!("{} wants to be called", request.name)];
    if let Value::Object(args) = &request.args.value {
        let line = |(name, value): (&String, &Value)| format!("  {name} = {}", shown(value));
        lines.extend(args.iter().take(MOST_LINES).map(line));
        if args.len() > MOST_LINES {
            lines.push(format!("  … and {} more arguments", args.len() - MOST_LINES));
        }
    }
    lines.extend(request.rule.iter().map(|rule| format!("  asked for by rule {rule}")));
    lines.extend(request.reason.iter().map(|reason| format!("  because {reason}")));
    lines.join("\n") + "\n"
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => {
            format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len())
        }
        None => text,
    }
}

fn edited(text: &str) -> Result<Payload, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(args @ Value::Object(_)) => Ok(args.into()),
        Ok(_) => Err("that is no object such as {\"url\": \"…\"}\n".to_owned()),
        Err(error) => Err(format!("that is no JSON: {error}\n")),
    }
}

#[cfg(test)]
mod tests {
    use pcm_sandbox::json;

    use super::*;

    #[test]
    fn edited_arguments_are_an_object() {
        assert_eq!(edited(r#"{"a": 1}"#), Ok(json!({"a": 1}).into()));
        assert!(edited("[1]").is_err());
        assert!(edited("{").is_err());
    }

    #[test]
    fn long_values_are_cut_where_a_character_ends() {
        assert!(shown(&json!("é".repeat(5000))).ends_with("… (10002 bytes)"));
        assert_eq!(shown(&json!({"a": "b"})), r#"{"a":"b"}"#);
    }
}
