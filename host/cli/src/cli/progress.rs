//! How far something is, on standard error.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::output::{Stream, Streams};

/// What is done sooner needs no words.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells every step, with the seconds that have passed.
#[cfg(any(feature = "container", feature = "wasm"))]
pub(crate) fn with_seconds() -> impl Fn(&str) + Send + Sync + 'static {
    let began = std::time::Instant::now();
    move |step| say(&format!("{:6.1} s  {step}\n", began.elapsed().as_secs_f64()))
}

/// Tells what is being done from the moment on that it takes long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_long: bool,
    /// What was begun last.
    step: Option<String>,
}

impl Waiting {
    /// Takes the steps.
    pub(crate) fn listener(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let waiting = self.clone();
        move |step| {
            let mut state = waiting.lock();
            if state.is_long {
                say(&format!("{step}\n"));
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
        if let Some(step) = self.tell_all() {
            say(&format!("{step}\n"));
        }
        work.await
    }

    /// From here on every step is told at once. Gives the one that was not.
    pub(crate) fn tell_all(&self) -> Option<String> {
        let mut state = self.lock();
        state.is_long = true;
        state.step.take()
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
