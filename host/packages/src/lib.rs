//! From requirements to a read-only folder of Python packages.
//!
//! A sandbox in WebAssembly needs no network: what it shall import is resolved, fetched and unpacked
//! here, on the host, and mounted at `/packages`. [`Requirement`]s go in, a [`PackageSet`] comes out; a
//! [`Store`] keeps what was made. Which wheels a sandbox loads, and whether native ones are among them,
//! its [`Target`] says.
//!
//! 1. `requirement`: names, extras, versions and markers; no URL, path or option gets past it.
//! 2. `resolver`, `plan`: the user's own `uv` or `pip`, with the user's own indexes, choose wheels;
//!    `links`: the user's own wheels, in folders beside those.
//! 3. `wheel`: a wheel is unpacked with bounds on everything that a stranger wrote into it.
//! 4. `store`, `set`: content-addressed folders, made aside and moved into place.
//! 5. `compiler`: bytecode, made inside a sandbox, once.
//!
//! No code of a package ever runs on the host: nothing is built from source, and nothing imported.
//!
//! What must never live here: index addresses, and how a sandbox is made.

mod compiler;
mod digest;
mod error;
mod fallback;
mod folder;
mod links;
mod marker;
mod modules;
mod name;
mod plan;
mod requirement;
mod resolver;
mod set;
mod shelf;
mod store;
mod target;
mod version;
mod wheel;

pub use compiler::{COMPILE_SCRIPT, Compiled, Compiler, PACKAGES_FOLDER};
pub use error::PackagesError;
pub use requirement::Requirement;
pub use set::{Distribution, PackageSet};
pub use store::Store;
pub use target::Target;
