//! What a run shows, in the format that was asked for.

use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};

use pcm_sandbox::{ErrorKind, ExecutionError, ExecutionResult, OutputStream, RunEvent};
use serde::Serialize;

use super::join::join;
use super::output::{self, Stream, Streams};

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// What the code prints, as it comes, and then the value of its last expression
    Text,
    /// One object at the end, and nothing else
    Json,
    /// One object per line: what happens, as it happens, and the result of each code
    Jsonl,
}

enum Message {
    Event(RunEvent),
    Result { result: Box<ExecutionResult>, last: bool },
    Settle(Sender<()>),
    End,
}

/// Writes on a thread of its own: whoever reads slowly must not keep the sandbox from watching its
/// clock. What waits to be written is bounded by the limits on output and on calls.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
    messages: Sender<Message>,
    thread: JoinHandle<()>,
}

impl Printer {
    /// Begins to write to the standard streams.
    pub(crate) fn start(format: Format) -> Self {
        let (messages, received) = mpsc::channel();
        let page = Page { format, streams: Streams::standard(), results: Vec::new() };
        let thread = thread::spawn(move || page.write(&received));
        Self { format, messages, thread }
    }

    /// Whether [`result`](Self::result) needs the `repr` of the last value.
    pub(crate) fn shows_repr(&self) -> bool {
        self.format == Format::Text
    }

    /// Takes the events of a run; None where they are not shown.
    pub(crate) fn listener(&self) -> Option<impl Fn(RunEvent) + Send + Sync + 'static> {
        let messages = self.messages.clone();
        let format = self.format;
        (format != Format::Json).then_some(move |event| {
            let is_output = matches!(event, RunEvent::Output { .. } | RunEvent::Display { .. });
            if is_output || format == Format::Jsonl {
                drop(messages.send(Message::Event(event)));
            }
        })
    }

    /// Takes the result of a run, the last one or not.
    pub(crate) fn result(&self, result: ExecutionResult, last: bool) {
        drop(self.messages.send(Message::Result { result: Box::new(result), last }));
    }

    /// Waits until what was taken so far is written.
    pub(crate) fn settle(&self) {
        let (settled, is_settled) = mpsc::channel();
        drop(self.messages.send(Message::Settle(settled)));
        let _ = is_settled.recv(); // who writes has ended, then
    }

    /// Waits until everything is written.
    pub(crate) fn finish(self) {
        drop(self.messages.send(Message::End));
        drop(self.thread.join());
    }
}

struct Page {
    format: Format,
    streams: Streams,
    /// Kept for the end where all of them become one.
    results: Vec<ExecutionResult>,
}

impl Page {
    fn write(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match messages.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.streams.flush();
                    match messages.recv() {
                        Ok(message) => message,
                        Err(_) => break,
                    }
                }
            };
            match message {
                Message::Event(event) => self.event(&event),
                Message::Result { result, last } => self.result(*result, last),
                Message::Settle(settled) => {
                    self.streams.end_line(Stream::Out);
                    self.streams.end_line(Stream::Err);
                    self.streams.flush();
                    let _ = settled.send(()); // somebody waits for it
                }
                Message::End => break,
            }
        }
        if let Some(result) = join(self.results.drain(..)) {
            self.line(&result);
        }
        self.streams.flush();
    }

    fn event(&mut self, event: &RunEvent) {
        if self.format != Format::Text {
            return self.line(event);
        }
        match event {
            RunEvent::Output { stream: OutputStream::Stdout, text } => {
                self.streams.write_text(Stream::Out, text);
            }
            RunEvent::Output { stream: OutputStream::Stderr, text } => {
                self.streams.write_text(Stream::Err, text);
            }
            RunEvent::Display { bundle } => {
                // The value of the run has no plain form here: its repr follows.
                if let Some(text) = bundle.get("text/plain").and_then(|form| form.as_str()) {
                    self.streams.write_text(Stream::Out, text);
                    self.streams.write_own(Stream::Out, "\n");
                }
            }
            _ => {}
        }
    }

    fn result(&mut self, result: ExecutionResult, last: bool) {
        match self.format {
            Format::Json => self.results.push(result),
            Format::Jsonl => self.line(&ResultLine { event: "result", result: &result }),
            Format::Text => match (&result.error, &result.value_repr) {
                (Some(error), _) => self.error(error),
                (None, Some(repr)) if last => {
                    self.streams.end_line(Stream::Out);
                    self.streams.write_text(Stream::Out, repr);
                    self.streams.write_own(Stream::Out, "\n");
                }
                _ => {}
            },
        }
    }

    fn error(&mut self, error: &ExecutionError) {
        self.streams.end_line(Stream::Out);
        self.streams.end_line(Stream::Err);
        let of_code =
            matches!(error.kind, ErrorKind::Exception | ErrorKind::Syntax | ErrorKind::Denied);
        if of_code && !error.traceback.is_empty() {
            self.streams.write_text(Stream::Err, &error.traceback);
        } else {
            // Where it was when it was stopped.
            self.streams.write_text(Stream::Err, &error.traceback);
            self.streams.end_line(Stream::Err);
            let label = output::error_label(self.streams.is_terminal(Stream::Err));
            self.streams.write_own(Stream::Err, &label);
            let message = match &error.limit {
                _ if of_code => error.to_string(),
                Some(hit) => hit.to_string(),
                None => error.message.clone(),
            };
            self.streams.write_text(Stream::Err, &message);
        }
        self.streams.end_line(Stream::Err);
    }

    fn line(&mut self, object: &impl Serialize) {
        match serde_json::to_string(object) {
            Ok(text) => self.streams.write_text(Stream::Out, &(text + "\n")),
            Err(error) => {
                self.streams
                    .write_own(Stream::Err, &format!("error: cannot write JSON: {error}\n"));
            }
        }
    }
}

/// The line that ends a code in JSON lines.
#[derive(Serialize)]
struct ResultLine<'a> {
    event: &'static str,
    #[serde(flatten)]
    result: &'a ExecutionResult,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_a_result_with_a_name() -> Result<(), serde_json::Error> {
        let result = ExecutionResult::new("wasm");
        let line = serde_json::to_value(ResultLine { event: "result", result: &result })?;
        assert_eq!(line["event"], "result");
        assert_eq!(line["is_ok"], true);
        assert_eq!(serde_json::from_value::<ExecutionResult>(line)?, result);
        Ok(())
    }
}
