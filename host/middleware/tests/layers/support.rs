//! A port that keeps what it gets, and short ways to make calls.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pcm_middleware::{Caller, Chain, Layer};
use pcm_runtime_api::{HostCall, HostError, HostPort, Namespace, Payload};
use serde_json::{Value, json};

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// Gives back the arguments of each call, and remembers it.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    calls: Mutex<Vec<HostCall>>,
}

impl Echo {
    pub(crate) fn calls(&self) -> Vec<HostCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.calls().len()
    }
}

#[async_trait]
impl HostPort for Echo {
    async fn call(&self, call: HostCall) -> Result<Payload, HostError> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        Ok(call.args)
    }
}

/// A chain of `layers` around a port that is kept beside it.
pub(crate) fn chain(layers: Vec<Arc<dyn Layer>>) -> (Arc<Chain>, Arc<Echo>) {
    let port = Arc::new(Echo::default());
    let chain = Chain::new(Arc::<Echo>::clone(&port), Caller::sandbox("s-1", "test"), layers);
    (Arc::new(chain), port)
}

/// `tools.NAME(**args)`.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
pub(crate) fn tool(name: &str, args: Value) -> HostCall {
    call(Namespace::Tools, "call", json!({"name": name, "args": args}))
}

pub(crate) fn call(namespace: Namespace, op: &str, args: Value) -> HostCall {
    HostCall { namespace, op: op.to_owned(), args: args.into() }
}

/// The kind of an answer: `ok`, or the type of its error.
pub(crate) fn kind(answer: &Result<Payload, HostError>) -> &str {
    answer.as_ref().map_or_else(|error| error.error_type.as_str(), |_| "ok")
}

pub(crate) fn message(answer: Result<Payload, HostError>) -> String {
    answer.map_or_else(|error| error.message, |payload| payload.value.to_string())
}

/// Bytes that are written, for whoever wants to read them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn lines(&self) -> Result<Vec<Value>, serde_json::Error> {
        String::from_utf8_lossy(&self.bytes()).lines().map(serde_json::from_str).collect()
    }

    /// The events of all lines.
    pub(crate) fn events(&self) -> Result<Vec<String>, serde_json::Error> {
        let event = |line: Value| line["event"].as_str().unwrap_or_default().to_owned();
        Ok(self.lines()?.into_iter().map(event).collect())
    }
}

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
