//! What a worker does.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, stderr, stdin, stdout};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::panic::set_hook;
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pcm_runtime_api::{
    Executor, ExecutorError, Mount, MountSource, RunEvent, RunRequest, SandboxConfig,
};
use pcm_runtime_jail::{JailMode, Separated, bound_memory, separate};
use pcm_runtime_wire::{Answer, Inbox, News, Opening, Order, Running, Told};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use crate::channel::PIECE;
use crate::relay::Relay;
use crate::start::Start;
use crate::worker::memory_of;
use crate::{Engine, EngineEntry, WorkerError};
use pcm_runtime_guest::Pace;

static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Makes this process a worker if that is what it was started for: then it does not come back. To be
/// called at the top of `main`, before there is another thread.
pub fn init(engines: &[EngineEntry]) {
    INITIALISED.store(true, Ordering::Release);
    let Some(start) = Start::read(env::args_os()) else { return };
    let ended = start.and_then(|start| main(&start, engines));
    exit(i32::from(ended.is_err()));
}

/// Whether this program calls [`init`].
pub(crate) fn is_initialised() -> bool {
    INITIALISED.load(Ordering::Acquire)
}

/// The life of a worker.
fn main(start: &Start, engines: &[EngineEntry]) -> Result<(), String> {
    if let Some(place) = &start.connect {
        return dial(start, place, engines);
    }
    // What the host has given it are its standard streams, which whatever writes to them shall not reach.
    let wire = stdin().as_fd().try_clone_to_owned().map_err(text)?;
    let folders = stdout().as_fd().try_clone_to_owned().map_err(text)?;
    let lifeline = stderr().as_fd().try_clone_to_owned().map_err(text)?;
    // Where there is no jail nobody else does it.
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null").map_err(text)?;
    for dup in [dup2_stdin, dup2_stdout, dup2_stderr] {
        dup(&nothing).map_err(text)?;
    }
    drop(nothing);
    let kept = [wire.as_raw_fd(), folders.as_raw_fd()];
    let separated = separate(start.jail, &kept, Some(lifeline), start.host).map_err(text)?;
    if rustix::net::sockopt::socket_type(&wire).is_err() {
        return Err("it was not started by its host".to_owned());
    }
    live(start, engines, StdStream::from(wire), Some(folders), separated)
}

/// The life of a worker that something else than a jail surrounds, and that finds its host by itself.
fn dial(start: &Start, place: &Path, engines: &[EngineEntry]) -> Result<(), String> {
    // What it starts for the code is of the same user, and shall not read its memory.
    let not = DumpableBehavior::NotDumpable;
    set_dumpable_behavior(not).map_err(text)?;
    let stream = StdStream::connect(place).map_err(text)?;
    let separated = separate(JailMode::Off, &[], None, start.host).map_err(text)?;
    live(start, engines, stream, None, separated)
}

fn live(
    start: &Start,
    engines: &[EngineEntry],
    stream: StdStream,
    folders: Option<OwnedFd>,
    separated: Separated,
) -> Result<(), String> {
    stream.set_nonblocking(true).map_err(text)?;
    let relay = Relay::new(stream.try_clone().map_err(text)?);
    let told = relay.clone();
    set_hook(Box::new(move |panic| {
        let reason = panic.payload_as_str().unwrap_or("it panicked").to_owned();
        let _ = told.say(&News::Failed(reason), &[]); // its end is noticed anyway
    }));
    if let Some(cache) = &start.cache {
        pcm_runtime_cache::set_root(cache.clone());
    }
    let entry = engines.iter().find(|entry| entry.name == start.engine);
    let Some(entry) = entry else {
        return failed(&relay, format!("this program has no engine {:?}", start.engine));
    };
    let hello = |jail| News::Hello { version: env!("CARGO_PKG_VERSION").to_owned(), jail };
    if start.prepares {
        relay.say(&hello(serde_json::Value::Null), &[]).map_err(text)?;
        return prepare(entry, &relay);
    }
    let loaded = (entry.load)();
    let runtime = runtime()?; // opens what cannot be opened later
    let jail = separated.close();
    let report = serde_json::to_value(jail.as_ref().ok()).map_err(text)?;
    relay.say(&hello(report), &[]).map_err(text)?;
    let engine = match (loaded, jail) {
        (Ok(engine), Ok(_)) => engine,
        (Err(reason), _) => return failed(&relay, reason),
        (_, Err(error)) => return failed(&relay, error.to_string()),
    };
    runtime.block_on(async {
        if let Err(reason) = engine.warm().await {
            return failed(&relay, reason);
        }
        relay.say(&News::Ready, &[]).map_err(text)?;
        let stream = UnixStream::from_std(stream).map_err(text)?;
        let orders = Orders::new(stream);
        let worker = Child { orders, relay, engine, folders, jail: start.jail };
        worker.serve().await.map_err(text)
    })
}

/// Makes what engines need, and nothing else.
fn prepare(entry: &EngineEntry, relay: &Relay) -> Result<(), String> {
    let told = relay.clone();
    let say = move |line: &str| drop(told.say(&News::Progress(line.to_owned()), &[]));
    match (entry.prepare)(Box::new(say)) {
        Ok(()) => relay.say(&News::Ready, &[]).map_err(text),
        Err(reason) => failed(relay, reason),
    }
}

/// One thread for everything that is no engine's own.
fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(text)
}

fn failed(relay: &Relay, reason: String) -> Result<(), String> {
    relay.say(&News::Failed(reason), &[]).map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

/// A worker that is ready.
struct Child {
    orders: Orders,
    relay: Relay,
    engine: Box<dyn Engine>,
    folders: Option<OwnedFd>,
    jail: JailMode,
}

/// What the host says, order by order.
struct Orders {
    stream: UnixStream,
    inbox: Inbox,
    piece: Box<[u8]>,
    of_tasks: Pace,
    of_answers: Pace,
}

/// What the host is to say next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Something to do.
    Task,
    /// The answer to a call.
    Answer,
    /// Nothing: code runs.
    Nothing,
}

impl Orders {
    fn new(stream: UnixStream) -> Self {
        let piece = vec![0; PIECE].into_boxed_slice();
        let (of_tasks, of_answers) = Default::default();
        Self { stream, inbox: Inbox::default(), piece, of_tasks, of_answers }
    }

    /// The next order; None when there is no host any more. Harmless when dropped.
    async fn next(&mut self, expected: Expected) -> Result<Option<(Order, Vec<u8>)>, WorkerError> {
        let mut pace = match expected {
            Expected::Task => Some(&mut self.of_tasks),
            Expected::Answer => Some(&mut self.of_answers),
            Expected::Nothing => None,
        };
        loop {
            if let Some(frame) = self.inbox.next(&Order::BOUNDS)? {
                if let Some(pace) = pace {
                    pace.came();
                }
                return Ok(Some((Order::decode(&frame)?, frame.bytes)));
            }
            let looks = pace.as_mut().is_some_and(|pace| pace.looks());
            let read = if looks {
                // Without the runtime, which only knows what it was told when it slept.
                rustix::io::read(&self.stream, &mut *self.piece).map_err(io::Error::from)
            } else {
                self.stream.readable().await?;
                self.stream.try_read(&mut self.piece)
            };
            match read {
                Ok(0) => return Ok(None),
                Ok(count) => self.inbox.feed(self.piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                Err(_) if looks => std::hint::spin_loop(),
                Err(_) => {}
            }
        }
    }
}

impl Child {
    async fn serve(mut self) -> Result<(), WorkerError> {
        let mut session: Option<Arc<dyn Executor>> = None;
        while let Some((order, bytes)) = self.orders.next(Expected::Task).await? {
            match (order, &session) {
                (Order::Open(opening), None) => {
                    let opened = self.open(*opening).await;
                    let answer = opened.map(|executor| {
                        session = Some(executor);
                        Answer::Done
                    });
                    self.done(session.as_deref(), answer.map(|answer| (answer, Vec::new())))?;
                }
                (Order::Run(running), Some(executor)) => {
                    let executor = Arc::clone(executor);
                    if !self.run(&*executor, *running, bytes).await? {
                        break;
                    }
                }
                // What was said while a run came to its end.
                (Order::Interrupt | Order::Reply { .. }, _) => {}
                (Order::AddFuel(fuel), Some(executor)) => {
                    let _ = executor.add_fuel(fuel); // the host knows whether it counts any
                }
                (order, Some(executor)) => {
                    let answer = obey(&**executor, order, bytes).await;
                    self.done(Some(&**executor), answer)?;
                }
                (_, None) => break, // nothing that a host of this version does
            }
        }
        Ok(())
    }

    async fn open(&mut self, opening: Opening) -> Result<Arc<dyn Executor>, ExecutorError> {
        let Opening { limits, fuel, deterministic, rollback, folders } = opening;
        let startup = |reason: String| ExecutorError::Startup { backend: "", reason };
        let bounded = match self.jail {
            JailMode::Off => Ok(()),
            _ => bound_memory(memory_of(&limits)),
        };
        // Without it the cgroup is left, where there is one.
        if self.jail == JailMode::Strict {
            bounded.map_err(|error| startup(error.to_string()))?;
        }
        let served = match self.folders.take() {
            Some(socket) => pcm_runtime_folders::connect(socket, folders.len()),
            None if folders.is_empty() => Vec::new(), // nobody serves any to who found the host by itself
            None => return Err(ExecutorError::Closed),
        };
        let mounts = folders.into_iter().zip(served).map(|(shown, folder)| Mount {
            host: MountSource::Served(folder),
            guest: shown.guest,
            access: shown.access,
        });
        let mounts = mounts.collect();
        let config =
            SandboxConfig { limits, fuel, deterministic, rollback, mounts, packages: None };
        let executor = self.engine.sandbox(config);
        executor.start(Arc::new(self.relay.clone())).await?;
        Ok(executor)
    }

    /// Runs code while the host answers its calls. False when there is no host any more.
    async fn run(
        &mut self,
        executor: &dyn Executor,
        running: Running,
        code: Vec<u8>,
    ) -> Result<bool, WorkerError> {
        let Running { limits, repr, events } = running;
        let mut request = RunRequest::new(code).limits(limits);
        request.repr = repr;
        if events {
            let relay = self.relay.clone();
            request = request.on_event(move |event| {
                // The host sees the calls itself.
                if matches!(event, RunEvent::Output { .. } | RunEvent::Display { .. }) {
                    let _ = relay.say_soon(&News::Event(event)); // its end is noticed by who reads
                }
            });
        }
        self.relay.begin();
        let mut run = executor.run(request);
        let result = loop {
            let expected = if self.relay.waits() { Expected::Answer } else { Expected::Nothing };
            tokio::select! {
                biased;
                result = &mut run => break result,
                said = self.relay.say_pending() => said?,
                order = self.orders.next(expected) => match order? {
                    Some((Order::Reply { call, answer }, _)) => self.relay.answered(call, answer),
                    Some((Order::Interrupt, _)) => executor.interrupt(),
                    Some((Order::AddFuel(fuel), _)) => drop(executor.add_fuel(fuel)),
                    Some(_) => {} // nothing that a host of this version does
                    None => return Ok(false),
                },
            }
        };
        drop(run);
        let ran = News::Ran { result: Box::new(result), fuel: executor.fuel() };
        self.relay.ran(&ran)?;
        Ok(true)
    }

    fn done(
        &self,
        session: Option<&dyn Executor>,
        answer: Result<(Answer, Vec<u8>), ExecutorError>,
    ) -> Result<(), WorkerError> {
        let (answer, bytes) = match answer {
            Ok((answer, bytes)) => (Ok(answer), bytes),
            Err(error) => (Err(Told::from(error)), Vec::new()),
        };
        let fuel = session.and_then(Executor::fuel);
        Ok(self.relay.say(&News::Done { answer, fuel }, &bytes)?)
    }
}

/// Does what is no run.
async fn obey(
    executor: &dyn Executor,
    order: Order,
    bytes: Vec<u8>,
) -> Result<(Answer, Vec<u8>), ExecutorError> {
    let answer = match order {
        Order::Checkpoint => Answer::Kept(executor.checkpoint().await?),
        Order::Save(key) => return Ok((Answer::Bytes, executor.save(&key).await?)),
        Order::Get { path, longest } => {
            return Ok((Answer::Bytes, executor.get_file(&path, longest).await?));
        }
        other => {
            match other {
                Order::Restore(checkpoint) => executor.restore(checkpoint).await?,
                Order::Drop(checkpoint) => executor.drop_checkpoint(checkpoint).await,
                Order::Load(key) => executor.load(&bytes, &key).await?,
                Order::Put { path } => executor.put_file(&path, bytes).await?,
                _ => return Err(ExecutorError::Closed),
            }
            Answer::Done
        }
    };
    Ok((answer, Vec::new()))
}
