//! One kernel: its process, its sockets, and one run after the other.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pcm_runtime_api::{OutputStream, RunRequest};
use pcm_runtime_guest::{Active, Clock, Control, Ending, Measured, Run, RunOptions, Step, Stop};
use pcm_runtime_jail::JailMode;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::json;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::frames::{Bounds, Heard, Pipe, Said};
use crate::going::{Going, Lost};
use crate::jupyter::{Client, IOPUB, SHELL};
use crate::process::{Launch, Process, walls};
use crate::venv::Venv;
use crate::zmtp::{Kind, Socket};
use crate::{KernelConfig, SubprocessError};

/// How often a run is looked at whose processor time counts.
const LOOK: Duration = Duration::from_millis(10);
/// How long a kernel may take to begin a run: one that does not is damaged.
const TO_BEGIN: Duration = Duration::from_secs(5);
/// How often a question to a kernel that starts is repeated.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// What output past Python's streams is read in.
const PIECE: usize = 2 << 10;
/// How many pieces there may be in a pipe: who goes on writing is not waited for.
const PIECES: usize = 512;

/// A kernel, wherever it is used.
#[derive(Debug)]
pub(crate) struct Kernel {
    process: Process,
    client: Client,
    socket: StdStream,
    clock: Clock,
    runs: u32,
}

/// A kernel, connected from the runtime that uses it.
#[derive(Debug)]
pub(crate) struct Connected {
    kernel: Kernel,
    pipe: Pipe,
    shell: Socket,
    iopub: Socket,
    output: [Receiver; 2],
    end: AsyncFd<OwnedFd>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) measured: Measured,
}

/// Where a kernel keeps things.
pub(crate) mod places {
    /// Where the code works.
    pub(crate) const WORK: &str = "work";
    /// Its packages: a link to the folder that has them.
    pub(crate) const PACKAGES: &str = "packages";
}

impl Kernel {
    /// Starts one and waits until it is ready. The caller sees to it that this does not take too long.
    pub(crate) async fn start(
        config: &KernelConfig,
        venv: &Venv,
        boot: &Path,
    ) -> Result<Self, SubprocessError> {
        let folder = tempfile::Builder::new().prefix("pcm-kernel-").tempdir()?;
        let inside = |name: &str| folder.path().join(name);
        for name in [places::WORK, "home", "tmp"] {
            fs::create_dir(inside(name))?;
        }
        let client = Client::new()?;
        let connection = inside("connection.json");
        fs::write(&connection, client.connection(&inside("socket")).to_string())?;
        let (ours, theirs) = StdStream::pair()?;
        let arguments = vec!["-I".into(), boot.to_owned(), connection];
        let closed = config.jail != JailMode::Off;
        let readable = [boot.parent().and_then(Path::parent), Some(venv.folder())];
        let mut readable: Vec<PathBuf> =
            readable.into_iter().flatten().map(Path::to_owned).collect();
        readable.extend(python_home(venv));
        let walls = walls(readable, vec![folder.path().to_owned()], closed);
        let mode = if closed { config.jail } else { JailMode::Default };
        let walls =
            walls.prepare(mode).map_err(|error| SubprocessError::Start(error.to_string()))?;
        let launch = Launch {
            program: venv.python(),
            arguments,
            environment: environment(config, venv, folder.path()),
            folder,
            work: places::WORK,
            socket: theirs.into(),
            counts: !config.contained,
            walls,
        };
        let mut process = Process::launch(launch).await?;
        let mut pipe = Pipe::new(ours)?;
        let bounds = Bounds { call: 0, outcome: 0 };
        match pipe.hear(&bounds).await {
            Ok(Some(Said::Hello)) => {}
            Ok(None) => return Err(SubprocessError::Start(last_words(&mut process).await)),
            Ok(Some(_)) | Err(_) => {
                return Err(SubprocessError::Start("it does not talk as a kernel does".to_owned()));
            }
        }
        let (socket, clock) = (pipe.into_std()?, Clock::of_process(process.id())?);
        Ok(Self { process, client, socket, clock, runs: 0 })
    }

    /// Connects it from this runtime.
    pub(crate) async fn connect(mut self) -> Result<Connected, SubprocessError> {
        let folder = self.process.folder().ok_or(ErrorKind::NotFound).map_err(io::Error::from)?;
        let place = |number: u8| folder.join(format!("socket-{number}"));
        let shell = Socket::connect(&place(SHELL), Kind::Dealer).await?;
        let iopub = Socket::connect(&place(IOPUB), Kind::Subscriber).await?;
        let pipe = Pipe::new(self.socket.try_clone()?)?;
        let [out, err] =
            self.process.output.take().ok_or(ErrorKind::BrokenPipe).map_err(io::Error::from)?;
        let output = [Receiver::from_owned_fd(out.into())?, Receiver::from_owned_fd(err.into())?];
        let end = end_of(&self.process)?;
        let mut connected = Connected { kernel: self, pipe, shell, iopub, output, end };
        connected.settle().await?;
        Ok(connected)
    }

    /// It, unless its process has ended.
    pub(crate) fn living(mut self) -> Option<Self> {
        self.process.fate().is_none().then_some(self)
    }
}

/// Readable when the process has ended.
fn end_of(process: &Process) -> io::Result<AsyncFd<OwnedFd>> {
    let end = pidfd_open(process.id(), PidfdFlags::NONBLOCK)?;
    // SAFETY: it owns the descriptor, which stays the same and open for as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(end, Interest::READABLE) }?)
}

/// The folder of the Python that an environment is of.
fn python_home(venv: &Venv) -> Option<PathBuf> {
    let python = fs::canonicalize(venv.python()).ok()?;
    Some(python.parent()?.parent()?.to_owned())
}

/// Few variables, and none of the host's.
fn environment(config: &KernelConfig, venv: &Venv, folder: &Path) -> Vec<(String, String)> {
    let inside = |name: &str| folder.join(name).display().to_string();
    let bin = venv.folder().join("bin");
    let own = [
        ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())),
        ("VIRTUAL_ENV", venv.folder().display().to_string()),
        ("HOME", inside("home")),
        ("TMPDIR", inside("tmp")),
        ("IPYTHONDIR", inside("home")),
        (
            "PCM_PACKAGES",
            match &config.packages {
                Some(folder) => folder.display().to_string(),
                None => inside(places::PACKAGES),
            },
        ),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline".to_owned()),
        ("MPLCONFIGDIR", venv.folder().join(".matplotlib").display().to_string()),
        ("PYDEVD_DISABLE_FILE_VALIDATION", "1".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let given = config.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    own.chain(given).collect()
}

/// What a process wrote before it ended.
async fn last_words(process: &mut Process) -> String {
    const LONGEST: u64 = 4000;
    sleep(LOOK).await; // its end is known a moment after its socket is closed
    let fate = process.fate().unwrap_or_else(|| "it stopped talking".to_owned());
    let mut said = Vec::new();
    if let Some([_, error]) = process.output.take()
        && fcntl_setfl(&error, OFlags::NONBLOCK).is_ok()
    {
        let _ = error.take(LONGEST).read_to_end(&mut said); // as much as is there
    }
    let said = String::from_utf8_lossy(&said);
    let last = said.trim().lines().last().unwrap_or_default();
    if last.is_empty() { fate } else { format!("{fate}: {last}") }
}

impl Connected {
    /// Waits until the kernel has answered a question on the one socket and said on the other that it is
    /// idle: who subscribes hears nothing of what was said before.
    async fn settle(&mut self) -> Result<(), SubprocessError> {
        loop {
            let (id, message) =
                self.kernel.client.request("kernel_info_request", &json!({}), &json!({}));
            send(&mut self.shell, &message).await?;
            let client = &self.kernel.client;
            let heard = async {
                let (mut replied, mut idle) = (false, false);
                while !(replied && idle) {
                    let message = tokio::select! {
                        message = self.shell.receive() => message?,
                        message = self.iopub.receive() => message?,
                    };
                    if let Some(heard) = client.read(&message).filter(|heard| heard.request == id) {
                        idle |= heard.is_idle;
                        replied |= heard.kind == "kernel_info_reply";
                    }
                }
                Ok::<_, io::Error>(())
            };
            // If the time is over, the subscription came too late.
            if let Ok(heard) = timeout(ASK_AGAIN, heard).await {
                return Ok(heard?);
            }
        }
    }

    /// Tells the processor time that it has used.
    pub(crate) fn clock(&self) -> Clock {
        self.kernel.clock
    }

    /// Bounds what code may use.
    pub(crate) fn bound(&mut self, memory: u64, file: u64) -> Result<(), SubprocessError> {
        Ok(self.kernel.process.bound(memory, file)?)
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.kernel.process.folder().map(Path::to_owned)
    }

    /// Runs code. False with it: the kernel is of no further use.
    pub(crate) async fn run(
        &mut self,
        run: &Arc<Run>,
        control: &Arc<Control>,
        request: RunRequest,
    ) -> (Ended, bool) {
        self.drain(|_, _| {}); // what earlier runs have left running goes nowhere
        let number = self.kernel.runs + 1;
        self.kernel.runs = number;
        let (id, message) = self.request(run, request, number);
        let active = Active::new(Arc::clone(run), Arc::clone(control), false);
        let mut going = Going::new(number, id, active);
        let clock = self.kernel.clock;
        let before = clock.now().unwrap_or_default();
        let ending = tokio::select! {
            biased;
            stop = control.killed() => Err(Lost::Stopped(stop)),
            ended = self.serve(&mut going, &message) => ended,
        };
        if matches!(ending, Err(Lost::Ended | Lost::Broken)) {
            // What it said before it ended is there.
            let bounds = bounds(run);
            while let Ok(Heard::Said(said)) = self.pipe.hear_now(&bounds) {
                if going.take(said, &mut self.pipe).is_err() {
                    break;
                }
            }
        }
        self.drain(|stream, piece| {
            let _ = run.write(stream, piece); // what is too much is counted
        });
        let cpu = clock.now().unwrap_or_default().saturating_sub(before);
        let measured = Measured { cpu, memory_bytes: self.kernel.process.peak(), fuel: None };
        let goes_on = ending.is_ok();
        let ending = match (ending, going.outcome) {
            // It was told before the kernel was lost.
            (_, Some(outcome)) => match control.told() {
                Some(stop) => Ending::Interrupted(stop, outcome),
                None => Ending::Outcome(outcome),
            },
            (Err(Lost::Stopped(stop)), None) => Ending::Stopped(stop),
            (Err(Lost::Ended | Lost::Broken), None) => {
                sleep(LOOK).await; // its end is known a moment after its sockets are closed
                match self.kernel.process.fate() {
                    Some(fate) => Ending::Crashed(format!("the kernel is gone: {fate}")),
                    None => {
                        Ending::Crashed("the code damaged the interpreter it ran in".to_owned())
                    }
                }
            }
            (Ok(()), None) => Ending::Crashed("the kernel left no outcome".to_owned()),
        };
        (Ended { ending, measured }, goes_on)
    }

    fn request(&mut self, run: &Run, request: RunRequest, number: u32) -> (String, Vec<Vec<u8>>) {
        let limits = run.limits();
        let options = RunOptions::new(limits, request.repr, false).encode();
        let mut described = json!({
            "number": number, "options": String::from_utf8_lossy(&options),
            "output_bytes": limits.output_stop_bytes(), "frame_bytes": limits.host_call_bytes,
        });
        let code = String::from_utf8(request.code).unwrap_or_else(|error| {
            // JSON has no place for what is no text.
            let source = BASE64_STANDARD.encode(error.as_bytes());
            described["source"] = source.into();
            String::new()
        });
        let content = json!({
            "code": code, "silent": false, "store_history": false, "user_expressions": {},
            "allow_stdin": false, "stop_on_error": false,
        });
        self.kernel.client.request("execute_request", &json!({ "pcm": described }), &content)
    }

    /// Serves the run until the kernel is idle again.
    async fn serve(&mut self, going: &mut Going, message: &[Vec<u8>]) -> Result<(), Lost> {
        self.kernel.process.lend(false);
        send(&mut self.shell, message).await.map_err(|_| Lost::Ended)?;
        let run = Arc::clone(&going.active.run);
        let control = Arc::clone(&going.active.control);
        let bounds = bounds(&run);
        let Self { kernel, pipe, shell, iopub, output: [out, err], end } = self;
        let begins_by = Instant::now() + TO_BEGIN;
        let mut watch = std::pin::pin!(watch(&control, &kernel.process));
        loop {
            if going.is_over() {
                // What it told before it replied is there.
                while going.outcome.is_none() {
                    let Ok(Heard::Said(said)) = pipe.hear_now(&bounds) else {
                        return Err(Lost::Broken);
                    };
                    going.take(said, pipe)?;
                }
                return Ok(());
            }
            let by = if going.has_begun { going.idle_by } else { Some(begins_by) };
            tokio::select! {
                biased;
                stop = &mut watch, if going.has_begun => return Err(Lost::Stopped(stop)),
                said = pipe.hear(&bounds) => match said {
                    Ok(Some(said)) => {
                        if matches!(said, Said::Outcome { .. }) {
                            kernel.process.lend(true);
                        }
                        going.take(said, pipe)?;
                    }
                    Ok(None) => return Err(Lost::Ended),
                    Err(_) => return Err(Lost::Broken),
                },
                reply = going.active.next_reply(None), if pipe.has_room() => {
                    going.answer(reply.map_err(|_| Lost::Broken)?, pipe)?;
                }
                message = shell.receive() => {
                    going.hear(kernel.client.read(&message.map_err(|_| Lost::Broken)?));
                }
                message = iopub.receive() => {
                    going.hear(kernel.client.read(&message.map_err(|_| Lost::Broken)?));
                }
                taken = take(out, OutputStream::Stdout, &run) => taken?,
                taken = take(err, OutputStream::Stderr, &run) => taken?,
                _ = end.readable() => return Err(Lost::Ended),
                () = until(by) => return Err(Lost::Broken),
            }
        }
    }

    /// Gives what is there of output past Python's streams to `hear`.
    fn drain(&self, mut hear: impl FnMut(OutputStream, &[u8])) {
        for (pipe, stream) in self.output.iter().zip([OutputStream::Stdout, OutputStream::Stderr]) {
            for _ in 0..PIECES {
                let mut piece = [0; PIECE];
                match pipe.try_read(&mut piece) {
                    Ok(count @ 1..) => hear(stream, piece.get(..count).unwrap_or_default()),
                    _ => break,
                }
            }
        }
    }
}

/// Interrupts a run when it is time to, and gives why it has to be ended when that did not help.
async fn watch(control: &Control, process: &Process) -> Stop {
    loop {
        let counts = control.counts_cpu();
        if counts || control.told().is_some() {
            tokio::select! {
                () = control.interrupted() => {}
                () = sleep(LOOK) => {}
            }
        } else {
            control.interrupted().await;
        }
        match control.step() {
            Step::GoOn => {}
            Step::Interrupt => process.interrupt(),
            Step::Kill(stop) => return stop,
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn bounds(run: &Run) -> Bounds {
    let call = usize::try_from(run.limits().host_call_bytes).unwrap_or(usize::MAX);
    Bounds { call, outcome: run.longest_outcome() }
}

async fn send(socket: &mut Socket, message: &[Vec<u8>]) -> io::Result<()> {
    let frames: Vec<&[u8]> = message.iter().map(Vec::as_slice).collect();
    socket.send(&frames).await
}

/// Takes what was written past Python's streams, as soon as something is there. A stream that was closed
/// is never heard of again.
async fn take(pipe: &Receiver, stream: OutputStream, run: &Run) -> Result<(), Lost> {
    let mut piece = [0; PIECE];
    loop {
        if pipe.readable().await.is_err() {
            return std::future::pending().await;
        }
        match pipe.try_read(&mut piece) {
            Ok(count @ 1..) => {
                let refused = run.write(stream, piece.get(..count).unwrap_or_default()).is_err();
                let floods = refused && run.is_flooding();
                return if floods { Err(Lost::Stopped(Stop::Output)) } else { Ok(()) };
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return std::future::pending().await,
        }
    }
}
