//! Systems that this crate has no walls for: everything is reported missing.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use crate::error::JailError;
use crate::mode::JailMode;
use crate::report::{JailReport, PartState};
use crate::walls::{CgroupLimits, KernelWalls};

const NONE: &str = "there are no walls for this system yet";

/// A process that would be on its own elsewhere.
#[derive(Debug)]
#[must_use = "the walls are not closed yet"]
pub struct Separated {
    mode: JailMode,
}

/// Does nothing here.
pub fn separate(
    mode: JailMode,
    _keep: &[i32],
    _lifeline: Option<OwnedFd>,
    _parent: u32,
) -> Result<Separated, JailError> {
    Ok(Separated { mode })
}

impl Separated {
    /// Reports all parts missing, which is an error in strict mode.
    pub fn close(self) -> Result<JailReport, JailError> {
        nothing(self.mode)
    }
}

fn nothing(mode: JailMode) -> Result<JailReport, JailError> {
    let state = if mode == JailMode::Off { PartState::Off } else { PartState::missing(NONE) };
    JailReport::all(&state).demand(mode)
}

/// Cannot be done here.
pub fn bound_memory(_bytes: u64) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NONE))
}

/// Cannot be done here.
pub fn bound_processor_time(_time: Duration) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NONE))
}

/// No walls.
#[derive(Debug)]
pub struct PreparedWalls {
    report: JailReport,
}

impl KernelWalls {
    /// Reports all parts missing, which is an error in strict mode.
    pub fn prepare(&self, mode: JailMode) -> Result<PreparedWalls, JailError> {
        Ok(PreparedWalls { report: nothing(mode)? })
    }
}

impl PreparedWalls {
    /// What holds: nothing.
    pub fn report(&self) -> &JailReport {
        &self.report
    }

    /// Does nothing here.
    pub fn put_around(self, _command: &mut Command) {}
}

/// A cgroup, which this system does not have.
#[derive(Debug)]
pub struct Cgroup {
    never: std::convert::Infallible,
}

impl Cgroup {
    /// Cannot be done here.
    pub fn make(_limits: &CgroupLimits) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, NONE))
    }

    /// Never called: there is no cgroup to call it on.
    pub fn bound_memory(&self, _bytes: u64) -> io::Result<()> {
        match self.never {}
    }

    /// Never called: there is no cgroup to call it on.
    pub fn kill(&self) {
        match self.never {}
    }

    /// Never called: there is no cgroup to call it on.
    pub fn add(&self, _process: u32) -> io::Result<()> {
        match self.never {}
    }
}
