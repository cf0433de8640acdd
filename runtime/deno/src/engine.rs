//! What all sessions of a process share: what interpreters are made of, and some that wait.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use deno_core::v8::{CompiledWasmModule, V8};
use pcm_runtime_guest::LeftBehind;
use tokio::sync::OnceCell;

use crate::assets;
use crate::error::DenoError;
use crate::interpreter::{Interpreter, Module, Parts, Stdlib};
use crate::made::{self, Made};
use crate::platform;
use crate::seat::Seat;

/// The smallest bound that modules are compiled with: few bounds, few modules.
const SMALLEST_BOUND: u64 = 256 << 20;
/// Interpreters that wait for a session, unless told otherwise.
const SPARES: usize = 1;

/// Pyodide, and interpreters that wait. Clones are the same.
#[derive(Clone)]
pub struct DenoEngine(Arc<Shared>);

struct Shared {
    made: OnceCell<Arc<Made>>,
    modules: Mutex<BTreeMap<u64, Arc<OnceLock<CompiledWasmModule>>>>,
    spares: Mutex<Spares>,
    left_behind: Arc<LeftBehind>,
}

#[derive(Default)]
struct Spares {
    wanted: usize,
    waiting: Vec<(u64, Seat)>,
    /// How many are being made.
    coming: usize,
}

/// All that a thread needs to make an interpreter.
#[derive(Clone)]
pub(crate) struct Recipe {
    made: Arc<Made>,
    bound: u64,
    module: Arc<OnceLock<CompiledWasmModule>>,
    pub(crate) left_behind: Arc<LeftBehind>,
    /// Whether it shall have run once: for what nobody waits for yet.
    pub(crate) warm: bool,
}

/// What an engine is, for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DenoInfo {
    /// The version of V8.
    pub v8: String,
    /// The version of Pyodide.
    pub pyodide: String,
}

impl DenoEngine {
    /// The engine of this process. Whatever it needs is made when the first session starts.
    pub fn shared() -> Self {
        static SHARED: OnceLock<DenoEngine> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    /// An engine of its own. It shares nothing with others but V8.
    pub fn new() -> Self {
        let spares = Spares { wanted: SPARES, ..Spares::default() };
        Self(Arc::new(Shared {
            made: OnceCell::new(),
            modules: Mutex::default(),
            spares: Mutex::new(spares),
            left_behind: Arc::default(),
        }))
    }

    /// How many interpreters shall wait for sessions; one unless told otherwise. Each holds some
    /// 40 MB, and takes a twentieth of a second off the start of a session, or off its reset. Those
    /// that wait are made when a session has taken the last one.
    pub fn set_spares(&self, wanted: usize) {
        let mut spares = self.0.spares();
        spares.wanted = wanted;
        spares.waiting.truncate(wanted);
    }

    /// Makes ready what the first session would wait for. On the first use of a version that takes
    /// seconds, of which `progress` hears; later some milliseconds.
    pub async fn prepare(
        &self,
        progress: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<(), DenoError> {
        self.made(progress).await.map(drop)
    }

    /// Opens what was made before, with no more than opening files; false where it has to be made.
    /// Where nothing can be opened later, this has to come first.
    pub fn open(&self) -> Result<bool, DenoError> {
        if self.0.made.initialized() {
            return Ok(true);
        }
        let made = match made::folder() {
            Some(folder) => Made::find_made(&folder)?,
            None => None,
        };
        let found = made.is_some();
        if let Some(made) = made {
            let _ = self.0.made.set(Arc::new(made)); // somebody was faster
        }
        Ok(found)
    }

    /// Whether it was made before, so that [`open`](Self::open) will find it.
    pub fn is_made() -> bool {
        made::folder().is_some_and(|folder| made::is_whole(&folder))
    }

    /// Makes an interpreter for a session with that memory, which waits for it.
    pub async fn warm(&self, memory_bytes: u64) -> Result<(), DenoError> {
        let bound = bound(memory_bytes);
        let seat = Seat::make(self.recipe(bound, true).await?).await?;
        self.0.spares().waiting.push((bound, seat));
        Ok(())
    }

    /// What it is.
    pub fn info() -> DenoInfo {
        DenoInfo { v8: V8::get_version().to_owned(), pyodide: assets::VERSION.to_owned() }
    }

    /// Where the snapshot is kept, once it is made; None when it is in memory only.
    pub fn folder(&self) -> Option<&Path> {
        self.0.made.get()?.folder.as_deref()
    }

    /// The memory that an interpreter begins with, once that is known.
    pub(crate) async fn smallest_memory(&self) -> Result<u64, DenoError> {
        Ok(self.made(|_| {}).await?.snapshot.bytes as u64)
    }

    /// A Python that nobody has used, whose memory is bounded.
    pub(crate) async fn seat(&self, memory_bytes: u64) -> Result<Seat, DenoError> {
        if self.0.left_behind.count() >= LeftBehind::MOST {
            return Err(DenoError::LeftBehind(LeftBehind::MOST));
        }
        let bound = bound(memory_bytes);
        let spare = {
            let mut spares = self.0.spares();
            let place = spares.waiting.iter().position(|(of, _)| *of == bound);
            place.map(|place| spares.waiting.swap_remove(place).1)
        };
        let seat = match spare {
            Some(seat) => seat,
            None => Seat::make(self.recipe(bound, false).await?).await?,
        };
        self.replenish(bound);
        Ok(seat)
    }

    /// Has interpreters made for the sessions to come.
    fn replenish(&self, bound: u64) {
        let mut spares = self.0.spares();
        spares.waiting.retain(|(of, _)| *of == bound); // sessions are mostly alike
        let missing = spares.wanted.saturating_sub(spares.waiting.len() + spares.coming);
        let coming: Vec<Coming> =
            (0..missing).map(|_| Coming::begin(self.clone(), &mut spares)).collect();
        drop(spares); // a runtime that ends drops the task, which needs it
        for coming in coming {
            tokio::spawn(async move {
                let engine = &coming.0;
                let made = match engine.recipe(bound, true).await {
                    Ok(recipe) => Seat::make(recipe).await,
                    Err(error) => Err(error),
                };
                let mut spares = engine.0.spares();
                // One that could not be made is made again for whoever needs it, and fails there.
                if let Ok(seat) = made
                    && spares.waiting.len() < spares.wanted
                {
                    spares.waiting.push((bound, seat));
                }
            });
        }
    }

    async fn recipe(&self, bound: u64, warm: bool) -> Result<Recipe, DenoError> {
        let made = Arc::clone(self.made(|_| {}).await?);
        let module = Arc::clone(self.0.modules().entry(bound).or_default());
        let left_behind = Arc::clone(&self.0.left_behind);
        Ok(Recipe { made, bound, module, left_behind, warm })
    }

    async fn made(
        &self,
        progress: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<&Arc<Made>, DenoError> {
        let make = || async {
            let (tell, made) = tokio::sync::oneshot::channel();
            platform::spawn(move || {
                let made = platform::idle_runtime().and_then(|runtime| {
                    let _entered = runtime.enter();
                    Made::find(made::folder(), &progress)
                });
                drop(tell.send(made));
            })?;
            let made = made.await;
            made.map_err(|_| DenoError::Start("its thread ended".to_owned()))?.map(Arc::new)
        };
        self.0.made.get_or_try_init(make).await
    }
}

/// The bound that a module is compiled with for sessions with that memory.
fn bound(memory_bytes: u64) -> u64 {
    memory_bytes.max(SMALLEST_BOUND).checked_next_power_of_two().unwrap_or(u64::MAX)
}

/// A spare that is being made, as long as there is a runtime to make it.
struct Coming(DenoEngine);

impl Coming {
    fn begin(engine: DenoEngine, spares: &mut Spares) -> Self {
        spares.coming += 1;
        Self(engine)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.0.spares().coming -= 1;
    }
}

impl Default for DenoEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DenoEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DenoEngine").field("folder", &self.folder()).finish_non_exhaustive()
    }
}

impl Shared {
    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn modules(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<OnceLock<CompiledWasmModule>>>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipe {
    /// Makes it, on this thread. The first of a bound compiles, and the others use what it compiled.
    pub(crate) fn interpreter(&self) -> Result<Interpreter, DenoError> {
        let made = &self.made;
        let bytes;
        let module = if let Some(module) = self.module.get() {
            Module::Compiled(module)
        } else {
            bytes = made::bounded(self.bound)?;
            Module::Bytes(&bytes)
        };
        let mut interpreter = Interpreter::load(&Parts {
            script: made.script,
            code_cache: Some(&made.code_cache),
            module,
            stdlib: Stdlib::File(&made.stdlib),
            snapshot: Some(&made.snapshot),
        })?;
        if self.module.get().is_none() {
            let _ = self.module.set(interpreter.compiled()?); // another may have been faster
        }
        Ok(interpreter)
    }
}
