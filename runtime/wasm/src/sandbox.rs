//! A session on the wasm wall.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_python_wasm::Metering;
use pcm_runtime_api::{
    Capability, CheckpointId, DepsReport, ErrorKind, ExecutionResult, Executor, ExecutorError,
    FailedDep, HostPort, Limits, NoHost, Progress, RunRequest, SandboxConfig, SessionState,
};
use pcm_runtime_guest::{Control, Ending, Measured, Packages, Run, Stop};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard};
use wasmtime::{Error, Trap};

use crate::engine::WasmEngine;
use crate::instance::{Assignment, Instance, State};
use crate::pages::Image;
use crate::saved;
use crate::session::Session;
use crate::wasi::{Exited, Wasi};

const BACKEND: &str = "wasm";

/// One session: CPython in a linear memory of its own.
pub struct WasmSandbox {
    pub(crate) engine: WasmEngine,
    pub(crate) config: SandboxConfig,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Control>>>,
    /// What is left of `SandboxConfig::fuel`.
    fuel: Mutex<Option<u64>>,
    /// None where nobody brings packages, or where the image has brought them.
    deps: Option<Arc<Packages>>,
    closed: AtomicBool,
}

impl WasmSandbox {
    /// What it promises where somebody brings packages.
    pub const CAPABILITIES: &'static [Capability] = &[
        Capability::Timeout,
        Capability::NetworkIsolation,
        Capability::FilesystemIsolation,
        Capability::MemoryLimit,
        Capability::CpuLimit,
        Capability::Reset,
        Capability::Fuel,
        Capability::Interrupt,
        Capability::Streaming,
        Capability::Snapshot,
        Capability::Files,
        Capability::DepsInstall,
        Capability::DepsUninstall,
    ];

    /// A session that has not started. It has no host until [`Executor::start`].
    pub fn new(engine: WasmEngine, config: impl Into<SandboxConfig>) -> Self {
        let mut config = config.into();
        let brought = engine.packages();
        let source = config.packages.clone().filter(|_| brought.is_none());
        let deps = source.map(|source| Arc::new(Packages::new(source)));
        config.mounts.extend(brought);
        config.mounts.extend(deps.as_ref().map(|deps| deps.mount()));
        Self::with_session(engine, config, deps, Session::new(Arc::new(NoHost)))
    }

    fn with_session(
        engine: WasmEngine,
        config: SandboxConfig,
        deps: Option<Arc<Packages>>,
        session: Session,
    ) -> Self {
        Self {
            deps,
            engine,
            fuel: Mutex::new(config.fuel),
            config,
            session: AsyncMutex::new(session),
            running: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// Signs a saved session that was signed with the key `from` with the key `to`, in place. One that
    /// was signed with another, or changed since, is refused.
    pub fn resign(saved: &mut [u8], from: &[u8; 32], to: &[u8; 32]) -> Result<(), ExecutorError> {
        saved::resign(saved, from, to)
            .map_err(|refused| ExecutorError::BadState(refused.to_string()))
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The session, unless it is closed.
    pub(crate) async fn open(&self) -> Result<AsyncGuard<'_, Session>, ExecutorError> {
        let session = self.session.lock().await;
        if self.is_closed() { Err(ExecutorError::Closed) } else { Ok(session) }
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Control>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fuel_left(&self) -> MutexGuard<'_, Option<u64>> {
        self.fuel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fresh(&self, metering: Metering) -> Result<Instance, ExecutorError> {
        self.engine.instantiate(&self.config, metering).await.map_err(startup)
    }

    async fn image_memory(&self) -> Result<Image<'_>, ExecutorError> {
        self.engine.image_memory().await.map_err(startup)
    }

    /// The session's interpreter, taken out of it: a run whose future is dropped loses it. One that
    /// is missing is made, in the state that the session goes back to.
    async fn interpreter(
        &self,
        session: &mut Session,
        metering: Metering,
    ) -> Result<Instance, ExecutorError> {
        let taken = session.instance.take();
        if let Some(instance) = taken {
            if metering == Metering::Epochs || metering == instance.metering() {
                return Ok(instance);
            }
            let mut other = self.fresh(metering).await?;
            other.become_like(&instance, &self.image_memory().await?).map_err(startup)?;
            return Ok(other);
        }
        let mut fresh = self.fresh(metering).await?;
        if let Some(state) = &session.safe {
            fresh.become_state(state).map_err(startup)?;
        }
        Ok(fresh)
    }

    /// Puts an interpreter in the given state into the session.
    async fn put(&self, session: &mut Session, state: &Arc<State>) -> Result<(), ExecutorError> {
        session.instance = None; // makes its place free
        let mut fresh = self.fresh(self.metering(&self.config.limits)).await?;
        fresh.become_state(state).map_err(startup)?;
        session.instance = Some(fresh);
        Ok(())
    }

    fn metering(&self, limits: &Limits) -> Metering {
        let counts =
            limits.fuel.is_some() || self.config.fuel.is_some() || self.config.deterministic;
        if counts { Metering::Fuel } else { Metering::Epochs }
    }

    /// The state of the session now.
    async fn state(&self, session: &mut Session) -> Result<Arc<State>, ExecutorError> {
        self.wasi(session).await?;
        session.state(&self.image_memory().await?).map_err(startup)
    }

    /// What becomes of packages where the session takes none.
    fn without_deps(
        &self,
        specs: &[String],
        capability: Capability,
    ) -> Result<DepsReport, ExecutorError> {
        if self.engine.contents().is_none() {
            return Err(ExecutorError::unsupported(BACKEND, capability));
        }
        let reason = "the image of the session brings its packages: build one that has these too";
        let failed = |spec: &String| FailedDep { spec: spec.clone(), reason: reason.to_owned() };
        Ok(DepsReport { failed: specs.iter().map(failed).collect(), ..DepsReport::default() })
    }

    /// The files of the session, whose interpreter is made if it is missing.
    async fn wasi<'a>(&self, session: &'a mut Session) -> Result<&'a mut Wasi, ExecutorError> {
        let metering = self.metering(&self.config.limits);
        let instance = self.interpreter(session, metering).await?;
        Ok(session.instance.insert(instance).wasi_mut())
    }

    /// Runs under `limits`, on the session's interpreter.
    async fn run_in(
        &self,
        session: &mut Session,
        mut limits: Limits,
        request: &RunRequest,
    ) -> Result<ExecutionResult, ExecutorError> {
        let session_fuel = *self.fuel_left();
        if let Some(left) = session_fuel {
            limits.fuel = Some(limits.fuel.unwrap_or(u64::MAX).min(left));
        }
        let metering = self.metering(&limits);
        let mut instance = self.interpreter(session, metering).await?;
        if self.config.rollback {
            session.instance = Some(instance);
            session.safe = Some(session.state(&self.image_memory().await?).map_err(startup)?);
            instance = self.interpreter(session, metering).await?;
        }
        let fuel = limits.fuel.unwrap_or(u64::MAX);
        let run = Arc::new(Run::new(limits, Arc::clone(&session.port), request.events.clone()));
        let (mut result, instance) = self.run_on(instance, run, request, fuel).await;
        if let (Some(left), Some(used)) = (&mut *self.fuel_left(), result.usage.fuel) {
            *left = left.saturating_sub(used);
        }
        if session_fuel == Some(fuel) {
            say_what_refills(&mut result);
        }
        session.instance = instance;
        if session.instance.is_none() && session.safe.is_some() {
            let metering = self.metering(&self.config.limits);
            session.instance = Some(self.interpreter(session, metering).await?);
            result.session = SessionState::RolledBack;
        }
        Ok(result)
    }

    /// Runs on `instance`; None in its place means that it is of no further use.
    async fn run_on(
        &self,
        mut instance: Instance,
        run: Arc<Run>,
        request: &RunRequest,
        fuel: u64,
    ) -> (ExecutionResult, Option<Instance>) {
        let control = Arc::new(Control::new(run.limits()));
        let files = instance.wasi().files.clone();
        *self.running() = Some(Arc::clone(&control));
        let ending = {
            let _ticking = self.engine.ticking(instance.metering());
            let guest = instance.run(Assignment {
                run: Arc::clone(&run),
                control: Arc::clone(&control),
                source: &request.code,
                repr: request.repr,
                fuel,
            });
            tokio::select! {
                biased;
                outcome = control.metered(guest) => match (outcome, control.told()) {
                    (Ok(outcome), None) => Ending::Outcome(outcome),
                    (Ok(outcome), Some(stop)) => Ending::Interrupted(stop, outcome),
                    (Err(error), _) => ending(&error),
                },
                stop = control.killed() => Ending::Stopped(stop),
            }
        };
        *self.running() = None;
        let measured = Measured {
            cpu: control.cpu(),
            memory_bytes: instance.memory_bytes(),
            fuel: instance.fuel().map(|left| fuel.saturating_sub(left)),
        };
        let mut result = run.finish(BACKEND, ending, measured);
        let kept = (result.session == SessionState::Kept).then_some(instance);
        if let Some(instance) = &kept {
            result.files = instance.wasi().files.changes_since(&files);
        }
        (result, kept)
    }
}

#[async_trait]
impl Executor for WasmSandbox {
    fn backend(&self) -> &'static str {
        BACKEND
    }

    fn capabilities(&self) -> &'static [Capability] {
        match self.deps {
            Some(_) => Self::CAPABILITIES,
            None => Capability::without_packages(Self::CAPABILITIES),
        }
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        session.port = port;
        if session.instance.is_none() {
            session.instance = Some(self.fresh(self.metering(&self.config.limits)).await?);
        }
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let ran = async {
            let mut session = self.open().await?;
            let limits = request.limits_over(&self.config.limits);
            self.run_in(&mut session, limits, &request).await
        };
        ran.await.unwrap_or_else(|error| ExecutionResult::refused(BACKEND, &error))
    }

    fn interrupt(&self) {
        if let Some(control) = &*self.running() {
            control.cancel();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        session.forget();
        session.instance = Some(self.fresh(self.metering(&self.config.limits)).await?);
        Ok(())
    }

    async fn install_deps(
        &self,
        specs: &[String],
        progress: &Progress<'_>,
    ) -> Result<DepsReport, ExecutorError> {
        match &self.deps {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(deps) => Ok(deps.install(specs, progress).await),
            None => self.without_deps(specs, Capability::DepsInstall),
        }
    }

    async fn uninstall_deps(&self, names: &[String]) -> Result<DepsReport, ExecutorError> {
        match &self.deps {
            _ if self.is_closed() => Err(ExecutorError::Closed),
            Some(deps) => Ok(deps.uninstall(names).await),
            None => self.without_deps(names, Capability::DepsUninstall),
        }
    }

    async fn checkpoint(&self) -> Result<CheckpointId, ExecutorError> {
        let mut session = self.open().await?;
        let state = self.state(&mut session).await?;
        Ok(session.keep(state))
    }

    async fn restore(&self, checkpoint: CheckpointId) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        let state = session.kept(checkpoint)?;
        self.put(&mut session, &state).await
    }

    async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        self.session.lock().await.drop_checkpoint(checkpoint);
    }

    async fn fork(&self) -> Result<Arc<dyn Executor>, ExecutorError> {
        let mut session = self.open().await?;
        let metering = self.metering(&self.config.limits);
        let instance = self.interpreter(&mut session, metering).await?;
        let instance = session.instance.insert(instance);
        let mut other = self.fresh(metering).await?;
        other.become_like(instance, &self.image_memory().await?).map_err(startup)?;
        let mut forked = Session::new(Arc::clone(&session.port));
        forked.instance = Some(other);
        let config = SandboxConfig { fuel: *self.fuel_left(), ..self.config.clone() };
        Ok(Arc::new(Self::with_session(self.engine.clone(), config, self.deps.clone(), forked)))
    }

    async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, ExecutorError> {
        let mut session = self.open().await?;
        let state = self.state(&mut session).await?;
        saved::encode(&state, self.engine.origin(), key).map_err(startup)
    }

    async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        let state = saved::decode(saved, key, &self.engine.origin(), &self.config)
            .map_err(|refused| ExecutorError::BadState(refused.to_string()))?;
        session.forget();
        self.put(&mut session, &Arc::new(state)).await
    }

    fn fuel(&self) -> Option<u64> {
        *self.fuel_left()
    }

    fn add_fuel(&self, fuel: u64) -> Result<(), ExecutorError> {
        match &mut *self.fuel_left() {
            Some(left) => *left = left.saturating_add(fuel),
            None => return Err(ExecutorError::unsupported(BACKEND, Capability::Fuel)),
        }
        Ok(())
    }

    async fn put_file(&self, path: &str, content: Vec<u8>) -> Result<(), ExecutorError> {
        let mut session = self.open().await?;
        let wasi = self.wasi(&mut session).await?;
        let now = wasi.now();
        Ok(wasi.files.put(path, &content, now)?)
    }

    async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, ExecutorError> {
        let mut session = self.open().await?;
        self.wasi(&mut session).await?.files.get(path, longest).map_err(ExecutorError::from)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        let mut session = self.session.lock().await;
        session.forget();
        session.drop_all();
    }
}

impl fmt::Debug for WasmSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WasmSandbox")
            .field("config", &self.config)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

fn startup(reason: impl fmt::Display) -> ExecutorError {
    ExecutorError::Startup { backend: BACKEND, reason: format!("{reason:#}") }
}

/// Fuel of the session is not raised where that of a run is.
fn say_what_refills(result: &mut ExecutionResult) {
    let Some(error) = result.error.as_mut().filter(|error| error.kind == ErrorKind::Fuel) else {
        return;
    };
    if let Some(hit) = &mut error.limit {
        "Executor::add_fuel".clone_into(&mut hit.raise);
        error.message = hit.to_string();
    }
}

/// What an error of the engine means for the run.
fn ending(error: &Error) -> Ending {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Ending::Stopped(*stop);
    }
    if let Some(Exited(status)) = error.downcast_ref::<Exited>() {
        return Ending::Crashed(format!("the code ended the interpreter with status {status}"));
    }
    let what = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return Ending::Stopped(Stop::Fuel),
        Some(Trap::StackOverflow) => "the interpreter ran out of stack".to_owned(),
        Some(Trap::UnreachableCodeReached) => "the interpreter aborted".to_owned(),
        Some(trap) => format!("the interpreter trapped: {trap}"),
        None => format!("the interpreter failed: {error:#}"),
    };
    Ending::Crashed(what)
}
