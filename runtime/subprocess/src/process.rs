//! The process of a kernel: started by a thread that lives as long as this program, bounded, and ended
//! with all that it has started.

use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use pcm_fences::{Fence, holds};
use pcm_runtime_jail::{Cgroup, CgroupLimits, KernelWalls, PreparedWalls, TcpPorts};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group,
    prlimit, waitid,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::SubprocessError;

/// How often processes that were killed are looked at until they have gone.
const LOOK: Duration = Duration::from_millis(2);
/// Threads and processes of a kernel, where a group counts them.
const TASKS: u64 = 256;
/// What a kernel's own program needs besides the memory of the code that it runs.
const KERNEL_BYTES: u64 = 512 << 20;
/// What a kernel gets to reply with.
const LENT: u64 = 64 << 20;
/// Threads that a user may have besides those of now, where there is no group.
const MORE_TASKS: u64 = 512;

/// What a kernel is started with.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
    /// All that is the kernel's; deleted when it is gone.
    pub(crate) folder: TempDir,
    /// The name, in there, of the one that it works in.
    pub(crate) work: &'static str,
    /// Becomes its standard input.
    pub(crate) socket: OwnedFd,
    /// Whether processes and threads are to be counted, which nobody else does.
    pub(crate) counts: bool,
    pub(crate) walls: PreparedWalls,
}

/// A process, and all that it starts. They end with this.
#[derive(Debug)]
pub(crate) struct Process {
    /// None when it is buried.
    held: Option<Held>,
    /// How it ended, once somebody took note of that.
    fate: Option<String>,
    pid: Pid,
    /// Bytes of memory that code may use, with what the kernel has already.
    memory: Option<u64>,
    /// What was written past Python's own streams.
    pub(crate) output: Option<[PipeReader; 2]>,
}

/// What is given back when a process is gone.
#[derive(Debug)]
struct Held {
    child: Child,
    group: Option<Cgroup>,
    folder: TempDir,
}

impl Held {
    /// Whether it is gone, once it was killed.
    fn is_gone(&mut self) -> bool {
        self.group.iter().filter(|_| holds(Fence::Descendants)).for_each(Cgroup::kill); // one of them may just have forked
        !matches!(self.child.try_wait(), Ok(None))
    }
}

enum Wanted {
    Started { launch: Launch, reply: oneshot::Sender<io::Result<Process>> },
    Buried(Held),
}

/// The thread that starts kernels. They are told to end when it does, which is with this program.
fn starter() -> io::Result<Sender<Wanted>> {
    static STARTER: OnceLock<Mutex<Sender<Wanted>>> = OnceLock::new();
    if STARTER.get().is_none() {
        let (sender, wanted) = channel();
        let thread = thread::Builder::new().name("pcm-kernels".to_owned());
        thread.spawn(move || {
            let mut dying: Vec<Held> = Vec::new();
            loop {
                let next = if dying.is_empty() {
                    wanted.recv().map_err(|_| RecvTimeoutError::Disconnected)
                } else {
                    wanted.recv_timeout(LOOK)
                };
                match next {
                    Ok(Wanted::Started { launch, reply }) => drop(reply.send(start(launch))),
                    Ok(Wanted::Buried(one)) => dying.push(one),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                dying.retain_mut(|one| !one.is_gone());
            }
        })?;
        let _ = STARTER.set(Mutex::new(sender)); // another may have been faster: its thread ends
    }
    let sender = STARTER.get().ok_or_else(|| io::Error::other("no thread starts kernels"))?;
    Ok(sender.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

fn start(launch: Launch) -> io::Result<Process> {
    let [(out, out_end), (err, err_end)] = [io::pipe()?, io::pipe()?];
    let mut command = Command::new(launch.program);
    if holds(Fence::Environment) {
        command.env_clear();
    }
    command
        .args(launch.arguments)
        .envs(launch.environment)
        .current_dir(launch.folder.path().join(launch.work))
        .process_group(0)
        .stdin(Stdio::from(launch.socket))
        .stdout(Stdio::from(out_end))
        .stderr(Stdio::from(err_end));
    launch.walls.put_around(&mut command);
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    // When memory is short it shall be the kernel that ends, not what started it.
    let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), "1000");
    let group = launch.counts.then(|| {
        let group = Cgroup::make(&CgroupLimits {
            memory: None,
            tasks: holds(Fence::Tasks).then_some(TASKS),
        });
        group.and_then(|group| group.add(child.id()).map(|()| group)).ok()
    });
    let bounded = group.as_ref().is_none_or(Option::is_some);
    let group = group.flatten();
    let held = Some(Held { child, group, folder: launch.folder });
    let process = Process { held, fate: None, pid, memory: None, output: Some([out, err]) };
    if !bounded && holds(Fence::Tasks) {
        process.limit(Resource::Nproc, tasks_of_user() + MORE_TASKS)?;
    }
    Ok(process)
}

impl Process {
    pub(crate) async fn launch(launch: Launch) -> Result<Self, SubprocessError> {
        let (reply, started) = oneshot::channel();
        let ended = || SubprocessError::Start("the thread that starts kernels ended".to_owned());
        starter()?.send(Wanted::Started { launch, reply }).map_err(|_| ended())?;
        Ok(started.await.map_err(|_| ended())??)
    }

    pub(crate) fn id(&self) -> Pid {
        self.pid
    }

    /// All that is the kernel's.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.held.as_ref().map(|held| held.folder.path())
    }

    fn group(&self) -> Option<&Cgroup> {
        self.held.as_ref()?.group.as_ref()
    }

    /// Sends the signal of somebody who wants the run to stop.
    pub(crate) fn interrupt(&self) {
        let _ = kill_process(self.pid, Signal::INT); // it may have ended
    }

    /// Bounds what the code of a session may use, beside what the kernel has already.
    pub(crate) fn bound(&mut self, memory: u64, file: u64) -> io::Result<()> {
        let held = status(self.pid, "VmData:").unwrap_or(0);
        self.memory = Some(held.saturating_add(memory));
        self.lend(false);
        self.limit(Resource::Fsize, file)?;
        match self.group() {
            Some(group) => group.bound_memory(memory.saturating_add(KERNEL_BYTES)),
            None => Ok(()),
        }
    }

    /// Lends the kernel some memory to reply with, between runs: the code may have left none.
    pub(crate) fn lend(&self, lends: bool) {
        let Some(memory) = self.memory else { return };
        let most = memory.saturating_add(LENT);
        let limit =
            Rlimit { current: Some(if lends { most } else { memory }), maximum: Some(most) };
        let _ = prlimit(Some(self.pid), Resource::Data, limit); // it may have ended
    }

    fn limit(&self, resource: Resource, most: u64) -> io::Result<()> {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        prlimit(Some(self.pid), resource, limit)?;
        Ok(())
    }

    /// The most memory that it has had in use.
    pub(crate) fn peak(&self) -> u64 {
        status(self.pid, "VmHWM:").unwrap_or(0)
    }

    /// How it ended, for people; None while it lives. With it ends all that it has started: from here on
    /// its number may be another one's.
    pub(crate) fn fate(&mut self) -> Option<String> {
        if self.fate.is_none() && self.has_ended() {
            self.end_group();
            let status = self.held.as_mut()?.child.try_wait().ok().flatten();
            self.fate = Some(status.map_or_else(|| "it ended".to_owned(), fate));
        }
        self.fate.clone()
    }

    /// Whether it has ended, and waits for somebody to take note of it.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.pid), options), Ok(Some(_)))
    }

    /// Ends it and what it has started. Only as long as nobody has taken note of its end.
    fn end_group(&self) {
        if !holds(Fence::Descendants) {
            let _ = kill_process(self.pid, Signal::KILL);
            return;
        }
        let _ = kill_process_group(self.pid, Signal::KILL); // they may have ended
        let _ = kill_process(self.pid, Signal::KILL);
        self.group().iter().for_each(|group| group.kill());
    }
}

fn fate(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGKILL), _) => "it was killed, perhaps for want of memory".to_owned(),
        (Some(libc::SIGABRT), _) => "it aborted".to_owned(),
        (Some(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL), _) => "it crashed".to_owned(),
        (Some(signal), _) => format!("it ended by signal {signal}"),
        (None, Some(code)) => format!("it ended with status {code}"),
        (None, None) => "it ended".to_owned(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.fate.is_none() {
            self.end_group();
        }
        if let (Some(held), Ok(starter)) = (self.held.take(), starter()) {
            let _ = starter.send(Wanted::Buried(held)); // the thread lives with the program
        }
    }
}

/// A line of what the system says of a process, in bytes.
fn status(pid: Pid, name: &str) -> Option<u64> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Threads of all processes of this user.
fn tasks_of_user() -> u64 {
    let own = rustix::process::getuid().as_raw();
    let count = |folder: &Path| -> Option<u64> {
        use std::os::unix::fs::MetadataExt as _;
        folder.file_name()?.to_str()?.parse::<u32>().ok()?;
        (fs::metadata(folder).ok()?.uid() == own)
            .then(|| fs::read_dir(folder.join("task")).map_or(1, |tasks| tasks.count() as u64))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| count(&entry.path())).sum()
}

/// What is wanted around a kernel in an environment: its own folders, the programs of the system, and no
/// network.
pub(crate) fn walls(readable: Vec<PathBuf>, writable: Vec<PathBuf>, closed: bool) -> KernelWalls {
    // Not `/dev`: whoever may open the disk has all files. The few devices that give nothing away are
    // allowed anyway.
    const SYSTEM: [&str; 11] = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/etc",
        "/proc",
        "/sys/devices",
        "/nix",
        "/gnu",
    ];
    let system = SYSTEM.into_iter().map(PathBuf::from).filter(|path| path.exists());
    KernelWalls {
        readable: readable.into_iter().chain(system).collect(),
        writable,
        // The kernel listens for what its children print.
        tcp: TcpPorts::Only { listen: vec![0], connect: Vec::new() },
        open: !closed,
        ..KernelWalls::default()
    }
}
