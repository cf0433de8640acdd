//! Ctrl-C: the first stops the code, the second stops everything.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pcm_sandbox::Session;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{self, Failure};

/// From now on Ctrl-C interrupts what the session runs, and nothing else.
pub(crate) fn runs_of(session: Session) -> Result<(), Failure> {
    listen(move || session.interrupt())
}

/// Waits on a thread of its own, which the code of the session cannot keep busy.
fn listen(pressed: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let failed = |error| Failure::startup(format!("cannot listen for Ctrl-C: {error}"));
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let mut signals = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).map_err(failed)?
    };
    thread::spawn(move || {
        runtime.block_on(async {
            while signals.recv().await.is_some() {
                pressed();
            }
        });
    });
    Ok(())
}

/// Whether Ctrl-C was pressed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Interrupts `session` from now on; who presses twice wants everything to stop.
    pub(crate) fn listen(session: Session) -> Result<Self, Failure> {
        let interrupts = Self::default();
        let pressed = interrupts.clone();
        listen(move || {
            if pressed.0.swap(true, Ordering::SeqCst) {
                process::exit(exit::INTERRUPTED.into());
            }
            session.interrupt();
        })?;
        Ok(interrupts)
    }

    /// Whether nothing more shall be run.
    pub(crate) fn pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
