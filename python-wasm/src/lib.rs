//! Makes the image of the wasm backend: from `python.wasm`, the standard library and this
//! project's Python to a pre-initialised module, compiled ahead of time.
//!
//! In: the recipe's output (`recipe/build`), `boot/` and `pcm_guest`. Out: the image, compiled twice (with
//! and without fuel), and `image.json` in the cache, under a key made of everything that went in. The backend embeds that
//! file, and takes [`engine_config`] from here, so that what was compiled is what is run.
//!
//! What must never live here: running user code. The image is made once and is trusted; sessions
//! belong to `runtime/wasm`.

mod engine;
mod inputs;
mod snapshot;

pub use engine::{Metering, engine_config};
pub use inputs::{Inputs, cache_root};
pub use snapshot::{
    CODE_FILE, Compiled, ImageInfo, Packed, SNAPSHOT_FILE, Signals, build_image, image_of_session,
    variant_file,
};
