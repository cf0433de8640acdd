//! The settings that code is compiled under and that the engine which runs it must share.

use serde::{Deserialize, Serialize};
use wasmtime::Config;

/// What compiled code counts of what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metering {
    /// Nothing: it looks at a clock now and then, to be stopped or to let others run.
    Epochs,
    /// Every instruction, besides.
    Fuel,
}

impl Metering {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Epochs, Self::Fuel];
}

/// Enough for the 10 000 levels of recursion through C code that `Limits::recursion` grants.
const WASM_STACK_BYTES: usize = 16 << 20;

/// The stack that guest code and the host functions it calls run on. The difference belongs to the
/// host: were the two equal, deep guest recursion would overflow in host code and abort the process.
const ASYNC_STACK_BYTES: usize = WASM_STACK_BYTES + (1 << 20);

/// The engine configuration without an allocation strategy, which each user chooses.
pub fn engine_config(metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(metering == Metering::Fuel)
        .memory_init_cow(true)
        // The image's memory is one block of 30 MiB: map it whole rather than segment by segment.
        .memory_guaranteed_dense_image_size(128 << 20)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        // Nobody reads wasm backtraces: a trap is reported by what the guest was doing in Python.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}
