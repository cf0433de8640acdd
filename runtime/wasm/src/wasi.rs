//! What the guest has of WASI: clocks, randomness, an empty standard input, and two streams for what
//! is written past Python's own (`os.write(1, …)`, a fatal error of the interpreter). No files, no
//! network, no environment, no arguments.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pcm_runtime_api::OutputStream as Stream;
use pcm_runtime_guest::{Run, Stop};
use tokio::io::{AsyncWrite, sink};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// The most bytes that one write of the guest may bring.
const WRITE_BYTES: usize = 64 << 10;

/// The run that a session's streams write to.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentRun(Arc<Mutex<Option<Arc<Run>>>>);

impl CurrentRun {
    pub(crate) fn set(&self, run: Option<Arc<Run>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    fn get(&self) -> Option<Arc<Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The WASI of one session.
pub(crate) fn context(current: &CurrentRun) -> WasiP1Ctx {
    let stream = |stream| Streamed { stream, current: current.clone() };
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(stream(Stream::Stdout)).stderr(stream(Stream::Stderr));
    wasi.build_p1()
}

#[derive(Debug, Clone)]
struct Streamed {
    stream: Stream,
    current: CurrentRun,
}

impl IsTerminal for Streamed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Streamed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(sink()) // preview 1 takes the other one
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Streamed {
    async fn ready(&mut self) {}
}

impl OutputStream for Streamed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let Some(run) = self.current.get() else { return Err(StreamError::Closed) };
        run.write(self.stream, &bytes).map_err(|_| {
            if run.is_flooding() {
                StreamError::Trap(Stop::Output.into())
            } else {
                StreamError::Closed
            }
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}
