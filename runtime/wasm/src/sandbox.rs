//! A session on the wasm wall.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pcm_runtime_api::{
    Capability, ErrorKind, ExecutionError, ExecutionResult, Executor, ExecutorError, HostPort,
    LimitName, Limits, NoHost, RunRequest, SessionState,
};
use pcm_runtime_guest::{Ending, Run, RunOptions};
use tokio::sync::Mutex as AsyncMutex;
use wasmtime::{Error, Trap};
use wasmtime_wasi::I32Exit;

use crate::control::{Control, Stop};
use crate::engine::WasmEngine;
use crate::instance::Instance;

const BACKEND: &str = "wasm";

/// One session: CPython in a linear memory of its own.
pub struct WasmSandbox {
    engine: WasmEngine,
    limits: Limits,
    session: AsyncMutex<Session>,
    /// The run that goes on, for `interrupt`.
    running: Mutex<Option<Arc<Control>>>,
    closed: AtomicBool,
}

struct Session {
    port: Arc<dyn HostPort>,
    /// None before the first run and after an interpreter was lost.
    instance: Option<Instance>,
}

impl WasmSandbox {
    /// A session that has not started. It has no host until [`Executor::start`].
    pub fn new(engine: WasmEngine, limits: Limits) -> Self {
        Self {
            engine,
            limits,
            session: AsyncMutex::new(Session { port: Arc::new(NoHost), instance: None }),
            running: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Control>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fresh(&self, limits: &Limits) -> Result<Instance, ExecutorError> {
        let instance = self.engine.instantiate(limits).await;
        instance.map_err(|reason| ExecutorError::Startup { backend: BACKEND, reason })
    }

    /// Runs on `instance`; None in its place means that it is of no further use.
    async fn run_on(
        &self,
        mut instance: Instance,
        run: Arc<Run>,
        request: &RunRequest,
    ) -> (ExecutionResult, Option<Instance>) {
        let control = Arc::new(Control::new(run.limits()));
        let options = RunOptions::new(run.limits(), request.repr);
        *self.running() = Some(Arc::clone(&control));
        let ending = {
            let _ticking = self.engine.ticker().running();
            let guest =
                instance.run(Arc::clone(&run), Arc::clone(&control), &options, &request.code);
            tokio::select! {
                biased;
                outcome = control.metered(guest) => outcome.map_or_else(|e| ending(&e), Ending::Outcome),
                stop = control.stopped() => stopped(stop),
            }
        };
        *self.running() = None;
        let result = run.finish(BACKEND, ending, control.cpu(), instance.memory_bytes());
        let kept = (result.session == SessionState::Kept).then_some(instance);
        (result, kept)
    }
}

#[async_trait]
impl Executor for WasmSandbox {
    fn backend(&self) -> &'static str {
        BACKEND
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[
            Capability::Timeout,
            Capability::NetworkIsolation,
            Capability::FilesystemIsolation,
            Capability::MemoryLimit,
            Capability::CpuLimit,
            Capability::Reset,
            Capability::Interrupt,
            Capability::Streaming,
        ]
    }

    async fn start(&self, port: Arc<dyn HostPort>) -> Result<(), ExecutorError> {
        let mut session = self.session.lock().await;
        if self.is_closed() {
            return Err(ExecutorError::Closed);
        }
        session.port = port;
        if session.instance.is_none() {
            session.instance = Some(self.fresh(&self.limits).await?);
        }
        Ok(())
    }

    async fn run(&self, request: RunRequest) -> ExecutionResult {
        let mut session = self.session.lock().await;
        if self.is_closed() {
            return failed(&ExecutorError::Closed);
        }
        let limits = request.limits_over(&self.limits);
        let port = Arc::clone(&session.port);
        let run = Arc::new(Run::new(limits, port, request.events.clone()));
        // Taken out, so that a run whose future is dropped loses its interpreter.
        let instance = match session.instance.take() {
            Some(instance) => instance,
            None => match self.fresh(run.limits()).await {
                Ok(instance) => instance,
                Err(error) => return failed(&error),
            },
        };
        let (result, instance) = self.run_on(instance, run, &request).await;
        session.instance = instance;
        result
    }

    fn interrupt(&self) {
        if let Some(control) = &*self.running() {
            control.cancel();
        }
    }

    async fn reset(&self) -> Result<(), ExecutorError> {
        let mut session = self.session.lock().await;
        if self.is_closed() {
            return Err(ExecutorError::Closed);
        }
        session.instance = None;
        session.instance = Some(self.fresh(&self.limits).await?);
        Ok(())
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.interrupt();
        self.session.lock().await.instance = None;
    }
}

impl fmt::Debug for WasmSandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WasmSandbox")
            .field("limits", &self.limits)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

fn failed(error: &ExecutorError) -> ExecutionResult {
    let state = match error {
        ExecutorError::Closed => SessionState::Lost,
        _ => SessionState::Reset,
    };
    let error = ExecutionError::new(error.kind(), error.to_string());
    ExecutionResult::failed(BACKEND, error, state)
}

/// What an error of the engine means for the run.
fn ending(error: &Error) -> Ending {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stopped(*stop);
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return Ending::Crashed(format!("the code ended the interpreter with status {status}"));
    }
    let what = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "the interpreter ran out of stack".to_owned(),
        Some(Trap::UnreachableCodeReached) => "the interpreter aborted".to_owned(),
        Some(trap) => format!("the interpreter trapped: {trap}"),
        None => format!("the interpreter failed: {error:#}"),
    };
    Ending::Crashed(what)
}

fn stopped(stop: Stop) -> Ending {
    match stop {
        Stop::Timeout => Ending::Limit(ErrorKind::Timeout, LimitName::Timeout),
        Stop::Cpu => Ending::Limit(ErrorKind::Timeout, LimitName::Cpu),
        Stop::Output => Ending::Limit(ErrorKind::Output, LimitName::Output),
        Stop::Cancelled => Ending::Cancelled,
    }
}
