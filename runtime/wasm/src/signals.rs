//! How the host interrupts Python: it writes into the guest's memory what the C function of a signal
//! would write, while the guest stands still. Python then raises `KeyboardInterrupt` by itself, with
//! all its state intact. The words and their addresses come with the image; see `glue/signals.c`.

use pcm_python_wasm::Signals;
use wasmtime::{AsContextMut, Memory};

/// Sets the words. A guest that has moved its memory about gets no signal, and is stopped later.
pub(crate) fn interrupt(signals: Signals, memory: Memory, mut store: impl AsContextMut) {
    let memory = memory.data_mut(&mut store);
    set(memory, signals.interrupt, 1);
    set(memory, signals.any, 1);
    set(memory, signals.breaker, signals.breaker_bit);
}

fn set(memory: &mut [u8], at: u32, bits: u32) {
    let word = memory.get_mut(at as usize..).and_then(|rest| rest.first_chunk_mut::<4>());
    if let Some(word) = word {
        *word = (u32::from_le_bytes(*word) | bits).to_le_bytes();
    }
}
