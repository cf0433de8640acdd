//! A session: one backend, joined with the host that answers its calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "network")]
use pcm_network::{NetworkPort, NetworkProfile, WithNetwork};
use pcm_runtime_api::{
    Capability, CheckpointId, ExecutionResult, Executor, HostError, HostPort, Limits, Mount,
    RunRequest, SandboxConfig,
};
#[cfg(feature = "wasm")]
use pcm_runtime_wasm::WasmSandbox;
use serde_json::Value;

#[cfg(feature = "wasm")]
use crate::progress::Progress;
use crate::tools::{ClosureTools, Tool};
use crate::{BackendKind, Error};
#[cfg(feature = "wasm")]
use crate::{Image, packages};

/// A Python whose variables live from run to run.
///
/// Clones are the same session, so that one task can interrupt what another runs.
///
/// ```
/// use pcm_sandbox::{Session, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), pcm_sandbox::Error> {
/// let session = Session::builder().start().await?;
/// session.run("x = 40").await;
/// assert_eq!(session.run("x + 2").await.value, json!(42));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    backend: BackendKind,
    executor: Arc<dyn Executor>,
}

impl Session {
    /// A session with the default backend, safe limits and no tools, until told otherwise.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Runs code under the session's limits. Every outcome is a result, and after whatever outcome
    /// the next run works. Dropping the future cancels the run.
    pub async fn run(&self, code: impl Into<Vec<u8>>) -> ExecutionResult {
        self.run_request(RunRequest::new(code)).await
    }

    /// The same, with limits of its own, or with somebody who hears what happens.
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
    pub async fn run_request(&self, request: RunRequest) -> ExecutionResult {
        self.executor.run(request).await
    }

    /// Stops the run that goes on, if one does; its result says `cancelled`.
    pub fn interrupt(&self) {
        self.executor.interrupt();
    }

    /// Clears the variables.
    pub async fn reset(&self) -> Result<(), Error> {
        Ok(self.executor.reset().await?)
    }

    /// Ends the session. Runs after it give an error of the kind `closed`. Harmless when repeated.
    pub async fn close(&self) {
        self.executor.close().await;
    }

    /// Keeps the session's state, to come back to with [`restore`](Self::restore).
    ///
    /// ```
    /// use pcm_sandbox::{Session, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), pcm_sandbox::Error> {
    /// let session = Session::builder().start().await?;
    /// session.run("x = 1").await;
    /// let before = session.checkpoint().await?;
    /// session.run("x = 2").await;
    /// session.restore(before).await?;
    /// assert_eq!(session.run("x").await.value, json!(1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn checkpoint(&self) -> Result<CheckpointId, Error> {
        Ok(self.executor.checkpoint().await?)
    }

    /// Makes the session what it was at a checkpoint, which stays valid.
    pub async fn restore(&self, checkpoint: CheckpointId) -> Result<(), Error> {
        Ok(self.executor.restore(checkpoint).await?)
    }

    /// Gives up a checkpoint and what it holds. Harmless when repeated.
    pub async fn drop_checkpoint(&self, checkpoint: CheckpointId) {
        self.executor.drop_checkpoint(checkpoint).await;
    }

    /// Another session in the same state, with the same tools. From here on the two are independent;
    /// only their random numbers differ from the beginning.
    pub async fn fork(&self) -> Result<Self, Error> {
        Ok(Self { backend: self.backend, executor: self.executor.fork().await? })
    }

    /// The session's state as bytes that [`load`](Self::load) takes, in this process or another.
    /// They are signed with `key`, not encrypted.
    pub async fn save(&self, key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        Ok(self.executor.save(key).await?)
    }

    /// Makes the session what another one was when it was saved. What was changed since, signed with
    /// another key, or made by another version is refused.
    pub async fn load(&self, saved: &[u8], key: &[u8; 32]) -> Result<(), Error> {
        Ok(self.executor.load(saved, key).await?)
    }

    /// The fuel that is left for all runs together; None if [`SessionBuilder::fuel`] set none.
    pub fn fuel(&self) -> Option<u64> {
        self.executor.fuel()
    }

    /// Refills the session's fuel.
    pub fn add_fuel(&self, fuel: u64) -> Result<(), Error> {
        Ok(self.executor.add_fuel(fuel)?)
    }

    /// Writes a file into the session's file system, with the folders above it.
    pub async fn put_file(&self, path: &str, content: impl Into<Vec<u8>>) -> Result<(), Error> {
        Ok(self.executor.put_file(path, content.into()).await?)
    }

    /// Reads a file of the session's file system, if it has at most `longest` bytes.
    pub async fn get_file(&self, path: &str, longest: u64) -> Result<Vec<u8>, Error> {
        Ok(self.executor.get_file(path, longest).await?)
    }

    /// What its backend promises.
    pub fn capabilities(&self) -> &'static [Capability] {
        self.executor.capabilities()
    }

    /// Its backend.
    pub fn backend(&self) -> BackendKind {
        self.backend
    }
}

/// What a session shall be like. Made by [`Session::builder`].
#[derive(Debug, Default)]
#[must_use = "nothing happens before `start`"]
pub struct SessionBuilder {
    backend: BackendKind,
    config: SandboxConfig,
    timeout: Option<Duration>,
    tools: Vec<(String, Tool)>,
    port: Option<Arc<dyn HostPort>>,
    #[cfg(feature = "wasm")]
    image: Option<Image>,
    #[cfg(feature = "wasm")]
    packages: Vec<String>,
    #[cfg(feature = "wasm")]
    progress: Progress,
    #[cfg(feature = "network")]
    network: Option<NetworkProfile>,
}

impl SessionBuilder {
    /// Runs the code behind this wall.
    pub fn backend(mut self, backend: BackendKind) -> Self {
        self.backend = backend;
        self
    }

    /// Bounds every run that does not bring limits of its own.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// The fuel of all runs together; [`Session::add_fuel`] refills it. See [`Limits::fuel`] for that
    /// of one run.
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.config.fuel = Some(fuel);
        self
    }

    /// The same program gives the same bytes and uses the same fuel, wherever and whenever it runs:
    /// clocks and random numbers are made up, the same each time.
    pub fn deterministic(mut self) -> Self {
        self.config.deterministic = true;
        self
    }

    /// A run that has to be stopped the hard way leaves variables and files as it found them, in
    /// place of a fresh sandbox. Costs a checkpoint before every run.
    pub fn rollback(mut self) -> Self {
        self.config.rollback = true;
        self
    }

    /// Shows a folder of the host to the sandbox.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.config.mounts.push(mount);
        self
    }

    /// Begins as this image: with its packages, which are imported already.
    #[cfg(feature = "wasm")]
    pub fn image(mut self, image: &Image) -> Self {
        self.image = Some(image.clone());
        self
    }

    /// Lets code import these packages, given as `pydantic`, `jinja2>=3`, and what they require.
    ///
    /// They are resolved and fetched when the session starts, by this machine's `uv` or `pip`, and
    /// kept for the next time. Pure Python only: the sandbox loads no native code. An [`Image`] has
    /// them imported.
    ///
    /// ```no_run
    /// use pcm_sandbox::{Session, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), pcm_sandbox::Error> {
    /// let session = Session::builder().packages(["tabulate"]).start().await?;
    /// let result = session.run("import tabulate; tabulate.tabulate([[1]], tablefmt='plain')").await;
    /// assert_eq!(result.value, json!("1"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "wasm")]
    pub fn packages<Spec: Into<String>>(mut self, specs: impl IntoIterator<Item = Spec>) -> Self {
        self.packages.extend(specs.into_iter().map(Into::into));
        self
    }

    /// Hears what is being done before the session starts: every step that may take a second.
    #[cfg(feature = "wasm")]
    pub fn on_progress(mut self, hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Progress::new(hears);
        self
    }

    /// The longest that a run may take, in place of what the limits say.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets code call `tools.<name>(key=value)`; a dot in the name makes a group.
    ///
    /// The closure gets the keyword arguments as a JSON object; what JSON cannot say arrives as a
    /// string (`bytes` as base64). The model that wrote the code chose them: check them. An error is
    /// raised in the sandbox as `ToolError` with the message as it is, so it must tell no secret.
    pub fn tool<Call, Reply>(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        call: Call,
    ) -> Self
    where
        Call: Fn(Value) -> Reply + Send + Sync + 'static,
        Reply: Future<Output = Result<Value, HostError>> + Send + 'static,
    {
        self.tools.push((name.into(), Tool::new(description.into(), call)));
        self
    }

    /// Answers all calls of the sandbox, in place of [`tool`](Self::tool).
    pub fn port(mut self, port: Arc<dyn HostPort>) -> Self {
        self.port = Some(port);
        self
    }

    /// Lets `urllib.request` and `http.client` reach what the profile says. Without this a session
    /// has no network, unless its [`port`](Self::port) answers the namespace `network` itself. What
    /// the profile cannot say (times, names, certificates) a [`NetworkPort`] can: see
    /// [`WithNetwork`].
    ///
    /// ```
    /// use pcm_sandbox::{NetworkProfile, Session};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let rules = vec!["https://api.example.org".parse()?];
    /// let session = Session::builder().network(NetworkProfile::Allow(rules)).start().await?;
    /// # let code = "import urllib.request; urllib.request.urlopen('http://localhost/')";
    /// # let error = session.run(code).await.error;
    /// # assert_eq!(error.map(|error| error.error_type).as_deref(), Some("URLError"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "network")]
    pub fn network(mut self, profile: NetworkProfile) -> Self {
        self.network = Some(profile);
        self
    }

    /// Starts the sandbox.
    pub async fn start(mut self) -> Result<Session, Error> {
        #[cfg(feature = "network")]
        let network = match self.network.take() {
            // Who asks for the network is told how to get it.
            None if self.port.is_none() => Some(NetworkProfile::None),
            profile => profile,
        };
        let port: Arc<dyn HostPort> = match self.port.take() {
            Some(_) if !self.tools.is_empty() => return Err(Error::ToolsAndPort),
            Some(port) => port,
            None => Arc::new(ClosureTools::new(std::mem::take(&mut self.tools))?),
        };
        self.config.limits.timeout = self.timeout.or(self.config.limits.timeout);
        #[cfg(feature = "network")]
        let port = match network {
            None => port,
            Some(profile) => {
                let most = self.config.limits.host_call_bytes;
                let network = NetworkPort::new(profile).call_bytes(most);
                Arc::new(WithNetwork::new(network, port))
            }
        };
        let backend = self.backend;
        let executor = self.executor().await?;
        executor.start(port).await?;
        Ok(Session { backend, executor })
    }

    #[cfg(feature = "wasm")]
    async fn executor(self) -> Result<Arc<dyn Executor>, Error> {
        let Self { backend, mut config, image, packages: specs, progress, .. } = self;
        let wants_more = image.is_some() || !specs.is_empty();
        if wants_more && backend != BackendKind::Wasm {
            return Err(Error::OnlyWasm { backend });
        }
        match image {
            Some(_) if !specs.is_empty() => return Err(Error::ImageAndPackages),
            Some(image) => return Ok(Arc::new(WasmSandbox::new(image.engine(), config))),
            None => {}
        }
        if !specs.is_empty() {
            let requirements = packages::requirements(&specs)?;
            let set = packages::resolve(&requirements, &progress).await?;
            config.mounts.push(packages::mount(&set));
        }
        backend.executor(config).await
    }

    #[cfg(not(feature = "wasm"))]
    async fn executor(self) -> Result<Arc<dyn Executor>, Error> {
        self.backend.executor(self.config).await
    }
}

#[cfg(test)]
mod tests {
    use pcm_runtime_api::NoHost;

    use super::*;

    #[tokio::test]
    async fn tools_and_a_port_exclude_each_other() {
        let builder = Session::builder()
            .tool("echo", "Gives back what it gets", |args| async move { Ok(args) })
            .port(Arc::new(NoHost));
        assert!(matches!(builder.start().await, Err(Error::ToolsAndPort)));
    }

    #[cfg(feature = "wasm")]
    #[tokio::test]
    async fn packages_are_for_the_wasm_backend_and_are_named_as_packages_are() {
        let builder = Session::builder().backend(BackendKind::Container).packages(["tabulate"]);
        assert!(matches!(builder.start().await, Err(Error::OnlyWasm { .. })));
        let builder = Session::builder().packages(["https://example.invalid/x.whl"]);
        assert!(matches!(builder.start().await, Err(Error::Packages(_))));
    }

    #[cfg(feature = "wasm")]
    mod on_wasm {
        use pcm_runtime_api::{ErrorKind, SessionState};
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
                Some(
                    "tools.call: [ToolNotFoundError] there is no tool \"sum\"; there are: math.add"
                )
            );
            Ok(())
        }

        #[tokio::test]
        async fn code_finds_the_tools() -> Result<(), Error> {
            let session = with_tools().await?;
            let code = "[tools.list()[0].name, tools.math.list()[0].name, tools.search('numbers')]";
            assert_eq!(
                session.run(code).await.value,
                json!(["math.add", "add", [{"name": "math.add", "description": "Adds two numbers"}]])
            );
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
}
