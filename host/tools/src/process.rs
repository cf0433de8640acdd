//! A child process and everything that it starts, ended together.

use std::future::Future;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The time between the request to end and the end.
const GRACE: Duration = Duration::from_millis(500);

/// The endings that are under way for calls which nobody waits for any more.
#[derive(Debug, Clone)]
pub(crate) struct Endings(Arc<Semaphore>);

impl Endings {
    /// More than there can be processes.
    const MOST: u32 = 1 << 24;

    /// Waits until all are over, which they are soon.
    pub(crate) async fn wait(&self) {
        let all = self.0.acquire_many(Self::MOST);
        let _ = tokio::time::timeout(4 * GRACE, all).await;
    }

    fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

impl Default for Endings {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::MOST as usize)))
    }
}

/// A child that leads a process group. The group ends when this is dropped.
///
/// The child is not reaped before the group got its last signal: until then the number of the group
/// cannot be anybody else's. What leaves the group on purpose (`setsid`) is out of reach.
#[derive(Debug)]
pub(crate) struct Group {
    /// None once it is reaped.
    child: Option<Child>,
    id: Pid,
    endings: Endings,
    /// Whether the group had its time to end.
    asked: bool,
}

impl Group {
    /// Starts the command in a group of its own.
    pub(crate) fn spawn(command: &mut Command, endings: &Endings) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| io::Error::other("the process has no number"))?;
        Ok(Self { child: Some(child), id, endings: endings.clone(), asked: false })
    }

    /// The child, to take its pipes.
    pub(crate) fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Waits until the child has exited. It is not reaped by that.
    pub(crate) fn exited(&self) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let id = self.id;
        async move {
            // First listen, then look: no exit falls between the two.
            let mut changes = signal(SignalKind::child())?;
            while !has_exited(id) {
                changes.recv().await;
            }
            Ok(())
        }
    }

    /// Asks the group to end, waits a moment, and ends what is left.
    pub(crate) async fn end(mut self) -> io::Result<ExitStatus> {
        self.ask();
        let _ = tokio::time::timeout(GRACE, self.exited()).await;
        self.finish().await
    }

    /// Ends what is left of the group, and says how the child exited.
    pub(crate) async fn finish(&mut self) -> io::Result<ExitStatus> {
        self.asked = true;
        self.signal(Signal::KILL);
        let child = self.child.as_mut().ok_or_else(|| io::Error::other("reaped already"))?;
        let status = child.wait().await;
        self.child = None;
        status
    }

    fn ask(&mut self) {
        self.asked = true;
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        if self.child.is_some() {
            // It fails only where there is nobody left.
            let _ = kill_process_group(self.id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        let handle = Handle::try_current().ok().filter(|_| !self.asked);
        let (Some(handle), Some(permit)) = (handle, self.endings.begin()) else {
            self.signal(Signal::KILL);
            // Dropping the child leaves the reaping to the runtime.
            return;
        };
        self.ask();
        let (id, endings) = (self.id, self.endings.clone());
        let group = Self { child: self.child.take(), id, endings, asked: true };
        handle.spawn(async move {
            let _ = group.end().await;
            drop(permit);
        });
    }
}

fn has_exited(id: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(id), options), Ok(None))
}
