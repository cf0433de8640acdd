//! The thread that starts workers and takes note of their ends.
//!
//! A worker is told to end when the thread that started it ends. So that thread lives as long as
//! anybody needs one of its workers.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pcm_runtime_jail::{Cgroup, CgroupLimits, PartState};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::oneshot;

use crate::WorkerError;
use crate::workers::{Fate, Holder, Reach};

/// How often a process that was ended is looked at until it has gone.
const LOOK: Duration = Duration::from_millis(2);
/// How long it may take to go by itself. What surrounds a worker ends it as soon as its lifeline is
/// cut, and takes note of its end; a worker that nothing surrounds is killed after this.
const PATIENCE: Duration = Duration::from_millis(250);

/// The most threads of a worker: those of its engine are a few dozen.
const TASKS: u64 = 512;

/// Starts workers. Clones are the same thread.
#[derive(Debug, Clone)]
pub(crate) struct Launcher(Sender<Wanted>);

/// A program and what it is given.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: std::path::PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Becomes its standard input.
    pub(crate) wire: OwnedFd,
    /// Becomes its standard output.
    pub(crate) folders: OwnedFd,
    /// Whether a cgroup shall bound what it uses.
    pub(crate) bounded: bool,
}

#[derive(Debug)]
enum Wanted {
    Launched { launch: Launch, reply: oneshot::Sender<io::Result<Launched>> },
    Buried(Launched),
}

/// A process that was started.
#[derive(Debug)]
struct Launched {
    /// None when it is buried.
    child: Option<Child>,
    lifeline: Arc<Lifeline>,
    /// None where it was not wanted; why there is none where the system does not permit it.
    cgroup: Option<Result<Cgroup, String>>,
}

/// A worker's standard error leads here, and nothing is ever written to it. What surrounds the worker
/// ends it when this is cut.
#[derive(Debug)]
pub(crate) struct Lifeline(Mutex<Option<OwnedFd>>);

impl Reach for Lifeline {
    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A process that was started. It ends with this.
#[derive(Debug)]
pub(crate) struct Process {
    launched: Option<Launched>,
    launcher: Launcher,
}

/// A process that is to end.
struct Dying {
    child: Child,
    since: Instant,
    /// Removed when the process is gone.
    _cgroup: Option<Cgroup>,
}

impl Launched {
    fn cut(mut self) -> Option<Dying> {
        self.lifeline.end();
        let cgroup = self.cgroup.take().and_then(Result::ok);
        Some(Dying { child: self.child.take()?, since: Instant::now(), _cgroup: cgroup })
    }

    /// How it ended; None while it lives.
    fn ended(&mut self) -> Option<io::Result<ExitStatus>> {
        self.child.as_mut()?.try_wait().transpose()
    }
}

/// Nobody has buried it: whoever waited for its start did not wait long enough.
impl Drop for Launched {
    fn drop(&mut self) {
        self.lifeline.end();
        if let Some(child) = &mut self.child {
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
                thread::sleep(LOOK);
            }
            drop((child.kill(), child.wait())); // it may have gone
        }
    }
}

impl Launcher {
    pub(crate) fn start() -> Result<Self, WorkerError> {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name("pcm-workers".to_owned());
        thread.spawn(move || live(&receiver))?;
        Ok(Self(sender))
    }

    pub(crate) async fn launch(&self, launch: Launch) -> Result<Process, WorkerError> {
        let (reply, launched) = oneshot::channel();
        let ended = || WorkerError::Launch("the thread that starts them ended".to_owned());
        self.0.send(Wanted::Launched { launch, reply }).map_err(|_| ended())?;
        let launched = launched.await.map_err(|_| ended())?;
        let launched = launched.map_err(|error| WorkerError::Launch(error.to_string()))?;
        Ok(Process { launched: Some(launched), launcher: self.clone() })
    }
}

impl Process {
    /// How it stands with its cgroup.
    pub(crate) fn cgroup(&self) -> PartState {
        let cgroup = self.launched.as_ref().and_then(|launched| launched.cgroup.as_ref());
        cgroup.map_or(PartState::Off, PartState::of)
    }

    /// Bounds its memory from outside, where there is a cgroup.
    pub(crate) fn bound_memory(&self, bytes: u64) -> io::Result<()> {
        match self.launched.as_ref().and_then(|launched| launched.cgroup.as_ref()) {
            Some(Ok(cgroup)) => cgroup.bound_memory(bytes),
            _ => Ok(()),
        }
    }

    async fn end(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        while let Some(launched) = self.launched.as_mut() {
            match launched.ended() {
                Some(status) => return status.ok(),
                None if begun.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
                None => break,
            }
        }
        None
    }
}

#[async_trait]
impl Holder for Process {
    fn id(&self) -> Option<u32> {
        self.launched.as_ref().and_then(|launched| launched.child.as_ref()).map(Child::id)
    }

    fn lives(&mut self) -> bool {
        self.launched.as_mut().is_some_and(|launched| launched.ended().is_none())
    }

    fn reach(&self) -> Option<Arc<dyn Reach>> {
        let launched = self.launched.as_ref()?;
        Some(Arc::clone(&launched.lifeline) as Arc<dyn Reach>)
    }

    /// What takes longer than it may goes on by itself.
    async fn gone(mut self: Box<Self>) {
        if let Some(lifeline) = self.reach() {
            lifeline.end();
        }
        let _ = self.end().await; // whatever there is left of it the launcher does
    }

    /// Its socket is closed some time before that is known.
    async fn fate(mut self: Box<Self>) -> Fate {
        Fate::Ended(self.end().await.map_or_else(|| "it stopped talking".to_owned(), fate))
    }
}

fn fate(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.signal(), status.code()) {
        (Some(libc::SIGABRT), _) => "it aborted".to_owned(),
        (Some(libc::SIGKILL), _) => "it was killed, perhaps for want of memory".to_owned(),
        (Some(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGTRAP), _) => {
            "it crashed".to_owned()
        }
        (Some(libc::SIGSYS), _) => "it called the system in a way that it must not".to_owned(),
        (Some(signal), _) => format!("it ended by signal {signal}"),
        (None, Some(code)) => format!("it ended with status {code}"),
        (None, None) => "it ended".to_owned(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(launched) = self.launched.take() {
            let _ = self.launcher.0.send(Wanted::Buried(launched)); // the thread lives with this
        }
    }
}

fn live(wanted: &Receiver<Wanted>) {
    let mut dying: Vec<Dying> = Vec::new();
    loop {
        let next = if dying.is_empty() {
            wanted.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            wanted.recv_timeout(LOOK)
        };
        match next {
            Ok(Wanted::Launched { launch, reply }) => {
                if let Err(Ok(unwanted)) = reply.send(launch_one(launch)) {
                    dying.extend(unwanted.cut());
                }
            }
            Ok(Wanted::Buried(launched)) => dying.extend(launched.cut()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        dying.retain_mut(|dying| !dying.is_gone());
    }
    while !dying.is_empty() {
        thread::sleep(LOOK);
        dying.retain_mut(|dying| !dying.is_gone());
    }
}

fn launch_one(launch: Launch) -> io::Result<Launched> {
    let (lifeline, held) = pipe_with(PipeFlags::CLOEXEC)?;
    let child = Command::new(launch.program)
        .args(launch.arguments)
        .env_clear()
        .stdin(Stdio::from(launch.wire))
        .stdout(Stdio::from(launch.folders))
        .stderr(Stdio::from(lifeline))
        .spawn()?;
    let cgroup = launch.bounded.then(|| surround(&child).map_err(|error| error.to_string()));
    Ok(Launched {
        child: Some(child),
        lifeline: Arc::new(Lifeline(Mutex::new(Some(held)))),
        cgroup,
    })
}

/// At once: what a process has allocated before is not counted.
fn surround(child: &Child) -> io::Result<Cgroup> {
    let cgroup = Cgroup::make(&CgroupLimits { memory: None, tasks: Some(TASKS) })?;
    cgroup.add(child.id())?;
    Ok(cgroup)
}

impl Dying {
    /// Whether it has ended; helps it after a while.
    fn is_gone(&mut self) -> bool {
        if self.since.elapsed() > PATIENCE {
            let _ = self.child.kill(); // it may end by itself at this moment
        }
        !matches!(self.child.try_wait(), Ok(None))
    }
}
