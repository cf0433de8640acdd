//! One instance of the image: an interpreter with a memory of its own.

use std::sync::Arc;

use pcm_fences::{Fence, holds};
use pcm_python_wasm::{Metering, Signals};
use pcm_runtime_api::{Limits, SandboxConfig};
use pcm_runtime_guest::{Active, Control, Run, RunOptions, Step, Stop};
use wasmtime::{
    InstancePre, Memory, Result, Store, StoreLimits, StoreLimitsBuilder, TypedFunc, UpdateDeadline,
    bail,
};

use crate::imports::GuestState;
use crate::pages::{self, Image, Pages};
use crate::places;
use crate::signals;
use crate::tracking::Tracker;
use crate::wasi::Wasi;

/// Of one step of wasm memory.
pub(crate) const WASM_PAGE: u64 = 64 << 10;

/// A live interpreter.
pub(crate) struct Instance {
    /// Before `store`, whose end gives the memory to another session.
    tracker: Option<Tracker>,
    /// The last state that was taken of it, or that it began with.
    last: Option<Arc<State>>,
    store: Store<GuestState>,
    exports: wasmtime::Instance,
    memory: Memory,
    buffer: TypedFunc<i32, i32>,
    run: TypedFunc<(i32, i32), i64>,
    metering: Metering,
    place: Place,
    /// Whether other sessions are or were in the state that this one is in: then the next run must
    /// renew what has to differ between them.
    shared: bool,
}

/// To follow a page costs a microsecond when it is written to; to compare one that was not, a
/// fraction of that. From this many on following wins.
const FOLLOWED_PAGES: usize = 1000;

/// The guest's buffer for requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: u32,
    pub(crate) size: u32,
}

/// All that an interpreter is between two runs, apart from where it lies.
#[derive(Debug)]
pub(crate) struct State {
    /// In steps of [`WASM_PAGE`].
    pub(crate) memory_size: u64,
    pub(crate) pages: Pages,
    pub(crate) place: Place,
    pub(crate) wasi: Wasi,
}

/// One run, as the guest is told of it.
pub(crate) struct Assignment<'a> {
    pub(crate) run: Arc<Run>,
    pub(crate) control: Arc<Control>,
    pub(crate) source: &'a [u8],
    pub(crate) repr: bool,
    /// For where fuel is counted.
    pub(crate) fuel: u64,
}

impl Instance {
    pub(crate) async fn new(
        image: &InstancePre<GuestState>,
        metering: Metering,
        signals: Signals,
        config: &SandboxConfig,
    ) -> Result<Self> {
        let state = GuestState {
            wasi: Wasi::new(config)?,
            limiter: limiter(&config.limits),
            memory: None,
            signals,
            active: None,
        };
        let mut store = Store::new(image.module().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut context| {
            let state = context.data();
            let (signals, memory) = (state.signals, state.memory);
            let next = state.active.as_ref().map_or(Step::GoOn, |active| active.control.step());
            match (next, memory) {
                (Step::Kill(stop), _) => return Err(stop.into()),
                (Step::Interrupt, Some(memory)) => {
                    signals::interrupt(signals, memory, &mut context);
                }
                _ => {}
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store.set_epoch_deadline(1);
        if metering == Metering::Fuel {
            store.set_fuel(u64::MAX)?;
        }
        let instance = image.instantiate_async(&mut store).await?;
        let Some(memory) = instance.get_memory(&mut store, "memory") else {
            bail!("the image exports no memory")
        };
        store.data_mut().memory = Some(memory);
        let buffer = instance.get_typed_func(&mut store, "pcm_buffer")?;
        let run = instance.get_typed_func(&mut store, "pcm_run")?;
        let place = Place::default();
        let (tracker, last) = (None, None);
        Ok(Self {
            tracker,
            last,
            store,
            exports: instance,
            memory,
            buffer,
            run,
            metering,
            place,
            shared: true,
        })
    }

    /// Runs code and gives the guest's outcome. After an error, or when the future was dropped, the
    /// instance is of no further use.
    pub(crate) async fn run(&mut self, assignment: Assignment<'_>) -> Result<Vec<u8>> {
        let Assignment { run, control, source, repr, fuel } = assignment;
        let longest = run.longest_outcome();
        let most_memory = run.limits().memory_bytes;
        let options = RunOptions::new(run.limits(), repr, std::mem::take(&mut self.shared));
        let options = options.encode();
        self.store.data_mut().limiter = limiter(run.limits());
        let deterministic = self.wasi().is_deterministic();
        self.store.data_mut().active = Some(Active::new(run, control, deterministic));
        self.store.set_epoch_deadline(1);
        self.send(&options, source).await?;
        if self.metering == Metering::Fuel {
            self.store.set_fuel(if holds(Fence::Fuel) { fuel } else { u64::MAX })?;
        }
        let lengths = (i32::try_from(options.len())?, i32::try_from(source.len())?);
        let outcome = self.run.call_async(&mut self.store, lengths).await?;
        self.store.data_mut().active = None;
        if outcome == 0 && self.memory_bytes() + WASM_PAGE > most_memory {
            return Err(Stop::Memory.into());
        }
        self.outcome(outcome, longest)
    }

    /// Makes its memory what sessions of an image can begin with, and gives a copy. Afterwards the
    /// instance is of no further use.
    pub(crate) async fn freeze(&mut self) -> Result<Vec<u8>> {
        self.store.set_epoch_deadline(1);
        if self.metering == Metering::Fuel {
            self.store.set_fuel(u64::MAX)?;
        }
        let freeze = self.exports.get_typed_func::<(), ()>(&mut self.store, "pcm_freeze")?;
        freeze.call_async(&mut self.store, ()).await?;
        Ok(self.memory.data(&self.store).to_vec())
    }

    /// Where its stack is between two runs.
    pub(crate) fn stack_pointer(&mut self) -> Option<i32> {
        self.exports.get_global(&mut self.store, "__stack_pointer")?.get(&mut self.store).i32()
    }

    /// Its files, clocks and streams.
    pub(crate) fn wasi(&self) -> &Wasi {
        &self.store.data().wasi
    }

    pub(crate) fn wasi_mut(&mut self) -> &mut Wasi {
        &mut self.store.data_mut().wasi
    }

    /// What is left of the last run's fuel.
    pub(crate) fn fuel(&self) -> Option<u64> {
        self.store.get_fuel().ok()
    }

    /// What it counts.
    pub(crate) fn metering(&self) -> Metering {
        self.metering
    }

    /// Its memory, which is the image's as long as it has not run.
    pub(crate) fn image(&self) -> Image<'_> {
        Image::new(self.memory.data(&self.store))
    }

    /// The bytes of memory that the guest holds; wasm memory never shrinks.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.data_size(&self.store) as u64
    }

    /// What it is now. Pages that are as they were in the last state are shared with that.
    pub(crate) fn state(&mut self, image: &Image<'_>) -> Result<Arc<State>> {
        let memory = self.memory.data(&self.store);
        let last = self.last.as_ref().map(|last| &last.pages);
        let pages = match (&mut self.tracker, last) {
            (Some(tracker), Some(last)) => last.with(memory, image, tracker.changed(memory)?),
            (tracker, last) => {
                if last.is_some_and(|last| last.count() >= FOLLOWED_PAGES) {
                    *tracker = Tracker::new(memory).ok(); // else it is compared the next time too
                }
                if let Some(tracker) = tracker {
                    tracker.changed(memory)?; // from here on
                }
                Pages::of(memory, image, last)?
            }
        };
        let (memory_size, wasi) = (self.memory.size(&self.store), self.wasi().fork());
        let state = Arc::new(State { memory_size, pages, place: self.place, wasi });
        self.last = Some(Arc::clone(&state));
        Ok(state)
    }

    /// Makes this fresh instance what another one was.
    pub(crate) fn become_state(&mut self, state: &Arc<State>) -> Result<()> {
        self.grow_to(state.memory_size)?;
        if !state.pages.put_into(self.memory.data_mut(&mut self.store)) {
            bail!("the state has pages that are not in its memory");
        }
        self.last = Some(Arc::clone(state));
        self.place = state.place;
        *self.wasi_mut() = state.wasi.fork();
        Ok(())
    }

    /// Makes this fresh instance what `other` is.
    pub(crate) fn become_like(&mut self, other: &Self, image: &Image<'_>) -> Result<()> {
        self.grow_to(other.memory.size(&other.store))?;
        let from = other.memory.data(&other.store);
        pages::copy(from, image, self.memory.data_mut(&mut self.store))?;
        self.place = other.place;
        *self.wasi_mut() = other.wasi().fork();
        Ok(())
    }

    fn grow_to(&mut self, size: u64) -> Result<()> {
        let missing = size.saturating_sub(self.memory.size(&self.store));
        if missing > 0 {
            self.memory.grow(&mut self.store, missing)?;
        }
        Ok(())
    }

    async fn send(&mut self, options: &[u8], source: &[u8]) -> Result<()> {
        let size = options.len() + source.len();
        if size > self.place.size as usize {
            let wanted = i32::try_from(size.next_power_of_two())?;
            let at = self.buffer.call_async(&mut self.store, wanted).await?;
            if at == 0 {
                bail!("the guest has no memory for {size} bytes of source");
            }
            self.place = Place { at: at.cast_unsigned(), size: wanted.cast_unsigned() };
        }
        let at = self.place.at as usize;
        self.memory.write(&mut self.store, at, options)?;
        self.memory.write(&mut self.store, at + options.len(), source)?;
        Ok(())
    }

    fn outcome(&self, packed: i64, longest: usize) -> Result<Vec<u8>> {
        let [_, _, _, _, at @ ..] = packed.to_be_bytes();
        let length = u32::from_be_bytes(at) as usize;
        let at = (packed.cast_unsigned() >> 32) as usize;
        if at == 0 {
            bail!("the interpreter left no outcome");
        }
        if length > longest {
            bail!("the outcome has {length} bytes, {longest} are taken");
        }
        match self.memory.data(&self.store).get(at..).and_then(|rest| rest.get(..length)) {
            Some(outcome) => Ok(outcome.to_vec()),
            None => bail!("the outcome is not in the guest's memory"),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.tracker = None; // first of all: see `Tracker`
        drop(places::leave(self.memory.data_mut(&mut self.store))); // else the next one is slower
    }
}

fn limiter(limits: &Limits) -> StoreLimits {
    let bytes = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let bytes = if holds(Fence::Memory) { bytes } else { usize::MAX };
    StoreLimitsBuilder::new().memory_size(bytes).build()
}
