//! The wasm wall: CPython for WASI under wasmtime, in this process.
//!
//! A [`WasmEngine`] holds what all sessions share: the compiled image, mapped copy-on-write, and the
//! pool of places for instances. A [`WasmSandbox`] is one session: an instance of the image, in which
//! `pcm_guest` runs. In: a run request. Out: its result, and calls to the session's port.
//!
//! An image of a session is a file that another engine can be made of ([`WasmSandbox::image`],
//! [`WasmEngine::from_image`]): its sessions begin with the modules imported that that one had.
//!
//! The wall is the linear memory and the imports in `imports.rs` and `wasi/`; there is no other way
//! out. The instance has no network, and the files of `runtime/files`. Everything about evaluation
//! lives in `pcm_guest`, everything about output, calls and results in `runtime/guest`.
//!
//! What must never live here: tools, storage, policy. The port has them.

mod bundle;
mod cache;
mod engine;
mod hashes;
mod image;
mod imports;
mod instance;
mod making;
mod opened;
mod packages;
mod pagemap;
mod pages;
mod places;
mod sandbox;
mod saved;
mod session;
mod signals;
mod ticker;
mod tracking;
mod wasi;

pub use bundle::ImageDistribution;
pub use engine::{Allocation, EngineError, EngineInfo, WasmEngine};
pub use making::{Preloaded, Progress};
pub use opened::{ExaminedImage, ImageContents};
pub use sandbox::WasmSandbox;
