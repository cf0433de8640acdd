//! How a server learns that it shall end.

use std::process;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{self, Failure};

/// Done with the first signal; the second ends the process.
pub(crate) fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error| Failure::startup(format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (told, is_told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut told = Some(told);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match told.take() {
                Some(told) => drop(told.send(())),
                None => process::exit(exit::INTERRUPTED.into()),
            }
        }
    });
    Ok(async {
        let _ = is_told.await; // its end is the end of the process
    })
}
