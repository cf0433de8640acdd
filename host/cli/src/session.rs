//! A session by its backend: the constructors, over [`pcm_session::Session`].

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use pcm_tools::Problem;

use crate::{BackendKind, Error, SessionBuilder};

/// A Python whose variables live from run to run.
///
/// Clones are the same session, so that one task can interrupt what another runs. What it can do is
/// said at [`pcm_session::Session`], which this is one of.
///
/// ```
/// use pcm_sandbox::{Session, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let session = Session::builder().start().await?;
/// session.run("x = 40").await;
/// assert_eq!(session.run("x + 2").await.value, json!(42));
///
/// let before = session.checkpoint().await?;
/// session.run("x = 2").await;
/// session.restore(before).await?;
/// assert_eq!(session.run("x").await.value, json!(40));
/// # Ok(())
/// # }
/// ```
///
/// A run may have limits of its own, and somebody who hears what happens:
///
/// ```
/// use pcm_sandbox::{RunRequest, Session};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let session = Session::builder().start().await?;
/// let request = RunRequest::new("while True: pass").timeout(Duration::from_millis(50));
/// let error = session.run_request(request).await.error;
/// assert_eq!(error.map(|error| error.error_type).as_deref(), Some("TimeoutError"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    inner: pcm_session::Session,
    backend: BackendKind,
    problems: Arc<[Problem]>,
}

impl Session {
    /// A session with the default backend, safe limits and no tools, until told otherwise.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// A session over a folder: its tools in `tools/`, its workflows, artifacts and packages where
    /// [`SessionBuilder::base`] says.
    ///
    /// ```
    /// use pcm_sandbox::{Session, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), pcm_sandbox::Error> {
    /// # let folder = std::env::temp_dir().join(format!("pcm-doc-{}", std::process::id()));
    /// let session = Session::from_base(&folder).start().await?;
    /// session.run("artifacts.save('plan.json', {'step': 1})").await;
    ///
    /// let tomorrow = Session::from_base(&folder).start().await?;
    /// let result = tomorrow.run("artifacts.load('plan.json')['step']").await;
    /// assert_eq!(result.value, json!(1));
    /// # std::fs::remove_dir_all(&folder).ok();
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_base(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::builder().base(base)
    }

    /// The same on the backend `wasm`: Python for WASI under wasmtime, in this process.
    pub fn wasm(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::from_base(base).backend(BackendKind::Wasm)
    }

    /// The same on the backend `deno-sandbox`: Pyodide in a V8 isolate.
    pub fn deno(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::from_base(base).backend(BackendKind::DenoSandbox)
    }

    /// The same on the backend `subprocess`: a Jupyter kernel in a process of its own.
    pub fn subprocess(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::from_base(base).backend(BackendKind::Subprocess)
    }

    /// The same on the backend `container`.
    pub fn container(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::from_base(base).backend(BackendKind::Container)
    }

    /// The same on the backend `in-process`: without a wall, for trusted code only.
    pub fn in_process(base: impl Into<PathBuf>) -> SessionBuilder {
        Self::from_base(base).backend(BackendKind::InProcess)
    }

    pub(crate) fn new(
        inner: pcm_session::Session,
        backend: BackendKind,
        problems: Arc<[Problem]>,
    ) -> Self {
        Self { inner, backend, problems }
    }

    /// What it is without its backend's name.
    #[cfg(any(feature = "mcp", feature = "server"))]
    pub(crate) fn into_inner(self) -> pcm_session::Session {
        self.inner
    }

    /// What was wrong with declared tools. Those with an error are not there, all others are.
    pub fn tool_problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Another session in the same state, with the same tools and storage. From here on the two are
    /// independent, but for packages: what one of them installs is there for both. Random numbers
    /// differ from the beginning.
    pub async fn fork(&self) -> Result<Self, Error> {
        Ok(Self { inner: self.inner.fork().await?, ..self.clone() })
    }

    /// Its backend.
    pub fn backend(&self) -> BackendKind {
        self.backend
    }
}

/// All that a session does, whatever its backend.
impl Deref for Session {
    type Target = pcm_session::Session;

    fn deref(&self) -> &pcm_session::Session {
        &self.inner
    }
}

#[cfg(all(test, feature = "wasm"))]
mod tests {
    use std::time::Duration;

    use pcm_runtime_api::{Capability, ErrorKind, HostError, RunRequest, SessionState};
    use serde_json::json;

    use super::*;

    async fn with_tools() -> Result<Session, Error> {
        Session::builder()
            .timeout(Duration::from_secs(10))
            .tool("math.add", "Adds two numbers", |args| async move {
                let number = |name| {
                    args[name].as_i64().ok_or_else(|| {
                        HostError::new("ValueError", format!("{name} is not a whole number"))
                    })
                };
                Ok(json!(number("a")? + number("b")?))
            })
            .start()
            .await
    }

    #[tokio::test]
    async fn a_failing_tool_can_be_caught() -> Result<(), Error> {
        let session = with_tools().await?;
        let code = "
try:
    tools.math.add(a=1)
except ToolError as error:
    caught = (error.original_type, str(error))
caught";
        assert_eq!(
            session.run(code).await.value,
            json!(["ValueError", "tools.call: [ValueError] b is not a whole number"])
        );
        Ok(())
    }

    #[tokio::test]
    async fn an_unknown_tool_is_told_what_there_is() -> Result<(), Error> {
        let error = with_tools().await?.run("tools.sum(a=1)").await.error;
        assert_eq!(
            error.map(|error| error.message).as_deref(),
            Some("tools.call: [ToolNotFoundError] Tool \"sum\" not found; there are: math.add")
        );
        Ok(())
    }

    #[tokio::test]
    async fn code_finds_the_tools() -> Result<(), Error> {
        let session = with_tools().await?;
        let code = "[tools.list()[0].name, tools.math.list()[0].name, tools.search('numbers')[0].description]";
        assert_eq!(session.run(code).await.value, json!(["math.add", "add", "Adds two numbers"]));
        Ok(())
    }

    #[tokio::test]
    async fn reset_clears_and_close_ends() -> Result<(), Error> {
        let session = with_tools().await?;
        session.run("x = 1").await;
        session.reset().await?;
        assert_eq!(session.run("'x' in globals()").await.value, json!(false));
        session.close().await;
        let result = session.run("1").await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Closed));
        assert_eq!(result.session, SessionState::Lost);
        Ok(())
    }

    #[tokio::test]
    async fn a_clone_interrupts_the_run() -> Result<(), Error> {
        let session = with_tools().await?;
        let other = session.clone();
        let request = RunRequest::new("print('started')\nwhile True: pass")
            .on_event(move |_| other.interrupt());
        let result = session.run_request(request).await;
        assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::Cancelled));
        assert!(session.capabilities().contains(&Capability::Interrupt));
        assert_eq!(session.backend(), BackendKind::Wasm);
        Ok(())
    }
}
