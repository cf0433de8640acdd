//! Code that is the body of a function: what it returns is its value, and nothing stays.
//!
//! A thin layer for people whose code is written like that. The body runs in a session of any backend,
//! with its tools, and with variables of its own.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pcm_runtime_api::{ErrorKind, ExecutionError, RunRequest};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{BackendKind, Error, Session, SessionBuilder};

/// What makes a function of a body, without touching its text: a string of several lines stays what it
/// is, and lines of a traceback are those of the body. The body is put in as a literal.
const PROGRAM: &str = include_str!("body.py");
/// Where it is put in.
const PLACE: &str = "BODY_OF_THE_FUNCTION";

/// A program whose value is what the body returns; None where it returns nothing. The body may await.
///
/// ```
/// use pcm_sandbox::{Session, function_body, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let session = Session::builder().start().await?;
/// let body = "numbers = [1, 2, 3]\nfor number in numbers:\n    if number > 1:\n        return number";
/// assert_eq!(session.run(function_body(body)).await.value, json!(2));
/// # Ok(())
/// # }
/// ```
pub fn function_body(body: &str) -> String {
    // A string of JSON is one of Python.
    PROGRAM.replacen(PLACE, &Value::from(body).to_string(), 1)
}

/// Runs bodies of functions, one after the other, with nothing left from one to the next.
///
/// ```
/// use pcm_sandbox::{FunctionExecutor, Session, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let executor = FunctionExecutor::new(Session::builder());
/// let value = executor.execute_code("return {'sum': sum([1, 2, 3])}", None).await;
/// assert_eq!(value.ok(), Some(json!({"sum": 6})));
/// let error = executor.execute_code("return 1 / 0", None).await.err();
/// assert_eq!(error.map(|error| error.error_type).as_deref(), Some("ZeroDivisionError"));
/// executor.cleanup().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FunctionExecutor {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    New(Box<SessionBuilder>),
    Open(Session),
    Closed,
}

impl FunctionExecutor {
    /// One that starts its session when it is needed, or in [`setup`](Self::setup).
    pub fn new(builder: SessionBuilder) -> Self {
        Self { state: Mutex::new(State::New(Box::new(builder))) }
    }

    /// Starts the session.
    pub async fn setup(&self) -> Result<(), Error> {
        self.session().await.map(drop)
    }

    /// What the body returned, or why it did not.
    pub async fn execute_code(
        &self,
        body: &str,
        timeout: Option<Duration>,
    ) -> Result<Value, ExecutionError> {
        let session = self.session().await.map_err(|error| {
            let kind = match &error {
                Error::Executor(error) => error.kind(),
                _ => ErrorKind::Startup,
            };
            ExecutionError::new(kind, error.to_string())
        })?;
        let mut request = RunRequest::new(function_body(body));
        request.timeout = timeout;
        let result = session.run_request(request).await;
        result.error.map_or(Ok(result.value), Err)
    }

    /// Ends the session. Nothing runs any more.
    pub async fn cleanup(&self) {
        let state = std::mem::replace(&mut *self.state.lock().await, State::Closed);
        if let State::Open(session) = state {
            session.close().await;
        }
    }

    async fn session(&self) -> Result<Session, Error> {
        let mut state = self.state.lock().await;
        let session = match std::mem::replace(&mut *state, State::Closed) {
            State::New(builder) => builder.start().await?,
            State::Open(session) => session,
            State::Closed => return Err(pcm_runtime_api::ExecutorError::Closed.into()),
        };
        *state = State::Open(session.clone());
        Ok(session)
    }
}

/// Which executor is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutorKind {
    /// The Python of this machine, in another process: fast, and no wall.
    Unrestricted,
    /// A container.
    Docker,
    /// Another backend, by its name.
    Backend(BackendKind),
}

impl ExecutorKind {
    /// Its backend.
    pub fn backend(self) -> BackendKind {
        match self {
            Self::Unrestricted => BackendKind::Subprocess,
            Self::Docker => BackendKind::Container,
            Self::Backend(backend) => backend,
        }
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrestricted => formatter.write_str("unrestricted"),
            Self::Docker => formatter.write_str("docker"),
            Self::Backend(backend) => backend.fmt(formatter),
        }
    }
}

impl FromStr for ExecutorKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "unrestricted" => Ok(Self::Unrestricted),
            "docker" => Ok(Self::Docker),
            name => match name.parse() {
                Ok(backend) => Ok(Self::Backend(backend)),
                Err(_) => Err(Error::UnknownExecutor { name: name.to_owned() }),
            },
        }
    }
}

/// An executor by its name: `unrestricted`, `docker`, or a backend.
///
/// ```
/// assert!(pcm_sandbox::create_executor("wasm").is_ok());
/// assert!(pcm_sandbox::create_executor("magic").is_err());
/// ```
pub fn create_executor(name: &str) -> Result<FunctionExecutor, Error> {
    let backend = name.parse::<ExecutorKind>()?.backend();
    if !backend.is_built_in() {
        return Err(Error::BackendNotBuilt { backend });
    }
    Ok(FunctionExecutor::new(Session::builder().backend(backend)))
}

/// The strongest executor that starts here: a container, or else the default backend.
pub async fn best_executor() -> Result<FunctionExecutor, Error> {
    if let Ok(container) = secure_executor()
        && container.setup().await.is_ok()
    {
        return Ok(container);
    }
    let executor = FunctionExecutor::new(Session::builder());
    executor.setup().await?;
    Ok(executor)
}

/// The one that has the Python of this machine.
pub fn fast_executor() -> Result<FunctionExecutor, Error> {
    create_executor("unrestricted")
}

/// The one in a container.
pub fn secure_executor() -> Result<FunctionExecutor, Error> {
    create_executor("docker")
}

#[cfg(all(test, feature = "wasm"))]
mod tests {
    use serde_json::json;

    use super::*;

    async fn returned(body: &str) -> Result<Value, String> {
        let executor = FunctionExecutor::new(Session::builder());
        let value = executor.execute_code(body, None).await;
        executor.cleanup().await;
        value.map_err(|error| {
            format!("{}: {}\n{}", error.error_type, error.message, error.traceback)
        })
    }

    #[tokio::test]
    async fn the_text_of_a_body_stays_what_it_is() {
        let body =
            "text = '''one\n  two\nthree'''\nreturn [text, r'\\n', \"\u{1f389}\", '\\u00e9']";
        assert_eq!(
            returned(body).await,
            Ok(json!(["one\n  two\nthree", "\\n", "\u{1f389}", "\u{e9}"]))
        );
    }

    #[tokio::test]
    async fn bodies_that_return_nothing_give_none() {
        for body in ["", "# nothing", "x = 1", "return", "'not the value'"] {
            assert_eq!(returned(body).await, Ok(Value::Null), "{body:?}");
        }
    }

    #[tokio::test]
    async fn a_body_may_await_and_import_all_names() {
        let body = "from math import *\nimport asyncio\nawait asyncio.sleep(0)\nreturn floor(pi)";
        let error = returned(body).await.err().unwrap_or_default();
        assert!(error.contains("import * only allowed at module level"), "{error}");
        assert_eq!(
            returned("import asyncio\nawait asyncio.sleep(0)\nreturn 3").await,
            Ok(json!(3))
        );
    }

    #[tokio::test]
    async fn errors_name_the_line_of_the_body() {
        let error = returned("x = 1\nreturn x / 0").await.err().unwrap_or_default();
        assert!(error.starts_with("ZeroDivisionError: division by zero"), "{error}");
        assert!(error.contains("line 2"), "{error}");
        let error = returned("return (").await.err().unwrap_or_default();
        assert!(error.starts_with("SyntaxError"), "{error}");
    }

    #[tokio::test]
    async fn nothing_stays_from_one_body_to_the_next() -> Result<(), Error> {
        let executor = FunctionExecutor::new(Session::builder());
        executor.setup().await?;
        let kept = "global kept\nkept = 1\nreturn 'body' in globals()";
        assert_eq!(executor.execute_code(kept, None).await.ok(), Some(json!(false)));
        let error = executor.execute_code("return kept", None).await.err();
        assert_eq!(error.map(|error| error.error_type).as_deref(), Some("NameError"));
        let slow = executor.execute_code("while True: pass", Some(Duration::from_millis(50))).await;
        assert_eq!(slow.err().map(|error| error.kind), Some(ErrorKind::Timeout));
        assert_eq!(executor.execute_code("return 1", None).await.ok(), Some(json!(1)));
        executor.cleanup().await;
        let closed = executor.execute_code("return 1", None).await.err();
        assert_eq!(closed.map(|error| error.kind), Some(ErrorKind::Closed));
        Ok(())
    }

    #[test]
    fn executors_have_names() {
        for name in ["unrestricted", "docker", "wasm", "deno-sandbox"] {
            let kind = name.parse::<ExecutorKind>().ok();
            assert_eq!(kind.map(|kind| kind.to_string()).as_deref(), Some(name));
        }
        let error = create_executor("magic").err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "there is no executor \"magic\"; there are: unrestricted, docker, and the backends"
            )
        );
    }
}
