//! What is embedded in the program. The build script packs it.

use std::io;

use crate::error::DenoError;

/// The version of Pyodide.
pub(crate) const VERSION: &str = env!("PCM_PYODIDE");
/// A hash of everything that is embedded.
pub(crate) const KEY: &str = env!("PCM_PYODIDE_PARTS");
/// The shims and the loader of `js/`.
pub(crate) const LOADER: &str = include_str!(concat!(env!("OUT_DIR"), "/loader.js"));
/// The standard library as it comes, in source.
pub(crate) const STDLIB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stdlib.zip"));
/// `pcm_guest` and `pcm_pyodide`, in source.
pub(crate) const PACKAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/packages.bin"));

const PYODIDE_WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pyodide.wasm.zst"));
const PYODIDE_JS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pyodide.js.zst"));
/// More than either has.
const MOST: usize = 64 << 20;

/// The interpreter.
pub(crate) fn pyodide_wasm() -> Result<Vec<u8>, DenoError> {
    unpack(PYODIDE_WASM)
}

/// What Emscripten and Pyodide wrote around it.
pub(crate) fn pyodide_js() -> Result<Vec<u8>, DenoError> {
    unpack(PYODIDE_JS)
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, DenoError> {
    let unpacked = zstd::bulk::Decompressor::new()
        .and_then(|mut decompressor| decompressor.decompress(packed, MOST));
    unpacked.map_err(|error: io::Error| DenoError::Damaged(error.to_string()))
}
