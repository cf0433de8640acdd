//! What code in the sandboxes of an embedder may reach.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pcm_middleware::{AuditEntry, AuditEvent, AuditLog, Caller, Chain, Layer, MiddlewareError};
use pcm_runtime_api::{HostPort, Progress as Heard};
use pcm_storage::{MemoryStorage, Storage};
use pcm_tools::Registry;

use crate::budget::{self, Budget};
use crate::deps::Deps;
use crate::entrance::Entrance;
use crate::namespaces::Namespaces;

type Wrapping = dyn Fn(Arc<dyn HostPort>) -> Arc<dyn HostPort> + Send + Sync;

/// Tools, storage, packages and the layers in front of them: what a session is started with.
///
/// Sessions that are started with clones of one host share all of it, only their packages are their
/// own.
///
/// ```
/// use pcm_session::Host;
/// use std::sync::Arc;
///
/// let tools = pcm_tools::Registry::new();
/// let host = Host::new().tools(Arc::new(tools)).requires(["jinja2"]).without_runtime_deps();
/// ```
#[derive(Clone)]
#[must_use]
pub struct Host {
    tools: Arc<Registry>,
    storage: Arc<dyn Storage>,
    layers: Vec<Arc<dyn Layer>>,
    audit: Option<AuditLog>,
    wrapping: Option<Arc<Wrapping>>,
    port: Option<Arc<dyn HostPort>>,
    requires: Vec<String>,
    allow_runtime_deps: bool,
    sync_deps_on_start: bool,
    progress: Progress,
    stored_bytes: u64,
    /// How many open sessions the tools end with, if they do.
    holders: Option<Arc<AtomicUsize>>,
}

impl Host {
    /// No tools, a storage in memory, no layers; agents may add packages.
    pub fn new() -> Self {
        Self {
            tools: Arc::new(Registry::new()),
            storage: Arc::new(MemoryStorage::new()),
            layers: Vec::new(),
            audit: None,
            wrapping: None,
            port: None,
            requires: Vec::new(),
            allow_runtime_deps: true,
            sync_deps_on_start: false,
            progress: Progress::default(),
            stored_bytes: budget::USUAL_BYTES,
            holders: None,
        }
    }

    /// These tools, which the embedder closes when no session needs them any more.
    pub fn tools(mut self, tools: Arc<Registry>) -> Self {
        (self.tools, self.holders) = (tools, None);
        self
    }

    /// These tools, which are closed with the session: with the last one, where there are forks or
    /// clones of this host were used.
    pub fn own_tools(mut self, tools: Registry) -> Self {
        (self.tools, self.holders) = (Arc::new(tools), Some(Arc::default()));
        self
    }

    /// Keeps workflows, artifacts and the list of packages here.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = storage;
        self
    }

    /// How many bytes the code of one session may store, in artifacts and workflows together; 1 GiB
    /// unless told otherwise. The program's own calls are not counted.
    pub fn stored_bytes(mut self, bytes: u64) -> Self {
        self.stored_bytes = bytes;
        self
    }

    /// What every call passes, the first one first.
    pub fn layers(mut self, layers: impl IntoIterator<Item = Arc<dyn Layer>>) -> Self {
        self.layers = layers.into_iter().collect();
        self
    }

    /// Writes down when sessions start and end. Calls are written down by an
    /// [`AuditLayer`](pcm_middleware::AuditLayer).
    pub fn audit(mut self, log: AuditLog) -> Self {
        self.audit = Some(log);
        self
    }

    /// Answers all calls in place of tools, storage and packages. The layers are passed all the same.
    pub fn port(mut self, port: Arc<dyn HostPort>) -> Self {
        self.port = Some(port);
        self
    }

    /// Puts a port around the one of each session, inside its layers: one that answers a namespace
    /// of its own, as the network.
    pub fn wrapped(
        mut self,
        wrap: impl Fn(Arc<dyn HostPort>) -> Arc<dyn HostPort> + Send + Sync + 'static,
    ) -> Self {
        self.wrapping = Some(Arc::new(wrap));
        self
    }

    /// Packages that are installed when a session starts; it does not start without them.
    pub fn requires<Spec: Into<String>>(mut self, specs: impl IntoIterator<Item = Spec>) -> Self {
        self.requires.extend(specs.into_iter().map(Into::into));
        self
    }

    /// Refuses packages that code in the sandbox wants to add or remove.
    pub fn without_runtime_deps(mut self) -> Self {
        self.allow_runtime_deps = false;
        self
    }

    /// Installs the packages that the storage knows, too, when a session starts.
    pub fn sync_deps_on_start(mut self) -> Self {
        self.sync_deps_on_start = true;
        self
    }

    /// Hears what is being done when packages are installed.
    pub fn on_progress(mut self, hears: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Progress(Some(Arc::new(hears)));
        self
    }

    pub(crate) fn workspace(&self) -> Option<String> {
        self.storage.workspace().map(ToString::to_string)
    }

    /// The host as one session has it.
    pub(crate) fn connect(self, caller: Caller) -> Connected {
        let Self { tools, storage, requires, progress, .. } = self;
        let deps = Deps::new(Arc::clone(&storage), &requires, self.allow_runtime_deps, progress);
        let deps = Arc::new(deps);
        let namespaces = Namespaces {
            tools: Arc::clone(&tools),
            storage: Arc::clone(&storage),
            deps: Arc::clone(&deps),
            budget: Budget::new(self.stored_bytes),
        };
        let port = self.port.unwrap_or_else(|| Arc::new(namespaces));
        let port = match &self.wrapping {
            Some(wrap) => wrap(port),
            None => port,
        };
        let chain = Arc::new(Chain::new(port, caller, self.layers));
        if let Some(holders) = &self.holders {
            holders.fetch_add(1, Ordering::Relaxed);
        }
        let port = Entrance { tools: Arc::clone(&tools), chain: Arc::clone(&chain) };
        Connected {
            tools,
            storage,
            deps,
            chain,
            port: Arc::new(port),
            audit: self.audit,
            holders: self.holders,
            sync_deps: self.sync_deps_on_start,
            is_recorded: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The host for a fork of a session that it is connected with: as that is now, not as it began.
    pub(crate) fn forked(&self, connected: &Connected) -> Self {
        Self {
            layers: connected.chain.layers().to_vec(),
            requires: connected.deps.configured_specs(),
            ..self.clone()
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Host")
            .field("storage", &self.storage)
            .field("layers", &self.layers)
            .field("requires", &self.requires)
            .field("allow_runtime_deps", &self.allow_runtime_deps)
            .finish_non_exhaustive()
    }
}

/// A host with a session of its own.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) tools: Arc<Registry>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) deps: Arc<Deps>,
    pub(crate) chain: Arc<Chain>,
    /// The chain as calls reach it.
    pub(crate) port: Arc<Entrance>,
    audit: Option<AuditLog>,
    /// The open sessions that the tools end with, this one among them.
    holders: Option<Arc<AtomicUsize>>,
    pub(crate) sync_deps: bool,
    /// Whether the log knows that the session began.
    is_recorded: AtomicBool,
    is_closed: AtomicBool,
}

impl Connected {
    /// Writes down that the session begins.
    pub(crate) fn begin(&self) -> Result<(), MiddlewareError> {
        self.record(AuditEvent::SessionStart)?;
        self.is_recorded.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Writes down that the session ends, once; whether its tools end with it.
    pub(crate) fn end(&self) -> bool {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return false;
        }
        if self.is_recorded.load(Ordering::Relaxed) {
            // The session has ended, whether that can be written down or not.
            let _ = self.record(AuditEvent::SessionClose);
        }
        let holders = self.holders.as_ref();
        holders.is_some_and(|holders| holders.fetch_sub(1, Ordering::AcqRel) == 1)
    }

    fn record(&self, event: AuditEvent) -> Result<(), MiddlewareError> {
        let Some(log) = &self.audit else { return Ok(()) };
        log.append(&AuditEntry::session(event, self.chain.caller()))
    }
}

/// A session that nobody closed ends here. Its tools end when nothing has them any more.
impl Drop for Connected {
    fn drop(&mut self) {
        self.end();
    }
}

/// Somebody who hears what is being done, or nobody.
#[derive(Clone, Default)]
pub(crate) struct Progress(Option<Arc<Heard<'static>>>);

impl Progress {
    pub(crate) fn say(&self, line: &str) {
        if let Some(hears) = &self.0 {
            hears(line);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "heard" } else { "not heard" })
    }
}
