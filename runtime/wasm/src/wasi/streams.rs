//! The three streams that are always there.

use pcm_runtime_api::OutputStream;
use pcm_runtime_files::Fd;
use pcm_runtime_guest::{Active, Stop};

use super::errno::{Answer, Errno, Failure};

const STDIN: Fd = 0;
const STDOUT: Fd = 1;
const STDERR: Fd = 2;

/// Which of them the guest has closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Streams(pub(super) [bool; 3]);

impl Streams {
    /// Whether the descriptor is one of the streams, open or not.
    pub(super) fn has(fd: Fd) -> bool {
        fd <= STDERR
    }

    /// Refuses one that was closed.
    pub(super) fn check(self, fd: Fd) -> Answer {
        match self.0.get(fd as usize) {
            Some(false) => Ok(()),
            _ => Err(Errno::BADF.into()),
        }
    }

    pub(super) fn close(&mut self, fd: Fd) -> Answer {
        self.check(fd)?;
        if let Some(closed) = self.0.get_mut(fd as usize) {
            *closed = true;
        }
        Ok(())
    }

    pub(super) fn is_readable(fd: Fd) -> bool {
        fd == STDIN
    }

    pub(super) fn is_writable(fd: Fd) -> bool {
        matches!(fd, STDOUT | STDERR)
    }
}

/// Gives output to the run that goes on.
pub(super) fn write(active: Option<&Active>, fd: Fd, data: &[u8]) -> Answer {
    let stream = match fd {
        STDOUT => OutputStream::Stdout,
        STDERR => OutputStream::Stderr,
        _ => return Err(Errno::BADF.into()),
    };
    let Some(active) = active else { return Err(Errno::IO.into()) };
    match active.run.write(stream, data) {
        Ok(()) => Ok(()),
        Err(_) if active.run.is_flooding() => Err(Failure::Trap(Stop::Output.into())),
        Err(_) => Err(Errno::IO.into()),
    }
}
