//! What a client hears while code runs: progress, if it has asked for that, and output as messages of a
//! log.
#![expect(
    deprecated,
    reason = "clients of all protocols before 2026-07-28 have logs, and show them"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pcm_runtime_api::{Namespace, OutputStream, RunEvent};
use rmcp::model::{
    LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
};
use rmcp::{Peer, RoleServer};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What may wait for a client that reads slowly. What comes on top is not told; the result has the output
/// all the same.
const MOST_QUEUED: usize = 1 << 20;
/// The longest message of progress, in characters.
const MOST_SHOWN: usize = 200;

/// The events of a run that are of interest, as they happen.
#[derive(Debug)]
pub(crate) struct Heard {
    events: mpsc::UnboundedReceiver<RunEvent>,
    queue: Arc<Queue>,
    /// The line of output that goes on, as far as it is shown.
    line: String,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: AtomicUsize,
    left_out: AtomicUsize,
    workflows: AtomicBool,
    artifacts: AtomicBool,
}

impl Queue {
    /// Whether the event is to be told. Notes what it changes.
    fn takes(&self, event: &RunEvent) -> bool {
        let bytes = match event {
            RunEvent::Output { text, .. } => text.len(),
            RunEvent::Progress { message } => message.len(),
            RunEvent::CallStarted { namespace, op, .. } => {
                let is_change = matches!(&**op, "create" | "save" | "delete");
                match namespace {
                    Namespace::Workflows if is_change => {
                        self.workflows.store(true, Ordering::Relaxed);
                    }
                    Namespace::Artifacts if is_change => {
                        self.artifacts.store(true, Ordering::Relaxed);
                    }
                    _ => {}
                }
                op.len()
            }
            _ => return false,
        };
        if self.bytes.load(Ordering::Relaxed) + bytes > MOST_QUEUED {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        true
    }
}

/// A listener for a run, and what it hears.
pub(crate) fn listen() -> (impl Fn(RunEvent) + Send + Sync + 'static, Heard) {
    let (sender, events) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue::default());
    let hears = {
        let queue = Arc::clone(&queue);
        move |event: RunEvent| {
            if queue.takes(&event) {
                // Nobody may be listening any more.
                sender.send(event).ok();
            }
        }
    };
    (hears, Heard { events, queue, line: String::new() })
}

/// What happened since somebody asked last.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Batch {
    /// Text in its order, as few pieces as can be.
    output: Vec<(OutputStream, String)>,
    /// What is going on.
    step: Option<String>,
}

impl Heard {
    /// Waits until something happens. None when the run has ended.
    pub(crate) async fn next(&mut self) -> Option<Batch> {
        let first = self.events.recv().await?;
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(event) = next {
            batch.add(event, &self.queue, &mut self.line);
            next = self.events.try_recv().ok();
        }
        Some(batch)
    }

    /// How many events were not told.
    fn left_out(&self) -> usize {
        self.queue.left_out.load(Ordering::Relaxed)
    }

    /// Whether the code changed workflows, and whether it changed artifacts.
    pub(crate) fn changes(&self) -> (bool, bool) {
        let Queue { workflows, artifacts, .. } = &*self.queue;
        (workflows.load(Ordering::Relaxed), artifacts.load(Ordering::Relaxed))
    }
}

impl Batch {
    fn add(&mut self, event: RunEvent, queue: &Queue, line: &mut String) {
        match event {
            RunEvent::Output { stream, text } => {
                queue.bytes.fetch_sub(text.len(), Ordering::Relaxed);
                self.step = last_line(line, &text).or(self.step.take());
                match self.output.last_mut() {
                    Some((last, before)) if *last == stream => before.push_str(&text),
                    _ => self.output.push((stream, text)),
                }
            }
            RunEvent::Progress { message } => {
                queue.bytes.fetch_sub(message.len(), Ordering::Relaxed);
                self.step = Some(message.chars().take(MOST_SHOWN).collect());
            }
            RunEvent::CallStarted { namespace, op, .. } => {
                queue.bytes.fetch_sub(op.len(), Ordering::Relaxed);
                self.step = Some(format!("{namespace}.{op}").chars().take(MOST_SHOWN).collect());
            }
            _ => {}
        }
    }
}

/// The last line with something in it, where `line` is how far the one has come that `text` goes on with.
fn last_line(line: &mut String, text: &str) -> Option<String> {
    let mut last = None;
    for (index, piece) in text.split('\n').enumerate() {
        if index > 0 {
            line.clear();
        }
        let room = MOST_SHOWN.saturating_sub(line.chars().count());
        line.extend(piece.chars().take(room));
        if !line.trim().is_empty() {
            last = Some(line.clone());
        }
    }
    last
}

/// Tells a client about one request of it.
#[derive(Debug)]
pub(crate) struct Teller {
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
    least: Option<LoggingLevel>,
    began: Instant,
    told: u32,
}

impl Teller {
    /// Tells progress if there is a token, and a log from a level on if there is one.
    pub(crate) fn new(
        peer: Peer<RoleServer>,
        token: Option<ProgressToken>,
        least: Option<LoggingLevel>,
    ) -> Self {
        Self { peer, token, least, began: Instant::now(), told: 0 }
    }

    /// Tells what happened.
    pub(crate) async fn tell(&mut self, batch: Batch) {
        for (stream, text) in batch.output {
            let (level, logger) = match stream {
                OutputStream::Stdout => (LoggingLevel::Info, "stdout"),
                OutputStream::Stderr => (LoggingLevel::Warning, "stderr"),
            };
            self.log(level, logger, text).await;
        }
        if let Some(step) = batch.step {
            self.progress(step).await;
        }
    }

    /// Tells that the run goes on: a client that hears nothing gives it up.
    pub(crate) async fn beat(&mut self) {
        let seconds = Duration::from_secs(self.began.elapsed().as_secs());
        self.progress(format!("running for {seconds:?}")).await;
    }

    /// Tells what was left out, if anything was.
    pub(crate) async fn close(&mut self, heard: &Heard) {
        let left_out = heard.left_out();
        if left_out > 0 {
            let text = format!("{left_out} pieces of output were not told; the result has them");
            self.log(LoggingLevel::Notice, "run_code", text).await;
        }
    }

    async fn progress(&mut self, message: String) {
        let Some(token) = self.token.clone() else { return };
        self.told += 1;
        let progress = ProgressNotificationParam::new(token, f64::from(self.told));
        // A client that is gone hears nothing.
        self.peer.notify_progress(progress.with_message(message)).await.ok();
    }

    async fn log(&self, level: LoggingLevel, logger: &str, text: String) {
        if self.least.is_none_or(|least| severity(level) < severity(least)) {
            return;
        }
        let mut message = LoggingMessageNotificationParam::new(level, text.into());
        message.logger = Some(logger.to_owned());
        self.peer.notify_logging_message(message).await.ok();
    }
}

/// The order of RFC 5424, which the protocol names.
fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn output(stream: OutputStream, text: &str) -> RunEvent {
        RunEvent::Output { stream, text: text.to_owned() }
    }

    #[tokio::test]
    async fn pieces_of_one_stream_are_told_together() {
        let (listener, mut heard) = listen();
        for text in ["a", "b\n", "\n"] {
            listener(output(OutputStream::Stdout, text));
        }
        listener(output(OutputStream::Stderr, "c"));
        listener(RunEvent::CallStarted {
            call: 1,
            namespace: Namespace::Tools,
            op: "call".to_owned(),
        });
        let batch = heard.next().await.unwrap();
        let expected =
            [(OutputStream::Stdout, "ab\n\n".to_owned()), (OutputStream::Stderr, "c".to_owned())];
        assert_eq!(batch.output, expected);
        assert_eq!(batch.step.as_deref(), Some("tools.call"));
        drop(listener);
        assert_eq!(heard.next().await, None);
    }

    #[test]
    fn a_line_is_told_that_comes_in_pieces() {
        let mut line = String::new();
        let told: Vec<_> =
            ["step", " ", "0", "\n", "a\nb\n", "\n"].map(|text| last_line(&mut line, text)).into();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [some("step"), some("step "), some("step 0"), some("step 0"), some("b"), None]
        );
        last_line(&mut line, &"x".repeat(1000));
        assert_eq!(line.len(), MOST_SHOWN);
    }

    #[tokio::test]
    async fn what_nobody_reads_does_not_pile_up() {
        let (listener, mut heard) = listen();
        for _ in 0..3 {
            listener(output(OutputStream::Stdout, &"x".repeat(MOST_QUEUED / 2)));
        }
        assert_eq!(heard.left_out(), 1);
        assert_eq!(heard.next().await.unwrap().output[0].1.len(), MOST_QUEUED);
        listener(output(OutputStream::Stdout, "again"));
        assert_eq!(heard.next().await.unwrap().output[0].1, "again");
    }

    #[test]
    fn what_the_code_changes_is_known() {
        let (listener, heard) = listen();
        let call =
            |namespace, op: &str| RunEvent::CallStarted { call: 1, namespace, op: op.to_owned() };
        listener(call(Namespace::Workflows, "get"));
        assert_eq!(heard.changes(), (false, false));
        listener(call(Namespace::Artifacts, "save"));
        listener(call(Namespace::Workflows, "create"));
        assert_eq!(heard.changes(), (true, true));
    }
}
