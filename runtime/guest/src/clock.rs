//! Processor time of somebody else.

use std::io;
use std::time::Duration;

use rustix::process::Pid;

/// Tells the processor time of a thread or a process, to whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Clock(libc::clockid_t);

impl Clock {
    /// That of the calling thread.
    pub fn of_this_thread() -> io::Result<Self> {
        // SAFETY: the thread is this one, and the place is valid.
        Self::found(|clock| unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), clock) })
    }

    /// That of a process, with all its threads.
    pub fn of_process(process: Pid) -> io::Result<Self> {
        let process = process.as_raw_nonzero().get();
        // SAFETY: the place is valid. A process that is gone is an error.
        Self::found(|clock| unsafe { libc::clock_getcpuclockid(process, clock) })
    }

    fn found(find: impl FnOnce(*mut libc::clockid_t) -> libc::c_int) -> io::Result<Self> {
        let mut clock = 0;
        match find(&raw mut clock) {
            0 => Ok(Self(clock)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// What it shows; None when what it is of has ended.
    pub fn now(self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the place is valid. The clock of what has ended is an error.
        let told = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        (told == 0).then(|| Duration::new(seconds, nanoseconds))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_what_its_threads_have() {
        let thread = Clock::of_this_thread().unwrap();
        let process = Clock::of_process(rustix::process::getpid()).unwrap();
        let before = thread.now().unwrap();
        while thread.now().unwrap() < before + Duration::from_millis(5) {}
        assert!(process.now().unwrap() >= thread.now().unwrap());
    }
}
