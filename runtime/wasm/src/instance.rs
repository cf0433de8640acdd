//! One instance of the image: an interpreter with a memory of its own.

use std::sync::Arc;

use pcm_runtime_api::Limits;
use pcm_runtime_guest::{Run, RunOptions};
use wasmtime::{
    InstancePre, Memory, Result, Store, StoreLimits, StoreLimitsBuilder, TypedFunc, UpdateDeadline,
    bail,
};

use crate::calls::Active;
use crate::control::Control;
use crate::imports::{GuestState, address};
use crate::wasi::{self, CurrentRun};

/// A live interpreter.
pub(crate) struct Instance {
    store: Store<GuestState>,
    memory: Memory,
    buffer: TypedFunc<i32, i32>,
    run: TypedFunc<(i32, i32), i64>,
    current: CurrentRun,
    /// Address and size of the guest's buffer for requests.
    buffer_at: usize,
    buffer_size: usize,
}

impl Instance {
    pub(crate) async fn new(image: &InstancePre<GuestState>, limits: &Limits) -> Result<Self> {
        let current = CurrentRun::default();
        let state = GuestState {
            wasi: wasi::context(&current),
            limiter: limiter(limits),
            memory: None,
            active: None,
        };
        let mut store = Store::new(image.module().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|context| {
            if let Some(active) = &context.data().active {
                active.control.check()?;
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store.set_epoch_deadline(1);
        let instance = image.instantiate_async(&mut store).await?;
        let Some(memory) = instance.get_memory(&mut store, "memory") else {
            bail!("the image exports no memory")
        };
        store.data_mut().memory = Some(memory);
        let buffer = instance.get_typed_func(&mut store, "pcm_buffer")?;
        let run = instance.get_typed_func(&mut store, "pcm_run")?;
        Ok(Self { store, memory, buffer, run, current, buffer_at: 0, buffer_size: 0 })
    }

    /// Runs code and gives the guest's outcome. After an error, or when the future was dropped, the
    /// instance is of no further use.
    pub(crate) async fn run(
        &mut self,
        run: Arc<Run>,
        control: Arc<Control>,
        options: &RunOptions,
        source: &[u8],
    ) -> Result<Vec<u8>> {
        let longest = longest_outcome(run.limits());
        self.store.data_mut().limiter = limiter(run.limits());
        self.store.data_mut().active = Some(Active::new(Arc::clone(&run), control));
        self.current.set(Some(run));
        self.store.set_epoch_deadline(1);
        let options = options.encode();
        self.send(&options, source).await?;
        let lengths = (i32::try_from(options.len())?, i32::try_from(source.len())?);
        let outcome = self.run.call_async(&mut self.store, lengths).await?;
        self.store.data_mut().active = None;
        self.current.set(None);
        self.outcome(outcome, longest)
    }

    /// The bytes of memory that the guest holds; wasm memory never shrinks.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.data_size(&self.store) as u64
    }

    async fn send(&mut self, options: &[u8], source: &[u8]) -> Result<()> {
        let size = options.len() + source.len();
        if size > self.buffer_size {
            let wanted = i32::try_from(size.next_power_of_two())?;
            let at = self.buffer.call_async(&mut self.store, wanted).await?;
            if at == 0 {
                bail!("the guest has no memory for {size} bytes of source");
            }
            (self.buffer_at, self.buffer_size) = (address(at), address(wanted));
        }
        self.memory.write(&mut self.store, self.buffer_at, options)?;
        self.memory.write(&mut self.store, self.buffer_at + options.len(), source)?;
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

fn limiter(limits: &Limits) -> StoreLimits {
    let bytes = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    StoreLimitsBuilder::new().memory_size(bytes).build()
}

/// A value, its repr and a traceback, escaped.
fn longest_outcome(limits: &Limits) -> usize {
    usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX).saturating_add(1 << 20)
}
