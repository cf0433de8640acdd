//! The deno-sandbox wall: Pyodide in a V8 isolate.
//!
//! V8 comes through `deno_core`, with one extension of our own: an isolate has the ops of `ops.rs` and
//! nothing else of the host, no file, no network, no environment, no process, no module. `js/` has
//! the scripts that load Pyodide, `pcm_pyodide` what the evaluator needs under it.
//!
//! 1. [`DenoEngine`] finds or makes the snapshot (`made.rs`), compiles the interpreter once per
//!    process, and keeps spares.
//! 2. A [`DenoSandbox`] takes a seat (`seat.rs`): an isolate on a thread of its own, in which an
//!    interpreter (`interpreter.rs`) was restored from the snapshot.
//! 3. Code goes in, and calls come out, through the ops; `serving.rs` has the run that goes on.
//! 4. What has to stop is interrupted, then terminated; a terminated isolate is never used again.
//!
//! What must never live here: tools, storage, packages, policy; and what evaluation means, which is
//! `pcm_guest`'s.

mod assets;
mod engine;
mod error;
mod files;
mod interpreter;
mod isolate;
mod made;
mod mapping;
mod memory;
mod ops;
mod platform;
mod sandbox;
mod seat;
mod serving;
mod wasm;
mod watch;

pub use engine::{DenoEngine, DenoInfo};
pub use error::DenoError;
pub use sandbox::DenoSandbox;
