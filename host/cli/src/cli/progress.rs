//! How far something is, on standard error.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::output::{Stream, Streams, escape_controls};

/// What is done sooner needs no words.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a line that waits is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Tells every step, with the seconds that have passed.
#[cfg(any(feature = "container", feature = "wasm"))]
pub(crate) fn with_seconds() -> impl Fn(&str) + Send + Sync + 'static {
    let began = std::time::Instant::now();
    move |step| say(&format!("{:6.1} s  {step}\n", began.elapsed().as_secs_f64()))
}

/// Tells what is being done from the moment on that it takes long: where a person looks, by a line that
/// says how long already and goes away in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_long: bool,
    /// What was begun last, and not told.
    step: Option<String>,
    line: Option<ProgressBar>,
}

impl State {
    fn tell(&mut self, step: &str) {
        match &self.line {
            Some(line) => line.set_message(escape_controls(step).into_owned()),
            None => say(&format!("{step}\n")),
        }
    }
}

impl Waiting {
    /// Takes the steps.
    pub(crate) fn listener(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let waiting = self.clone();
        move |step| {
            let mut state = waiting.lock();
            if state.is_long {
                state.tell(step);
            } else {
                state.step = Some(step.to_owned());
            }
        }
    }

    /// Does the work that gives the steps.
    pub(crate) async fn during<Work: Future>(&self, work: Work) -> Work::Output {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(PATIENCE) => {}
        }
        self.begin_line();
        if let Some(step) = self.tell_all() {
            self.lock().tell(&step);
        }
        let done = work.await;
        if let Some(line) = self.lock().line.take() {
            line.finish_and_clear();
        }
        done
    }

    /// From here on every step is told at once. Gives the one that was not.
    pub(crate) fn tell_all(&self) -> Option<String> {
        let mut state = self.lock();
        state.is_long = true;
        state.step.take()
    }

    /// Begins the line, if a person looks.
    fn begin_line(&self) {
        let is_looked_at = Streams::standard().is_terminal(Stream::Err);
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        if let (true, Ok(style)) = (is_looked_at, style) {
            let line = ProgressBar::new_spinner().with_style(style);
            line.enable_steady_tick(TICK);
            self.lock().line = Some(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(line: &str) {
    let mut streams = Streams::standard();
    streams.write_text(Stream::Err, line);
    streams.flush();
}
